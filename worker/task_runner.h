// The seam between the worker's loop (leases, heartbeats, signals) and the work itself.
#ifndef SASQ_WORKER_TASK_RUNNER_H_
#define SASQ_WORKER_TASK_RUNNER_H_

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

// How good a measured row is, in words that metrics can have as labels: of few kinds each.
struct RowQuality {
  std::string model_family;  // the architecture, such as `llama`
  std::string dataset;       // a well-known evaluation text, such as `wikitext`, or `other`
  v1::Method method = v1::METHOD_UNSPECIFIED;
  // Perplexity over that of the float row on the same tokens, if that was measured before.
  std::optional<double> perplexity_ratio;
  // Share of calibration values beyond their scale's range: mean over static sites.
  std::optional<double> clipped_share;
};

// What a task has to tell while it runs. Thread-safe and quick: nothing here waits for the network.
class TaskObserver {
 public:
  virtual ~TaskObserver() = default;
  // How far the task is; replaces what was said before.
  virtual void OnProgress(const v1::Progress& progress) = 0;
  // A measured row of the comparison.
  virtual void OnRow(const v1::ReportRow& row) = 0;
  // The same row's quality.
  virtual void OnQuality(const RowQuality& quality) = 0;
  // Training met a number that is not finite.
  virtual void OnDivergence(v1::Method method) = 0;
  // A line for the job's log, without the newline.
  virtual void OnLog(absl::string_view line) = 0;
  // Where another attempt could go on from; replaces earlier ones. At most 1 MiB.
  virtual void OnCheckpoint(std::string checkpoint) = 0;
  // A scale pack with the scales of the latest training step; replaces earlier ones. At most 1 MiB.
  virtual void OnBestScales(std::string pack) = 0;
  // What the task computes (quant/reuse/content_key.h), once it is known.
  virtual void OnContentKey(std::string key) = 0;
};

// What a task that succeeded leaves.
struct TaskResult {
  std::vector<v1::ReportRow> rows;
  std::vector<dispatch::v1::ArtifactFile> files;
};

// The reason of a failure that is the device's and not the task's, after which this process can
// compute no more.
inline constexpr char kDeviceFaultReason[] = "DEVICE_FAULT";

// Does tasks. One thread: one task at a time.
class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  // Runs `task` to its end. Looks at `stop` often enough to return CANCELLED within two seconds of
  // a stop request. A failure's reason (ReasonOf, common/rpc_status.h) is the name of a
  // JobFailureReason without its prefix, such as INVALID_MODEL; without one it is INTERNAL.
  virtual absl::StatusOr<TaskResult> Run(const dispatch::v1::Task& task, TaskObserver& observer,
                                         std::stop_token stop) = 0;
};

}  // namespace sasq

#endif  // SASQ_WORKER_TASK_RUNNER_H_
