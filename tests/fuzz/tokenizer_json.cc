// A tokenizer.json: one that is accepted encodes any text.
#include "quant/text/tokenizer_json.h"

#include "common/status_macros.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"

namespace sasq::testing {
namespace {

constexpr absl::string_view kTexts[] = {
    "",
    "The cat's 3 hats, don't ask!\n\n  if (x == 10) { return 0.5; }",
    "  \t\xc3\xa9t\xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80 e\xcc\x81 "
    "<|endoftext|><s></s>",
};

void Run(absl::string_view json) {
  const InputFile file(json);
  const absl::StatusOr<std::unique_ptr<const Tokenizer>> tokenizer = LoadTokenizerJson(file.path());
  if (!tokenizer.ok()) return;
  for (const absl::string_view text : kTexts) {
    const absl::StatusOr<std::vector<int32_t>> ids = (*tokenizer)->Encode(text);
    if (!ids.ok()) continue;  // no token for a byte
    for (const int32_t id : *ids) {
      SASQ_CHECK(id >= 0);
      (*tokenizer)->TokenText(id);
    }
  }
  for (const int32_t id : {-1, 0, INT32_MAX}) (*tokenizer)->TokenText(id);
  SASQ_CHECK((*tokenizer)->vocab_size() >= 0);
}

}  // namespace
}  // namespace sasq::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sasq::testing::Run(sasq::testing::TextOf(data, size));
  return 0;
}
