// A worker's checkpoint, as another attempt reads it: one that is accepted can be gone on from. The
// trainer's state in it is also tried by itself, with the checksum that belongs to the input.
#include "worker/task_checkpoint.h"

#include <google/protobuf/stubs/logging.h>

#include <string>

#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/train/training_checkpoint.h"
#include "tests/fuzz/fuzz_target.h"

namespace sasq::testing {
namespace {

constexpr size_t kSiteCount = 2;
constexpr size_t kChecksumLength = 32;

void ReadTask(absl::string_view bytes) {
  const absl::StatusOr<worker::v1::TaskCheckpoint> checkpoint =
      ReadTaskCheckpoint(bytes, worker::v1::TaskInputs(), kSiteCount);
  if (!checkpoint.ok()) return;
  for (const worker::v1::MeasuredRow& measured : checkpoint->measured_rows()) {
    SASQ_CHECK(measured.sites_size() <= static_cast<int>(kSiteCount));
    SASQ_CHECK(measured.other_texts_size() == measured.row().other_texts_size());
  }
  const absl::StatusOr<worker::v1::TaskCheckpoint> again =
      ReadTaskCheckpoint(checkpoint->SerializeAsString(), worker::v1::TaskInputs(), kSiteCount);
  SASQ_CHECK(again.ok());
}

void ReadTrainer(absl::string_view content) {
  std::string bytes(content);
  bytes.append(Sha256Hex(content), 0, kChecksumLength);
  const absl::StatusOr<TrainingState> state = ParseTrainingState(bytes);
  SASQ_CHECK(!state.ok() || SerializeTrainingState(*state) == bytes);
}

void Run(absl::string_view bytes) {
  const google::protobuf::LogSilencer silencer;
  ReadTask(bytes);
  ReadTrainer(bytes);
}

}  // namespace
}  // namespace sasq::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sasq::testing::Run(sasq::testing::TextOf(data, size));
  return 0;
}
