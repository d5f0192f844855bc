// From text to token ids.
#ifndef SASQ_QUANT_TEXT_TOKENIZER_H_
#define SASQ_QUANT_TEXT_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// The tokenizer of a model. Immutable, so thread-safe.
class Tokenizer {
 public:
  // Reads `folder`/tokenizer.json (byte-pair encoding) or, where there is none,
  // `folder`/tokenizer.model (SentencePiece). INVALID_ARGUMENT: INVALID_MODEL if neither is there
  // or the file is damaged, UNSUPPORTED_MODEL, by name, if it uses what this version does not know.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadFromFolder(const std::string& folder);

  virtual ~Tokenizer() = default;

  // The ids that PyPI's tokenizers give for encode(text, add_special_tokens=False): nothing is put
  // before or behind the text, but special tokens that stand in it are recognized. (SentencePiece
  // models recognize only those that they define as user symbols.) INVALID_ARGUMENT (INVALID_TEXT)
  // if `text` is not UTF-8, naming the offset of the wrong byte.
  virtual absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const = 0;

  // A token as the vocabulary writes it, such as `Ġthe`; empty if there is none of this id. Slow:
  // for people.
  virtual std::string TokenText(int32_t id) const = 0;

  // One more than the largest id of the vocabulary, without the tokens that were added to it. A
  // model's embedding has at least as many rows.
  virtual int64_t vocab_size() const = 0;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_TOKENIZER_H_
