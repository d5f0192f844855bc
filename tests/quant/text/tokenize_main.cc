// Prints the token ids of a text, one per line: what tokenizer_parity.py compares.
#include <cstdio>
#include <string>

#include "common/file.h"
#include "quant/text/text_source.h"
#include "quant/text/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: sasq-tokenize MODEL_FOLDER TEXT_FILE\n");
    return 2;
  }
  const auto tokenizer = sasq::Tokenizer::LoadFromFolder(argv[1]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.status().ToString().c_str());
    return 1;
  }
  const auto text = sasq::ReadFile(argv[2], sasq::kMaxTextBytes);
  if (!text.ok()) {
    std::fprintf(stderr, "%s\n", text.status().ToString().c_str());
    return 1;
  }
  const auto ids = (*tokenizer)->Encode(*text);
  if (!ids.ok()) {
    std::fprintf(stderr, "%s\n", ids.status().ToString().c_str());
    return 1;
  }
  for (const int32_t id : *ids) std::printf("%d\n", id);
  return 0;
}
