// Pre-tokenizers of tokenizer.json: how text is cut into the words that byte-pair merges stay
// inside of.
#ifndef SASQ_QUANT_TEXT_PRE_TOKENIZER_H_
#define SASQ_QUANT_TEXT_PRE_TOKENIZER_H_

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// A part of the text. Valid UTF-8; not empty.
struct Piece {
  absl::string_view text;
  bool at_start = false;  // it begins where the whole text begins
};

// Takes the next piece, from left to right. The piece's text lives until it returns.
using EmitPiece = absl::FunctionRef<absl::Status(const Piece&)>;

// One step: cuts or rewrites a piece. Immutable, so thread-safe.
class PreTokenizerStep {
 public:
  virtual ~PreTokenizerStep() = default;
  // Stops at the first error of `emit` and returns it. INVALID_ARGUMENT (INVALID_TEXT) if the text
  // exceeds the limits of a pattern.
  virtual absl::Status Split(const Piece& piece, EmitPiece emit) const = 0;
};

// A chain of steps, each applied to the pieces of the one before. Immutable, so thread-safe.
class PreTokenizer {
 public:
  // `spec`: the field "pre_tokenizer"; null for none. Known types: ByteLevel, Digits, Metaspace,
  // Split, Sequence. INVALID_ARGUMENT (UNSUPPORTED_MODEL), by name, for others.
  static absl::StatusOr<PreTokenizer> Parse(const nlohmann::json* spec);

  absl::Status Split(const Piece& piece, EmitPiece emit) const;

 private:
  absl::Status SplitFrom(size_t step, const Piece& piece, EmitPiece emit) const;

  std::vector<std::unique_ptr<const PreTokenizerStep>> steps_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_PRE_TOKENIZER_H_
