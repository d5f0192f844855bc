#include "quant/text/tokenizer_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/json.h"
#include "quant/format/model_error.h"
#include "quant/text/added_tokens.h"
#include "quant/text/bpe.h"
#include "quant/text/json_fields.h"
#include "quant/text/normalizer.h"
#include "quant/text/pre_tokenizer.h"
#include "quant/text/text_error.h"
#include "quant/text/unicode.h"

namespace sasq {
namespace {

using nlohmann::json;

constexpr int64_t kMaxFileBytes = 256 << 20;

// text > added tokens > normalizer > added tokens that match normalized text > pre-tokenizer > BPE.
class JsonTokenizer final : public Tokenizer {
 public:
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Parse(const json& root) {
    std::unique_ptr<JsonTokenizer> tokenizer(new JsonTokenizer());
    const json* model = FindField(root, "model");
    if (model == nullptr || !model->is_object()) return InvalidModel("\"model\" is missing");
    SASQ_ASSIGN_OR_RETURN(const std::string type, StringField(*model, "type", "BPE"));
    if (type != "BPE") {
      return UnsupportedModel(
          absl::StrCat("the tokenizer model ", type, " is not known; known is BPE"));
    }
    SASQ_ASSIGN_OR_RETURN(tokenizer->bpe_, BpeModel::Parse(*model));
    SASQ_ASSIGN_OR_RETURN(tokenizer->normalizer_, Normalizer::Parse(FindField(root, "normalizer")));
    SASQ_ASSIGN_OR_RETURN(tokenizer->pre_tokenizer_,
                          PreTokenizer::Parse(FindField(root, "pre_tokenizer")));
    SASQ_RETURN_IF_ERROR(tokenizer->ReadAddedTokens(root));
    return tokenizer;
  }

  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const override {
    if (const std::optional<size_t> offset = FindInvalidUtf8(text)) {
      return NotUtf8("the text", text, *offset);
    }
    std::vector<int32_t> ids;
    BpeEncoder encoder(*bpe_);
    SASQ_RETURN_IF_ERROR(raw_tokens_.ForEachPart(
        text, [&](absl::string_view part, std::optional<int32_t> id) -> absl::Status {
          if (!id) return EncodePart(part, part.data() == text.data(), &encoder, &ids);
          ids.push_back(*id);
          return absl::OkStatus();
        }));
    return ids;
  }

  std::string TokenText(int32_t id) const override {
    for (const AddedTokenFinder* tokens : {&raw_tokens_, &normalized_tokens_}) {
      std::string content = tokens->ContentOf(id);
      if (!content.empty()) return content;
    }
    return bpe_->TokenText(id);
  }

  int64_t vocab_size() const override { return int64_t{bpe_->largest_id()} + 1; }

 private:
  JsonTokenizer() = default;

  // Encodes text that holds no added token in its raw form.
  absl::Status EncodePart(absl::string_view part, bool at_start, BpeEncoder* encoder,
                          std::vector<int32_t>* ids) const {
    std::string storage;
    if (!normalizer_.is_identity()) {
      storage = normalizer_.Normalize(part);
      part = storage;
    }
    return normalized_tokens_.ForEachPart(
        part, [&](absl::string_view piece, std::optional<int32_t> id) -> absl::Status {
          if (id) {
            ids->push_back(*id);
            return absl::OkStatus();
          }
          return pre_tokenizer_.Split(
              {piece, at_start && piece.data() == part.data()},
              [&](const Piece& word) { return encoder->Encode(word.text, ids); });
        });
  }

  absl::Status ReadAddedTokens(const json& root) {
    const json* specs = FindField(root, "added_tokens");
    if (specs == nullptr) return absl::OkStatus();
    if (!specs->is_array()) return InvalidModel("\"added_tokens\" is not an array");
    for (const json& spec : *specs) {
      if (!spec.is_object()) return InvalidModel("\"added_tokens\" holds what is not an object");
      SASQ_RETURN_IF_ERROR(ReadAddedToken(spec));
    }
    return absl::OkStatus();
  }

  absl::Status ReadAddedToken(const json& spec) {
    AddedToken token;
    SASQ_ASSIGN_OR_RETURN(token.content, StringField(spec, "content"));
    if (token.content.empty()) return absl::OkStatus();  // matches nothing
    const json* id = FindField(spec, "id");
    SASQ_ASSIGN_OR_RETURN(token.id, TokenIdValue(id == nullptr ? json() : *id, token.content));
    SASQ_ASSIGN_OR_RETURN(token.single_word, BoolField(spec, "single_word", false));
    SASQ_ASSIGN_OR_RETURN(token.strip_left, BoolField(spec, "lstrip", false));
    SASQ_ASSIGN_OR_RETURN(token.strip_right, BoolField(spec, "rstrip", false));
    SASQ_ASSIGN_OR_RETURN(const bool normalized, BoolField(spec, "normalized", false));
    SASQ_RETURN_IF_ERROR(CheckAddedId(token));
    if (normalized) token.content = normalizer_.Normalize(token.content);
    (normalized ? normalized_tokens_ : raw_tokens_).Add(std::move(token));
    return absl::OkStatus();
  }

  // The tokenizers library does not believe the ids of added tokens: it takes the vocabulary's, or
  // counts on from its size. A file where the two differ means different ids to different readers.
  absl::Status CheckAddedId(const AddedToken& token) {
    std::optional<int32_t> expected = bpe_->FindToken(token.content);
    if (!expected) {
      const auto found = new_ids_.try_emplace(
          token.content, static_cast<int32_t>(bpe_->token_count() + new_ids_.size()));
      expected = found.first->second;
    }
    if (*expected == token.id) return absl::OkStatus();
    return InvalidModel(absl::StrCat("the added token \"", token.content, "\" has the id ",
                                     token.id, ", but the vocabulary makes it ", *expected));
  }

  std::unique_ptr<const BpeModel> bpe_;
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  AddedTokenFinder raw_tokens_;
  AddedTokenFinder normalized_tokens_;
  std::map<std::string, int32_t> new_ids_;  // of added tokens that are not in the vocabulary
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadTokenizerJson(const std::string& path) {
  SASQ_ASSIGN_OR_RETURN(const json root, ReadJsonObject(path, kMaxFileBytes));
  absl::StatusOr<std::unique_ptr<const Tokenizer>> tokenizer = JsonTokenizer::Parse(root);
  if (!tokenizer.ok()) return AtPath(tokenizer.status(), path);
  return tokenizer;
}

}  // namespace sasq
