#include "quant/text/tokenizer.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "quant/format/model_error.h"
#include "quant/text/sentencepiece_tokenizer.h"
#include "quant/text/tokenizer_json.h"

namespace sasq {

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::LoadFromFolder(
    const std::string& folder) {
  std::error_code error;  // an unreadable path is reported when it is opened
  const std::string json_path = absl::StrCat(folder, "/tokenizer.json");
  if (std::filesystem::exists(json_path, error)) return LoadTokenizerJson(json_path);
  const std::string model_path = absl::StrCat(folder, "/tokenizer.model");
  if (std::filesystem::exists(model_path, error)) return LoadSentencePieceTokenizer(model_path);
  return InvalidModel(absl::StrCat(folder,
                                   " has neither tokenizer.json nor tokenizer.model; copy "
                                   "the tokenizer of the model there"));
}

}  // namespace sasq
