#include "quant/text/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/quant/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using nlohmann::json;

// chat_template_parity.py compares whole templates with Jinja; here is what it cannot reach.

constexpr char kChatMl[] =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
constexpr char kInst[] = "{{ bos_token + '[INST] ' + messages[0].content + ' [/INST]' }}";

TEST(ChatTemplateTest, AFolderWithoutATemplateGivesThePlainMessage) {
  TemporaryFolder folder;
  const auto load = [&] { return ChatTemplate::LoadFromFolder(folder.path()); };
  for (const char* config : {"", "{}", R"({"chat_template": null, "bos_token": "<s>"})"}) {
    if (config[0] != '\0') folder.Write("tokenizer_config.json", config);
    ASSERT_TRUE(load().ok()) << load().status();
    EXPECT_EQ(load()->family(), ChatFamily::kNone);
    EXPECT_EQ(load()->Render(" Hello\n"), " Hello\n");
    EXPECT_EQ(load()->note(), "");
  }
}

TEST(ChatTemplateTest, AnUnknownTemplateGivesThePlainMessageAndANote) {
  for (const char* jinja :
       {"", "{{ messages[0].content }}", "{# <|im_start|> #}{{ messages[0].content }}",
        "{{ '<|user|>\\n' + messages[0].content + '<|end|>\\n<|assistant|>\\n' }}"}) {
    const ChatTemplate chat = ChatTemplate::Recognize(jinja, {"<s>", "</s>"});
    EXPECT_EQ(chat.family(), ChatFamily::kUnknown) << jinja;
    EXPECT_EQ(chat.Render(" Hello "), " Hello ");
    EXPECT_NE(chat.note(), "");
  }
}

TEST(ChatTemplateTest, ReadsWhatFoldersHold) {
  TemporaryFolder folder;
  const auto render = [&](const json& config) {
    folder.Write("tokenizer_config.json", config.dump());
    return ChatTemplate::LoadFromFolder(folder.path())->Render("Hi");
  };
  const std::string chatml = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(render({{"chat_template", kChatMl}, {"bos_token", "<s>"}}), chatml);
  EXPECT_EQ(render({{"chat_template", kInst}, {"bos_token", "<s>"}}), "<s>[INST] Hi [/INST]");
  EXPECT_EQ(render({{"chat_template", kInst}, {"bos_token", {{"content", "<b>"}}}}),
            "<b>[INST] Hi [/INST]");
  EXPECT_EQ(render({{"chat_template", kInst}}), "[INST] Hi [/INST]");
  const json several = {{{"name", "tool_use"}, {"template", kInst}},
                        {{"name", "default"}, {"template", kChatMl}}};
  EXPECT_EQ(render({{"chat_template", several}}), chatml);
  // A file of its own goes before.
  folder.Write("chat_template.jinja", kInst);
  EXPECT_EQ(render({{"chat_template", kChatMl}, {"bos_token", "<s>"}}), "<s>[INST] Hi [/INST]");
}

TEST(ChatTemplateTest, RefusesDamagedFiles) {
  TemporaryFolder folder;
  for (const char* config : {"{", R"({"chat_template": 3})", R"({"chat_template": []})",
                             R"({"chat_template": [{"name": "default"}]})"}) {
    folder.Write("tokenizer_config.json", config);
    EXPECT_TRUE(IsInvalid(ChatTemplate::LoadFromFolder(folder.path()), "INVALID_MODEL",
                          "tokenizer_config.json"))
        << config;
  }
}

TEST(ChatTemplateTest, TemplatesThatEndTooEarlyAreRead) {
  for (const char* jinja : {"{{ '<|im_start|>", "{{ '<|im_start|>\\", "{%", "{{", "{#", "{"}) {
    ChatTemplate::Recognize(jinja, {});
  }
}

}  // namespace
}  // namespace sasq
