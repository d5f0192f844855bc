// Prints what a model reads for a user's message: what chat_template_parity.py compares.
#include <cstdio>
#include <string>

#include "common/file.h"
#include "quant/text/chat_template.h"
#include "quant/text/text_source.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: sasq-chat-prompt MODEL_FOLDER MESSAGE_FILE\n");
    return 2;
  }
  const auto chat = sasq::ChatTemplate::LoadFromFolder(argv[1]);
  if (!chat.ok()) {
    std::fprintf(stderr, "%s\n", chat.status().ToString().c_str());
    return 1;
  }
  const auto message = sasq::ReadFile(argv[2], sasq::kMaxTextBytes);
  if (!message.ok()) {
    std::fprintf(stderr, "%s\n", message.status().ToString().c_str());
    return 1;
  }
  const std::string prompt = chat->Render(*message);
  std::fwrite(prompt.data(), 1, prompt.size(), stdout);
  return 0;
}
