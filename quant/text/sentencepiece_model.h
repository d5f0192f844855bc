// SentencePiece's model file, a protocol buffer (sentencepiece_model.proto of
// https://github.com/google/sentencepiece). Read and run by our own code: the library that Debian
// ships brings a Protobuf of its own, 3.14, whose symbols collide with the system's at run time.
#ifndef SASQ_QUANT_TEXT_SENTENCEPIECE_MODEL_H_
#define SASQ_QUANT_TEXT_SENTENCEPIECE_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// The parts of a model file that encoding needs; defaults as in its schema.
struct SentencePieceModel {
  // Numbers as in the file.
  enum class PieceType { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
  enum class Kind { kUnigram = 1, kBpe, kWord, kChar };

  struct Piece {  // its id is its index
    std::string text;
    float score = 0;
    PieceType type = PieceType::kNormal;
  };

  std::vector<Piece> pieces;
  Kind kind = Kind::kUnigram;
  bool treat_whitespace_as_suffix = false;
  bool byte_fallback = false;
  std::string precompiled_charsmap;  // empty: the identity
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// INVALID_ARGUMENT (INVALID_MODEL) if `bytes` is not such a file.
absl::StatusOr<SentencePieceModel> ParseSentencePieceModel(absl::string_view bytes);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_SENTENCEPIECE_MODEL_H_
