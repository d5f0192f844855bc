#include "quant/text/vocabulary.h"

#include "absl/strings/str_cat.h"
#include "quant/format/model_error.h"

namespace sasq {

absl::Status CheckVocabulary(const Tokenizer& tokenizer, int64_t vocab_size) {
  if (tokenizer.vocab_size() <= vocab_size) return absl::OkStatus();
  return InvalidModel(absl::StrCat("the tokenizer's vocabulary has ", tokenizer.vocab_size(),
                                   " ids, but the model's vocab_size is ", vocab_size,
                                   "; config.json and the tokenizer belong to different models"));
}

absl::Status CheckTokens(absl::Span<const int32_t> tokens, int64_t vocab_size) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= vocab_size) {
      return InvalidModel(
          absl::StrCat("token ", i, " of the text has the id ", tokens[i],
                       ", but the model's vocab_size is ", vocab_size,
                       "; config.json and the tokenizer belong to different models, "
                       "or the text holds an added token without an embedding"));
    }
  }
  return absl::OkStatus();
}

}  // namespace sasq
