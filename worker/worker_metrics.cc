#include "worker/worker_metrics.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "common/resource_usage.h"

namespace sasq {
namespace {

// `sasq` for METHOD_SASQ: an enum value's name without its prefix, in lower case. `other` for a
// number that is no value.
std::string Label(absl::string_view value_name, absl::string_view prefix) {
  if (value_name.empty()) return "other";
  return absl::AsciiStrToLower(absl::StripPrefix(value_name, prefix));
}

}  // namespace

WorkerMetrics::WorkerMetrics(MetricRegistry* registry)
    : registry_(*registry),
      connected_(registry->GetGauge(
          "sasq_worker_connected",
          "1 while the coordinator answers this worker and knows it, 0 otherwise.")),
      running_(registry->GetGauge("sasq_worker_tasks_running", "Tasks that run now: 0 or 1.")),
      heartbeats_(registry->GetCounter("sasq_worker_heartbeats_total", "Heartbeats sent.")),
      heartbeat_failures_(registry->GetCounter("sasq_worker_heartbeat_failures_total",
                                               "Heartbeats that got no answer or an error.")),
      dropped_log_bytes_(
          registry->GetCounter("sasq_worker_dropped_log_bytes_total",
                               "Bytes of job logs dropped while the coordinator was away.")),
      training_steps_(
          registry->GetCounter("sasq_worker_training_steps_total", "Training steps done.")),
      tokens_(registry->GetCounter("sasq_worker_tokens_total",
                                   "Tokens processed in calibration, training and evaluation.")),
      peak_memory_(registry->GetGauge("sasq_worker_peak_memory_bytes",
                                      "Largest resident memory of this process so far.")) {
  for (const char* outcome : {"succeeded", "failed", "cancelled", "handed_back", "lost"}) {
    TasksEnded(outcome);  // so that each is there, as 0, from the start
  }
  peak_memory_.Set(static_cast<double>(PeakMemoryBytes()));
}

MetricRegistry::Counter& WorkerMetrics::TasksEnded(absl::string_view outcome) {
  return registry_.GetCounter("sasq_worker_tasks_total", "Tasks ended, by outcome.",
                              {{"outcome", std::string(outcome)}});
}

void WorkerMetrics::SetConnected(bool connected) { connected_.Set(connected ? 1 : 0); }

void WorkerMetrics::CountHeartbeat(bool answered) {
  heartbeats_.Add(1);
  if (!answered) heartbeat_failures_.Add(1);
}

void WorkerMetrics::CountDroppedLogBytes(size_t bytes) {
  dropped_log_bytes_.Add(static_cast<double>(bytes));
}

void WorkerMetrics::TaskBegan() { running_.Set(1); }

void WorkerMetrics::TaskEnded(absl::string_view outcome) {
  running_.Set(0);
  TasksEnded(outcome).Add(1);
  peak_memory_.Set(static_cast<double>(PeakMemoryBytes()));
}

void WorkerMetrics::Progressed(const v1::Progress& before, const v1::Progress& now) {
  tokens_.Add(static_cast<double>(std::max<int64_t>(now.token_count() - before.token_count(), 0)));
  if (now.stage() == v1::STAGE_TRAIN) {
    // The first report of a stage may tell of steps that an earlier attempt did.
    const bool same_stage = before.stage() == now.stage() && before.subject() == now.subject();
    if (same_stage) {
      training_steps_.Add(static_cast<double>(std::max<int64_t>(now.step() - before.step(), 0)));
    }
    if (now.has_loss()) {
      registry_  // not there before there is one
          .GetGauge("sasq_worker_training_loss",
                    "Loss of the latest training step in nats per token.")
          .Set(now.loss());
    }
  }
  peak_memory_.Set(static_cast<double>(PeakMemoryBytes()));
}

void WorkerMetrics::AddStageSeconds(v1::Stage stage, double seconds) {
  registry_
      .GetCounter("sasq_worker_stage_seconds_total", "Wall time of tasks, by stage.",
                  {{"stage", Label(v1::Stage_Name(stage), "STAGE_")}})
      .Add(std::max(seconds, 0.0));
}

void WorkerMetrics::Measured(const v1::ReportRow& row) {
  registry_
      .GetGauge("sasq_worker_perplexity", "Perplexity of the latest evaluation, by method.",
                {{"method", Label(v1::Method_Name(row.method()), "METHOD_")},
                 {"first_token", Label(v1::FirstToken_Name(row.first_token()), "FIRST_TOKEN_")}})
      .Set(row.perplexity());
}

}  // namespace sasq
