// A resource's name: one that is accepted is that of its id.
#include "common/status_macros.h"
#include "server/names.h"
#include "tests/fuzz/fuzz_target.h"

namespace sasq::testing {
namespace {

void Run(absl::string_view name) {
  const absl::StatusOr<std::string> job = ParseJobName(name);
  SASQ_CHECK(!job.ok() || JobName(*job) == name);
  const absl::StatusOr<ArtifactReference> artifact = ParseArtifactName(name);
  SASQ_CHECK(artifact.ok() || !job.ok());
  if (!artifact.ok()) return;
  SASQ_CHECK(artifact->by_job == job.ok());
  SASQ_CHECK((artifact->by_job ? JobName(artifact->id) : ArtifactName(artifact->id)) == name);
}

}  // namespace
}  // namespace sasq::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sasq::testing::Run(sasq::testing::TextOf(data, size));
  return 0;
}
