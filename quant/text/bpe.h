// Byte-pair encoding (Sennrich et al., arXiv 1508.07909) as tokenizer.json has it.
#ifndef SASQ_QUANT_TEXT_BPE_H_
#define SASQ_QUANT_TEXT_BPE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Vocabulary and merges. Immutable, so thread-safe.
class BpeModel {
 public:
  struct Merge {
    int32_t rank = 0;  // lower ones come first
    int32_t id = 0;    // of the merged token
  };

  // `spec`: the field "model". INVALID_ARGUMENT: INVALID_MODEL if it contradicts itself,
  // UNSUPPORTED_MODEL if its type or an option is not known.
  static absl::StatusOr<std::unique_ptr<const BpeModel>> Parse(const nlohmann::json& spec);

  std::optional<int32_t> FindToken(absl::string_view token) const;
  // Empty if there is none of this id. Searches the whole vocabulary.
  std::string TokenText(int32_t id) const;
  // Null if the pair does not merge.
  const Merge* FindMerge(int32_t left, int32_t right) const;

  size_t token_count() const { return vocab_.size(); }
  int32_t largest_id() const { return largest_id_; }

  // A word of the vocabulary is one token, whatever the merges say.
  bool ignore_merges() const { return ignore_merges_; }

  // The tokens <0xXX> of the bytes of `character`, which is not in the vocabulary. Nothing if the
  // model does not fall back to bytes or lacks one of them.
  std::optional<std::vector<int32_t>> ByteTokens(absl::string_view character) const;

  // The token for characters that are neither in the vocabulary nor bytes. Nothing if they vanish.
  const std::optional<std::string>& unknown_token() const { return unknown_token_; }
  // Neighbouring unknown characters become one token.
  bool fuse_unknown() const { return fuse_unknown_; }

 private:
  BpeModel() = default;

  absl::Status ReadOptions(const nlohmann::json& spec);
  absl::Status ReadVocab(const nlohmann::json& spec);
  absl::Status ReadMerges(const nlohmann::json& spec);
  absl::Status AddMerge(absl::string_view left, absl::string_view right, int32_t rank);

  absl::flat_hash_map<std::string, int32_t> vocab_;
  absl::flat_hash_map<std::pair<int32_t, int32_t>, Merge> merges_;
  int32_t largest_id_ = -1;
  bool ignore_merges_ = false;
  bool fuse_unknown_ = false;
  std::optional<std::string> unknown_token_;
  std::optional<std::array<std::optional<int32_t>, 256>> byte_ids_;  // the tokens <0x00>..<0xFF>
};

// Encodes words with one model and remembers short ones. Words take O(n log n), however long.
// One thread; `model` outlives it.
class BpeEncoder {
 public:
  explicit BpeEncoder(const BpeModel& model) : model_(model) {}

  // Appends the tokens of `word`, valid UTF-8 and not empty. INVALID_ARGUMENT (INVALID_MODEL) if a
  // character needs an unknown token that the vocabulary lacks.
  absl::Status Encode(absl::string_view word, std::vector<int32_t>* ids);

 private:
  // A token of the word in the making; a merge keeps the left one and unlinks the right one.
  struct Symbol {
    int32_t id;        // kRemoved once merged away
    int32_t previous;  // index, -1 at the start
    int32_t next;      // index, -1 at the end
  };
  // A pair that could merge. Stale once one of the two changed.
  struct Candidate {
    int32_t rank;
    int32_t left;  // index of the left symbol
    int32_t id;    // of the merged token

    // Whether `a` comes after `b`.
    static bool IsLater(const Candidate& a, const Candidate& b) {
      return std::tie(a.rank, a.left) > std::tie(b.rank, b.left);
    }
  };
  struct CachedWord {
    size_t begin;  // in cached_ids_
    size_t count;
  };

  absl::Status EncodeUncached(absl::string_view word, std::vector<int32_t>* ids);
  // Appends the single characters of `word`.
  absl::Status AppendCharacters(absl::string_view word, std::vector<int32_t>* ids) const;
  void PushCandidate(int32_t left, int32_t right);
  void MergeAll();

  const BpeModel& model_;
  absl::flat_hash_map<std::string, CachedWord> cache_;
  std::vector<int32_t> cached_ids_;
  std::vector<int32_t> characters_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> candidates_;  // a heap, the lowest rank first, then the leftmost
};

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_BPE_H_
