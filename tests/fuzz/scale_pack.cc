// A scale pack: one that is accepted is written as it was read.
#include "quant/artifact/scale_pack.h"

#include "common/status_macros.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"

namespace sasq::testing {
namespace {

void Run(absl::string_view bytes) {
  const absl::StatusOr<ScalePack> pack = LoadScalePack(InputFile(bytes).path());
  if (!pack.ok()) return;
  const absl::StatusOr<std::string> written = SerializeScalePack(*pack);
  SASQ_CHECK(written.ok());
  const absl::StatusOr<ScalePack> again = LoadScalePack(InputFile(*written).path());
  SASQ_CHECK(again.ok() && *again == *pack);
}

}  // namespace
}  // namespace sasq::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sasq::testing::Run(sasq::testing::TextOf(data, size));
  return 0;
}
