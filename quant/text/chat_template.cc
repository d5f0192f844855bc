#include "quant/text/chat_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/format/json.h"
#include "quant/format/model_error.h"
#include "quant/text/json_fields.h"
#include "quant/text/unicode.h"

namespace sasq {
namespace {

using nlohmann::json;

constexpr int64_t kMaxConfigBytes = 10'000'000;

// The string literal at the start of `code`, which begins with its quote; its escapes are resolved
// and `code` goes on behind it.
std::string TakeLiteral(absl::string_view* code) {
  const char quote = code->front();
  std::string literal;
  size_t i = 1;
  for (; i < code->size() && (*code)[i] != quote; ++i) {
    char byte = (*code)[i];
    if (byte == '\\' && i + 1 < code->size()) {
      byte = (*code)[++i];
      if (byte == 'n') byte = '\n';
      if (byte == 't') byte = '\t';
    }
    literal += byte;
  }
  code->remove_prefix(std::min(i + 1, code->size()));
  return literal;
}

// The texts that a template can write: string literals inside {{ }} and {% %}, and what stands
// outside. Comments are left out.
std::vector<std::string> WritableTexts(absl::string_view jinja) {
  std::vector<std::string> texts;
  while (!jinja.empty()) {
    size_t tag = 0;
    while (tag < jinja.size() && !absl::StartsWith(jinja.substr(tag), "{{") &&
           !absl::StartsWith(jinja.substr(tag), "{%") &&
           !absl::StartsWith(jinja.substr(tag), "{#")) {
      ++tag;
    }
    if (tag > 0) texts.emplace_back(jinja.substr(0, tag));
    jinja.remove_prefix(tag);
    if (jinja.empty()) break;
    const std::string end = jinja[1] == '{' ? "}}" : jinja[1] == '%' ? "%}" : "#}";
    const bool is_comment = jinja[1] == '#';
    jinja.remove_prefix(2);
    while (!jinja.empty() && !absl::StartsWith(jinja, end)) {
      if (!is_comment && (jinja[0] == '\'' || jinja[0] == '"')) {
        texts.push_back(TakeLiteral(&jinja));
      } else {
        jinja.remove_prefix(1);
      }
    }
    jinja.remove_prefix(std::min(end.size(), jinja.size()));
  }
  return texts;
}

// What the marks of a template say.
class Marks {
 public:
  explicit Marks(absl::string_view jinja) : texts_(WritableTexts(jinja)) {}

  bool Has(absl::string_view mark) const {
    for (const std::string& text : texts_) {
      if (absl::StrContains(text, mark)) return true;
    }
    return false;
  }

  // The text, written as a whole, that holds a system message of ChatML; empty if there is none.
  std::string DefaultSystemMessage() const {
    for (const std::string& text : texts_) {
      if (absl::StartsWith(text, "<|im_start|>system\n") && absl::StrContains(text, "<|im_end|>")) {
        return text;
      }
    }
    return "";
  }

 private:
  const std::vector<std::string> texts_;
};

// Llama 3.1 and later. The date is the template's own default, not today's: prompts are the same
// on every day.
constexpr absl::string_view kLlama31Mark = "Cutting Knowledge Date: December 2023";
constexpr absl::string_view kLlama31System =
    "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
    "Today Date: 26 Jul 2024\n\n<|eot_id|>";

// Whether the template strips messages, by a method or a filter.
bool StripsMessages(absl::string_view jinja) {
  return absl::StrContains(jinja, ".strip()") || absl::StrContains(jinja, "|trim") ||
         absl::StrContains(jinja, "| trim");
}

// A token as tokenizer_config.json has it: a string, or an object with its content.
std::string TokenField(const json& config, absl::string_view key) {
  const json* value = FindField(config, key);
  if (value != nullptr && value->is_object()) value = FindField(*value, "content");
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

// The template in tokenizer_config.json; nothing if there is none.
absl::StatusOr<std::optional<std::string>> TemplateField(const json& config) {
  const json* value = FindField(config, "chat_template");
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  if (value->is_array()) {
    for (const json& named : *value) {
      if (named.is_object() && TokenField(named, "name") == "default") {
        SASQ_ASSIGN_OR_RETURN(std::string jinja, StringField(named, "template"));
        return jinja;
      }
    }
  }
  return InvalidModel(
      "\"chat_template\" is malformed, want a string or an array with a template named "
      "\"default\"");
}

// A file's content; nothing if it is not there.
absl::StatusOr<std::optional<std::string>> ReadIfPresent(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxConfigBytes);
  if (text.ok()) return *std::move(text);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  return ModelFileError(text.status());
}

}  // namespace

absl::StatusOr<ChatTemplate> ChatTemplate::LoadFromFolder(const std::string& folder) {
  const std::string config_path = absl::StrCat(folder, "/tokenizer_config.json");
  SASQ_ASSIGN_OR_RETURN(const std::optional<std::string> config_text, ReadIfPresent(config_path));
  SASQ_ASSIGN_OR_RETURN(std::optional<std::string> jinja,
                        ReadIfPresent(absl::StrCat(folder, "/chat_template.jinja")));
  SpecialTokens tokens;
  if (config_text) {
    SASQ_ASSIGN_OR_RETURN(const json config, ParseJsonObject(*config_text, config_path));
    tokens = {TokenField(config, "bos_token"), TokenField(config, "eos_token")};
    if (!jinja) {
      absl::StatusOr<std::optional<std::string>> field = TemplateField(config);
      if (!field.ok()) return AtPath(field.status(), config_path);
      jinja = *std::move(field);
    }
  }
  return jinja ? Recognize(*jinja, tokens) : ChatTemplate();
}

ChatTemplate ChatTemplate::Recognize(absl::string_view jinja, const SpecialTokens& tokens) {
  const Marks marks(jinja);
  ChatTemplate chat;
  if (absl::StrContains(jinja, "bos_token")) chat.before_ = tokens.bos;
  chat.strips_ = StripsMessages(jinja);
  if (marks.Has("<|im_start|>")) {
    chat.family_ = ChatFamily::kChatMl;
    absl::StrAppend(&chat.before_, marks.DefaultSystemMessage(), "<|im_start|>user\n");
    chat.after_ = "<|im_end|>\n<|im_start|>assistant\n";
  } else if (marks.Has("<|start_header_id|>")) {
    chat.family_ = ChatFamily::kLlama3;
    absl::StrAppend(&chat.before_, marks.Has(kLlama31Mark) ? kLlama31System : "",
                    "<|start_header_id|>user<|end_header_id|>\n\n");
    chat.after_ = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n";
  } else if (marks.Has("[INST]")) {
    chat.family_ = ChatFamily::kInst;
    absl::StrAppend(&chat.before_, marks.Has("[INST] ") ? "[INST] " : "[INST]");
    chat.after_ = marks.Has(" [/INST]") ? " [/INST]" : "[/INST]";
  } else if (marks.Has("<|user|>\n") && absl::StrContains(jinja, "eos_token")) {
    chat.family_ = ChatFamily::kZephyr;
    absl::StrAppend(&chat.before_, "<|user|>\n");
    chat.after_ = absl::StrCat(tokens.eos, "\n<|assistant|>\n");
  } else {
    chat = ChatTemplate();
    chat.family_ = ChatFamily::kUnknown;
  }
  return chat;
}

std::string ChatTemplate::Render(absl::string_view message) const {
  if (strips_) {
    message.remove_prefix(LeadingWhitespaceBytes(message));
    message.remove_suffix(TrailingWhitespaceBytes(message));
  }
  return absl::StrCat(before_, message, after_);
}

std::string ChatTemplate::note() const {
  if (family_ != ChatFamily::kUnknown) return "";
  return "the model's chat template is of no family that is known (ChatML, Llama 3, [INST], "
         "Zephyr): prompts are given to it as they are";
}

}  // namespace sasq
