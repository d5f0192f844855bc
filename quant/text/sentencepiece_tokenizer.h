// Tokenizers in SentencePiece's own format (Kudo and Richardson, arXiv 1808.06226).
#ifndef SASQ_QUANT_TEXT_SENTENCEPIECE_TOKENIZER_H_
#define SASQ_QUANT_TEXT_SENTENCEPIECE_TOKENIZER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "quant/text/tokenizer.h"

namespace sasq {

// Reads a tokenizer.model. Known are those of the LLaMA family: byte-pair encoding without a
// normalization table. Errors as Tokenizer::LoadFromFolder.
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadSentencePieceTokenizer(
    const std::string& path);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_SENTENCEPIECE_TOKENIZER_H_
