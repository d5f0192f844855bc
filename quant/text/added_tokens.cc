#include "quant/text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "quant/text/unicode.h"

namespace sasq {

void AddedTokenFinder::Add(AddedToken token) {
  size_t node = 0;
  for (const char byte : token.content) {
    const auto [child, is_new] = nodes_[node].children.try_emplace(byte, nodes_.size());
    node = child->second;
    if (is_new) nodes_.emplace_back();
  }
  nodes_[node].token = tokens_.size();
  tokens_.push_back(std::move(token));
}

const AddedToken* AddedTokenFinder::FindPrefix(absl::string_view text) const {
  const AddedToken* longest = nullptr;
  const Node* node = &nodes_[0];
  for (const char byte : text) {
    const auto child = node->children.find(byte);
    if (child == node->children.end()) break;
    node = &nodes_[child->second];
    if (node->token) longest = &tokens_[*node->token];
  }
  return longest;
}

std::string AddedTokenFinder::ContentOf(int32_t id) const {
  for (const AddedToken& token : tokens_) {
    if (token.id == id) return token.content;
  }
  return "";
}

absl::Status AddedTokenFinder::ForEachPart(
    absl::string_view text,
    absl::FunctionRef<absl::Status(absl::string_view, std::optional<int32_t>)> on_part) const {
  size_t done = 0;  // what lies before was told
  for (size_t position = 0; position < text.size();) {
    const AddedToken* token = FindPrefix(text.substr(position));
    if (token == nullptr) {
      ++position;
      continue;
    }
    size_t begin = position;
    size_t end = begin + token->content.size();
    position = end;
    if (token->single_word && (EndsWithWordCharacter(text.substr(0, begin)) ||
                               StartsWithWordCharacter(text.substr(end)))) {
      continue;
    }
    if (token->strip_left) {
      begin = std::max(done, begin - TrailingWhitespaceBytes(text.substr(0, begin)));
    }
    if (token->strip_right) end += LeadingWhitespaceBytes(text.substr(end));
    if (done < begin) SASQ_RETURN_IF_ERROR(on_part(text.substr(done, begin - done), std::nullopt));
    begin = std::min(begin, end);
    SASQ_RETURN_IF_ERROR(on_part(text.substr(begin, end - begin), token->id));
    done = end;
  }
  if (done < text.size()) SASQ_RETURN_IF_ERROR(on_part(text.substr(done), std::nullopt));
  return absl::OkStatus();
}

}  // namespace sasq
