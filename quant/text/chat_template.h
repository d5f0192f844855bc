// How a message is put to an instruction-following model: what the Jinja template of its folder
// renders for one user message and the head of the answer. Templates are recognized, not run: the
// marks in their text tell the family, and a family writes one message in one way.
#ifndef SASQ_QUANT_TEXT_CHAT_TEMPLATE_H_
#define SASQ_QUANT_TEXT_CHAT_TEMPLATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

enum class ChatFamily {
  kNone,     // no template: a base model
  kUnknown,  // a template of no family below
  kChatMl,   // <|im_start|>: SmolLM2, Qwen; with the default system message if the template has one
  kLlama3,   // <|start_header_id|>; with the dated system message of 3.1 and later
  kInst,     // [INST]: Llama 2, Mistral
  kZephyr,   // <|user|>: Zephyr, TinyLlama
};

// Immutable, so thread-safe.
class ChatTemplate {
 public:
  // The tokens that templates know by name; empty where a model has none.
  struct SpecialTokens {
    std::string bos;
    std::string eos;
  };

  // Reads `folder`/chat_template.jinja or else the chat_template of tokenizer_config.json (of
  // several, the one named "default"). Neither there: kNone. INVALID_ARGUMENT (INVALID_MODEL) if a
  // file is damaged.
  static absl::StatusOr<ChatTemplate> LoadFromFolder(const std::string& folder);

  // Of a template's text.
  static ChatTemplate Recognize(absl::string_view jinja, const SpecialTokens& tokens);

  ChatFamily family() const { return family_; }
  // What apply_chat_template(tokenize=False, add_generation_prompt=True) of transformers gives for
  // one user message; kNone and kUnknown give the message itself. Tokenizer::Encode makes special
  // tokens of the marks. `message` is valid UTF-8.
  std::string Render(absl::string_view message) const;
  // What a reader has to know about the prompts; empty if nothing.
  std::string note() const;

 private:
  ChatTemplate() = default;

  ChatFamily family_ = ChatFamily::kNone;
  std::string before_;  // the message
  std::string after_;
  bool strips_ = false;  // white space at both ends of the message goes
};

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_CHAT_TEMPLATE_H_
