// A page token of ListJobs: one that is accepted holds the position of its states, and no other.
#include <vector>

#include "common/status_macros.h"
#include "server/names.h"
#include "tests/fuzz/fuzz_target.h"

namespace sasq::testing {
namespace {

void Run(absl::string_view token) {
  const std::vector<v1::JobState> some = {v1::JOB_STATE_RUNNING, v1::JOB_STATE_FAILED};
  const absl::StatusOr<int64_t> of_all = ParsePageToken(token, {});
  const absl::StatusOr<int64_t> of_some = ParsePageToken(token, some);
  SASQ_CHECK(!of_all.ok() || !of_some.ok());
  for (const absl::StatusOr<int64_t>& position : {of_all, of_some}) {
    if (!position.ok()) continue;
    SASQ_CHECK(*position > 0);
    const std::vector<v1::JobState> states = of_all.ok() ? std::vector<v1::JobState>() : some;
    const absl::StatusOr<int64_t> again = ParsePageToken(MakePageToken(*position, states), states);
    SASQ_CHECK(again.ok() && *again == *position);
  }
}

}  // namespace
}  // namespace sasq::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sasq::testing::Run(sasq::testing::TextOf(data, size));
  return 0;
}
