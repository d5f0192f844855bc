// The added tokens of tokenizer.json: strings such as <|endoftext|> that become one token wherever
// they stand in a text, before anything else happens to it.
#ifndef SASQ_QUANT_TEXT_ADDED_TOKENS_H_
#define SASQ_QUANT_TEXT_ADDED_TOKENS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sasq {

struct AddedToken {
  int32_t id = 0;
  std::string content;       // not empty
  bool single_word = false;  // only where no word character touches it
  bool strip_left = false;   // takes the whitespace before it
  bool strip_right = false;  // takes the whitespace behind it
};

// Finds added tokens in a text. Thread-safe once filled.
class AddedTokenFinder {
 public:
  // Replaces an earlier token of the same content.
  void Add(AddedToken token);

  // Empty if there is none of this id.
  std::string ContentOf(int32_t id) const;

  // Calls `on_part` for the parts of `text` from left to right: added tokens with their id, the
  // text between them without. Where several tokens begin at one byte, the longest is found. Stops
  // at the first error and returns it. `text` is valid UTF-8.
  absl::Status ForEachPart(
      absl::string_view text,
      absl::FunctionRef<absl::Status(absl::string_view, std::optional<int32_t>)> on_part) const;

 private:
  struct Node {
    std::map<char, size_t> children;  // indices of nodes_
    std::optional<size_t> token;      // index of tokens_
  };

  // The longest token at the start of `text`.
  const AddedToken* FindPrefix(absl::string_view text) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_ = std::vector<Node>(1);  // a trie; the first is its root
};

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_ADDED_TOKENS_H_
