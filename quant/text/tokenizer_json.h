// Tokenizers in the format of Hugging Face's tokenizers library.
#ifndef SASQ_QUANT_TEXT_TOKENIZER_JSON_H_
#define SASQ_QUANT_TEXT_TOKENIZER_JSON_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "quant/text/tokenizer.h"

namespace sasq {

// Reads a tokenizer.json with a BPE model. Errors as Tokenizer::LoadFromFolder.
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadTokenizerJson(const std::string& path);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_TOKENIZER_JSON_H_
