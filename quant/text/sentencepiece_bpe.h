// Byte-pair encoding as SentencePiece does it: a pair merges if the two together are a piece, the
// piece of the highest score first.
#ifndef SASQ_QUANT_TEXT_SENTENCEPIECE_BPE_H_
#define SASQ_QUANT_TEXT_SENTENCEPIECE_BPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "quant/text/added_tokens.h"
#include "quant/text/sentencepiece_model.h"

namespace sasq {

// The pieces of a model. Immutable, so thread-safe.
class SentencePieceBpe {
 public:
  // `model` has a piece of the type kUnknown.
  explicit SentencePieceBpe(const SentencePieceModel& model);

  // The ids of `text`, valid UTF-8 and normalized. Takes O(n log n), however long.
  std::vector<int32_t> Encode(absl::string_view text) const;

  const AddedTokenFinder& user_defined() const { return user_defined_; }

 private:
  struct Piece {
    int32_t id;
    float score;
  };
  struct Symbol {  // a part of the text; a merge extends the left one and empties the right one
    size_t begin;
    size_t size;  // in bytes
    int32_t previous;
    int32_t next;
    bool is_frozen;  // a user-defined piece: never merges
  };
  struct Candidate;
  class Merger;

  std::vector<Symbol> SplitCharacters(absl::string_view text) const;
  void AppendUnknown(absl::string_view text, bool* after_unknown, std::vector<int32_t>* ids) const;

  absl::flat_hash_map<std::string, Piece> pieces_;  // normal and user-defined ones
  AddedTokenFinder user_defined_;
  int32_t unknown_id_ = 0;
  std::vector<int32_t> byte_ids_;  // empty, or 256
};

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_SENTENCEPIECE_BPE_H_
