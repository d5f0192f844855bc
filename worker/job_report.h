// From an attempt's results to the files of the artifact.
#ifndef SASQ_WORKER_JOB_REPORT_H_
#define SASQ_WORKER_JOB_REPORT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "quant/artifact/report.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "sasq/v1/job_spec.pb.h"
#include "sasq/worker/v1/checkpoint.pb.h"
#include "worker/job_inputs.h"
#include "worker/quantize_task.h"

namespace sasq {

// The artifact's files. `state` holds every measured row, `trainings` what each trained row went
// through; `scales` are those of spec.recipe, in the order of Model::sites().
absl::StatusOr<std::vector<dispatch::v1::ArtifactFile>> MakeArtifactFiles(
    const v1::JobSpec& spec, const JobInputs& inputs, const worker::v1::TaskCheckpoint& state,
    std::vector<TrainingRecord> trainings, const std::vector<float>& scales,
    const QuantizeTaskOptions& options);

}  // namespace sasq

#endif  // SASQ_WORKER_JOB_REPORT_H_
