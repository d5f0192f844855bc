#include "quant/text/sentencepiece_bpe.h"

#include <optional>
#include <queue>

#include "absl/strings/numbers.h"
#include "common/status_macros.h"
#include "quant/text/unicode.h"

namespace sasq {

// A pair that could merge. Stale once one of the two changed its size.
struct SentencePieceBpe::Candidate {
  float score;
  int32_t left;
  int32_t right;
  size_t size;  // of both together

  // For a queue with the highest score on top, then the leftmost.
  bool operator<(const Candidate& other) const {
    return score < other.score || (score == other.score && left > other.left);
  }
};

// Merges the symbols of one text.
class SentencePieceBpe::Merger {
 public:
  Merger(const SentencePieceBpe& bpe, absl::string_view text, std::vector<Symbol>* symbols)
      : bpe_(bpe), text_(text), symbols_(*symbols) {}

  void Run() {
    for (int32_t i = 1; i < static_cast<int32_t>(symbols_.size()); ++i) Push(i - 1, i);
    while (!candidates_.empty()) {
      const Candidate candidate = candidates_.top();
      candidates_.pop();
      Symbol& left = At(candidate.left);
      Symbol& right = At(candidate.right);
      if (left.size == 0 || right.size == 0 || left.size + right.size != candidate.size) continue;
      left.size = candidate.size;
      left.next = right.next;
      right.size = 0;
      if (left.next >= 0) At(left.next).previous = candidate.left;
      Push(left.previous, candidate.left);
      Push(candidate.left, left.next);
    }
  }

 private:
  Symbol& At(int32_t index) { return symbols_[static_cast<size_t>(index)]; }

  void Push(int32_t left, int32_t right) {
    if (left < 0 || right < 0 || At(left).is_frozen || At(right).is_frozen) return;
    const size_t size = At(left).size + At(right).size;
    const auto piece = bpe_.pieces_.find(text_.substr(At(left).begin, size));
    if (piece != bpe_.pieces_.end()) {
      candidates_.push({piece->second.score, left, right, size});
    }
  }

  const SentencePieceBpe& bpe_;
  const absl::string_view text_;
  std::vector<Symbol>& symbols_;
  std::priority_queue<Candidate> candidates_;
};

SentencePieceBpe::SentencePieceBpe(const SentencePieceModel& model) {
  using PieceType = SentencePieceModel::PieceType;
  if (model.byte_fallback) byte_ids_.assign(256, -1);
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePieceModel::Piece& piece = model.pieces[i];
    const auto id = static_cast<int32_t>(i);
    uint32_t byte = 0;
    if (piece.type == PieceType::kNormal || piece.type == PieceType::kUserDefined) {
      pieces_.emplace(piece.text, Piece{id, piece.score});
      if (piece.type == PieceType::kUserDefined)
        user_defined_.Add({.id = id, .content = piece.text});
    } else if (piece.type == PieceType::kUnknown) {
      unknown_id_ = id;
    } else if (piece.type == PieceType::kByte && !byte_ids_.empty() &&  // "<0x0A>"
               absl::SimpleHexAtoi(absl::string_view(piece.text).substr(1, 4), &byte) &&
               byte < byte_ids_.size()) {
      byte_ids_[byte] = id;
    }
  }
}

std::vector<SentencePieceBpe::Symbol> SentencePieceBpe::SplitCharacters(
    absl::string_view text) const {
  std::vector<Symbol> symbols;
  const auto add = [&symbols](size_t begin, size_t end, bool is_frozen) {
    const auto index = static_cast<int32_t>(symbols.size());
    symbols.push_back({begin, end - begin, index - 1, index + 1, is_frozen});
  };
  const absl::Status status = user_defined_.ForEachPart(
      text, [&](absl::string_view part, std::optional<int32_t> user_defined_id) {
        const auto part_begin = static_cast<size_t>(part.data() - text.data());
        if (user_defined_id) {
          add(part_begin, part_begin + part.size(), /*is_frozen=*/true);
          return absl::OkStatus();
        }
        for (size_t end = 0; end < part.size();) {
          const size_t begin = end;
          DecodeUtf8(part, &end);
          add(part_begin + begin, part_begin + end, /*is_frozen=*/false);
        }
        return absl::OkStatus();
      });
  SASQ_CHECK(status.ok());
  if (!symbols.empty()) symbols.back().next = -1;
  return symbols;
}

std::vector<int32_t> SentencePieceBpe::Encode(absl::string_view text) const {
  std::vector<Symbol> symbols = SplitCharacters(text);
  Merger(*this, text, &symbols).Run();
  std::vector<int32_t> ids;
  bool after_unknown = false;
  for (const Symbol& symbol : symbols) {
    if (symbol.size == 0) continue;
    const absl::string_view piece_text = text.substr(symbol.begin, symbol.size);
    const auto piece = pieces_.find(piece_text);
    if (piece == pieces_.end()) {
      AppendUnknown(piece_text, &after_unknown, &ids);
    } else {
      ids.push_back(piece->second.id);
      after_unknown = false;
    }
  }
  return ids;
}

// Its bytes, or one unknown token for neighbouring unknown characters.
void SentencePieceBpe::AppendUnknown(absl::string_view text, bool* after_unknown,
                                     std::vector<int32_t>* ids) const {
  if (!byte_ids_.empty()) {
    for (const char byte : text) ids->push_back(byte_ids_[static_cast<unsigned char>(byte)]);
  } else if (!*after_unknown) {
    ids->push_back(unknown_id_);
  }
  *after_unknown = byte_ids_.empty();
}

}  // namespace sasq
