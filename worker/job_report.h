// From an attempt's results to the files of the artifact.
#ifndef SASQ_WORKER_JOB_REPORT_H_
#define SASQ_WORKER_JOB_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "sasq/v1/job_spec.pb.h"
#include "sasq/worker/v1/checkpoint.pb.h"
#include "worker/job_inputs.h"
#include "worker/quantize_task.h"

namespace sasq {

// A scale pack of `measured`'s sites and prefix, as the file of an artifact.
absl::StatusOr<std::string> MakeScalePackFile(const v1::JobSpec& spec, const JobInputs& inputs,
                                              const worker::v1::MeasuredRow& measured,
                                              const QuantizeTaskOptions& options);

// The artifact's files: with a recipe its scale pack, the report, and the manifest. `state` holds
// every measured row.
absl::StatusOr<std::vector<dispatch::v1::ArtifactFile>> MakeArtifactFiles(
    const v1::JobSpec& spec, const JobInputs& inputs, const worker::v1::TaskCheckpoint& state,
    const QuantizeTaskOptions& options);

}  // namespace sasq

#endif  // SASQ_WORKER_JOB_REPORT_H_
