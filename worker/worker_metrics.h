// The worker's metrics, at /metrics of its --metrics_address.
#ifndef SASQ_WORKER_WORKER_METRICS_H_
#define SASQ_WORKER_WORKER_METRICS_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "common/metrics.h"
#include "sasq/v1/job.pb.h"
#include "worker/task_runner.h"

namespace sasq {

// Thread-safe. Labels are bounded: names of enum values, and those of RowQuality.
class WorkerMetrics {
 public:
  // `registry` is borrowed.
  explicit WorkerMetrics(MetricRegistry* registry);

  void SetConnected(bool connected);
  void CountHeartbeat(bool answered);
  void CountDroppedLogBytes(size_t bytes);

  void TaskBegan();
  // `outcome`: `succeeded`, `failed`, `cancelled`, `handed_back` or `lost`.
  void TaskEnded(absl::string_view outcome);

  // `before`: what was reported last in the same task, or an empty message.
  void Progressed(const v1::Progress& before, const v1::Progress& now);
  void AddStageSeconds(v1::Stage stage, double seconds);
  void Measured(const v1::ReportRow& row);
  void Judged(const RowQuality& quality);
  void Diverged(v1::Method method);

 private:
  MetricRegistry::Counter& TasksEnded(absl::string_view outcome);
  MetricRegistry::Counter& Tokens(v1::Stage stage);
  MetricRegistry::Counter& CpuSeconds(v1::Method method);
  MetricRegistry::Counter& Operations(v1::Method method);
  MetricRegistry::Counter& Divergences(v1::Method method);

  MetricRegistry& registry_;
  MetricRegistry::Gauge& connected_;
  MetricRegistry::Gauge& running_;
  MetricRegistry::Counter& heartbeats_;
  MetricRegistry::Counter& heartbeat_failures_;
  MetricRegistry::Counter& dropped_log_bytes_;
  MetricRegistry::Counter& training_steps_;
  MetricRegistry::Gauge& peak_memory_;
};

}  // namespace sasq

#endif  // SASQ_WORKER_WORKER_METRICS_H_
