#include "quant/text/bpe.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/text/json_fields.h"
#include "quant/text/unicode.h"

namespace sasq {
namespace {

using nlohmann::json;

constexpr int32_t kRemoved = -1;
// Longer words seldom come twice.
constexpr size_t kMaxCachedWordBytes = 256;
constexpr size_t kMaxCachedWords = 1 << 18;

}  // namespace

absl::StatusOr<std::unique_ptr<const BpeModel>> BpeModel::Parse(const json& spec) {
  std::unique_ptr<BpeModel> model(new BpeModel());
  SASQ_RETURN_IF_ERROR(model->ReadVocab(spec));
  SASQ_RETURN_IF_ERROR(model->ReadOptions(spec));
  SASQ_RETURN_IF_ERROR(model->ReadMerges(spec));
  return model;
}

absl::Status BpeModel::ReadOptions(const json& spec) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    SASQ_ASSIGN_OR_RETURN(const std::string affix, StringField(spec, key, ""));
    if (!affix.empty()) {
      return UnsupportedModel(absl::StrCat("the BPE option ", key, " is \"", affix,
                                           "\", which this version does not know"));
    }
  }
  const json* dropout = FindField(spec, "dropout");
  if (dropout != nullptr && !(dropout->is_number() && dropout->get<double>() == 0)) {
    return UnsupportedModel("the BPE option dropout would make tokens random, want null or 0");
  }
  SASQ_ASSIGN_OR_RETURN(ignore_merges_, BoolField(spec, "ignore_merges", false));
  SASQ_ASSIGN_OR_RETURN(fuse_unknown_, BoolField(spec, "fuse_unk", false));
  if (FindField(spec, "unk_token") != nullptr) {
    SASQ_ASSIGN_OR_RETURN(unknown_token_, StringField(spec, "unk_token"));
  }
  SASQ_ASSIGN_OR_RETURN(const bool byte_fallback, BoolField(spec, "byte_fallback", false));
  if (byte_fallback) {
    byte_ids_.emplace();
    for (size_t byte = 0; byte < byte_ids_->size(); ++byte) {
      (*byte_ids_)[byte] = FindToken(absl::StrFormat("<0x%02X>", byte));
    }
  }
  return absl::OkStatus();
}

absl::Status BpeModel::ReadVocab(const json& spec) {
  const json* vocab = FindField(spec, "vocab");
  if (vocab == nullptr || !vocab->is_object() || vocab->empty()) {
    return InvalidModel("the BPE vocab is missing or empty, want an object of token to id");
  }
  vocab_.reserve(vocab->size());
  for (const auto& [token, value] : vocab->items()) {
    SASQ_ASSIGN_OR_RETURN(const int32_t id, TokenIdValue(value, token));
    vocab_.emplace(token, id);
    largest_id_ = std::max(largest_id_, id);
  }
  return absl::OkStatus();
}

absl::Status BpeModel::ReadMerges(const json& spec) {
  const json* merges = FindField(spec, "merges");
  if (merges == nullptr || !merges->is_array() || merges->size() > INT32_MAX) {
    return InvalidModel("the BPE merges are missing or malformed, want an array");
  }
  merges_.reserve(merges->size());
  int32_t rank = 0;
  for (const json& merge : *merges) {
    // Two spellings: "left right" and ["left", "right"].
    if (merge.is_string()) {
      const absl::string_view text = merge.get_ref<const std::string&>();
      if (absl::StartsWith(text, "#version")) continue;
      const std::vector<absl::string_view> parts = absl::StrSplit(text, ' ');
      if (parts.size() != 2) {
        return InvalidModel(
            absl::StrCat("BPE merge ", rank, " is \"", text, "\", want two tokens"));
      }
      SASQ_RETURN_IF_ERROR(AddMerge(parts[0], parts[1], rank));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      SASQ_RETURN_IF_ERROR(AddMerge(merge[0].get_ref<const std::string&>(),
                                    merge[1].get_ref<const std::string&>(), rank));
    } else {
      return InvalidModel(absl::StrCat("BPE merge ", rank, " is not a pair of tokens"));
    }
    ++rank;
  }
  return absl::OkStatus();
}

absl::Status BpeModel::AddMerge(absl::string_view left, absl::string_view right, int32_t rank) {
  const std::optional<int32_t> left_id = FindToken(left);
  const std::optional<int32_t> right_id = FindToken(right);
  const std::optional<int32_t> id = FindToken(absl::StrCat(left, right));
  if (!left_id || !right_id || !id) {
    return InvalidModel(absl::StrCat("BPE merge ", rank, " of \"", left, "\" and \"", right,
                                     "\" names a token that the vocabulary lacks"));
  }
  merges_[{*left_id, *right_id}] = {rank, *id};
  return absl::OkStatus();
}

std::string BpeModel::TokenText(int32_t id) const {
  for (const auto& [token, token_id] : vocab_) {
    if (token_id == id) return token;
  }
  return "";
}

std::optional<int32_t> BpeModel::FindToken(absl::string_view token) const {
  const auto found = vocab_.find(token);
  if (found == vocab_.end()) return std::nullopt;
  return found->second;
}

const BpeModel::Merge* BpeModel::FindMerge(int32_t left, int32_t right) const {
  const auto found = merges_.find({left, right});
  return found == merges_.end() ? nullptr : &found->second;
}

std::optional<std::vector<int32_t>> BpeModel::ByteTokens(absl::string_view character) const {
  if (!byte_ids_) return std::nullopt;
  std::vector<int32_t> ids;
  for (const char byte : character) {
    const std::optional<int32_t> id = (*byte_ids_)[static_cast<unsigned char>(byte)];
    if (!id) return std::nullopt;
    ids.push_back(*id);
  }
  return ids;
}

absl::Status BpeEncoder::Encode(absl::string_view word, std::vector<int32_t>* ids) {
  if (word.size() > kMaxCachedWordBytes) return EncodeUncached(word, ids);
  if (const auto found = cache_.find(word); found != cache_.end()) {
    const auto begin = cached_ids_.begin() + static_cast<ptrdiff_t>(found->second.begin);
    ids->insert(ids->end(), begin, begin + static_cast<ptrdiff_t>(found->second.count));
    return absl::OkStatus();
  }
  const size_t count_before = ids->size();
  SASQ_RETURN_IF_ERROR(EncodeUncached(word, ids));
  if (cache_.size() < kMaxCachedWords) {
    cache_[word] = {cached_ids_.size(), ids->size() - count_before};
    cached_ids_.insert(cached_ids_.end(), ids->begin() + static_cast<ptrdiff_t>(count_before),
                       ids->end());
  }
  return absl::OkStatus();
}

absl::Status BpeEncoder::EncodeUncached(absl::string_view word, std::vector<int32_t>* ids) {
  if (model_.ignore_merges()) {
    if (const std::optional<int32_t> id = model_.FindToken(word)) {
      ids->push_back(*id);
      return absl::OkStatus();
    }
  }
  characters_.clear();
  SASQ_RETURN_IF_ERROR(AppendCharacters(word, &characters_));
  const auto count = static_cast<int32_t>(characters_.size());
  symbols_.clear();
  for (int32_t i = 0; i < count; ++i) {
    symbols_.push_back({characters_[static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
  }
  MergeAll();
  for (const Symbol& symbol : symbols_) {
    if (symbol.id != kRemoved) ids->push_back(symbol.id);
  }
  return absl::OkStatus();
}

// An unknown token waits until a known character, another unknown one or the end, so that it comes
// behind the byte tokens between: that order is odd, but it is the tokenizers library's.
absl::Status BpeEncoder::AppendCharacters(absl::string_view word, std::vector<int32_t>* ids) const {
  constexpr int32_t kNone = -1;
  int32_t waiting = kNone;
  const auto flush = [&waiting, ids] {
    if (waiting != kNone) ids->push_back(waiting);
    waiting = kNone;
  };
  for (size_t end = 0; end < word.size();) {
    const size_t begin = end;
    DecodeUtf8(word, &end);
    const absl::string_view character = word.substr(begin, end - begin);
    if (const std::optional<int32_t> id = model_.FindToken(character)) {
      flush();
      ids->push_back(*id);
    } else if (const std::optional<std::vector<int32_t>> bytes = model_.ByteTokens(character)) {
      ids->insert(ids->end(), bytes->begin(), bytes->end());
    } else if (model_.unknown_token()) {
      if (!model_.fuse_unknown()) flush();
      const std::optional<int32_t> id_of_unknown = model_.FindToken(*model_.unknown_token());
      if (!id_of_unknown) {
        return InvalidModel(absl::StrCat("the text holds \"", character,
                                         "\", which is not in the vocabulary, and neither is the "
                                         "unknown token \"",
                                         *model_.unknown_token(), "\""));
      }
      waiting = *id_of_unknown;
    }
  }
  flush();
  return absl::OkStatus();
}

void BpeEncoder::PushCandidate(int32_t left, int32_t right) {
  const BpeModel::Merge* merge = model_.FindMerge(symbols_[static_cast<size_t>(left)].id,
                                                  symbols_[static_cast<size_t>(right)].id);
  if (merge == nullptr) return;
  candidates_.push_back({merge->rank, left, merge->id});
  std::push_heap(candidates_.begin(), candidates_.end(), Candidate::IsLater);
}

void BpeEncoder::MergeAll() {
  candidates_.clear();
  for (int32_t i = 0; i + 1 < static_cast<int32_t>(symbols_.size()); ++i) PushCandidate(i, i + 1);
  while (!candidates_.empty()) {
    std::pop_heap(candidates_.begin(), candidates_.end(), Candidate::IsLater);
    const Candidate candidate = candidates_.back();
    candidates_.pop_back();
    Symbol& left = symbols_[static_cast<size_t>(candidate.left)];
    if (left.id == kRemoved || left.next < 0) continue;
    Symbol& right = symbols_[static_cast<size_t>(left.next)];
    // Stale if the two no longer make the token. (Another pair that makes the same token does
    // merge, with the rank of the old one: so do PyPI's tokenizers, and their ids are the
    // contract.)
    const BpeModel::Merge* merge = model_.FindMerge(left.id, right.id);
    if (merge == nullptr || merge->id != candidate.id) continue;
    left.id = candidate.id;
    left.next = right.next;
    right.id = kRemoved;
    if (left.next >= 0) symbols_[static_cast<size_t>(left.next)].previous = candidate.left;
    if (left.previous >= 0) PushCandidate(left.previous, candidate.left);
    if (left.next >= 0) PushCandidate(candidate.left, left.next);
  }
}

}  // namespace sasq
