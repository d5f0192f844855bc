#include "worker/worker_metrics.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "common/resource_usage.h"

namespace sasq {
namespace {

// From no loss at all to a model that talks nonsense.
const std::vector<double>& RatioBounds() {
  static const auto& bounds = *new std::vector<double>{0.99, 1,   1.001, 1.002, 1.005, 1.01, 1.02,
                                                       1.05, 1.1, 1.2,   1.5,   2,     5,    10};
  return bounds;
}

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
      peak_memory_(registry->GetGauge("sasq_worker_peak_memory_bytes",
                                      "Largest resident memory of this process so far.")) {
  for (const char* outcome : {"succeeded", "failed", "cancelled", "handed_back", "lost"}) {
    TasksEnded(outcome);  // so that each is there, as 0, from the start
  }
  for (const v1::Stage stage : {v1::STAGE_CALIBRATE, v1::STAGE_TRAIN, v1::STAGE_EVALUATE}) {
    Tokens(stage);
  }
  for (int i = v1::Method_MIN + 1; i <= v1::Method_MAX; ++i) {
    const auto method = static_cast<v1::Method>(i);
    CpuSeconds(method);
    Operations(method);
    Divergences(method);
  }
  peak_memory_.Set(static_cast<double>(PeakMemoryBytes()));
}

MetricRegistry::Counter& WorkerMetrics::TasksEnded(absl::string_view outcome) {
  return registry_.GetCounter("sasq_worker_tasks_total", "Tasks ended, by outcome.",
                              {{"outcome", std::string(outcome)}});
}

MetricRegistry::Counter& WorkerMetrics::Tokens(v1::Stage stage) {
  return registry_.GetCounter("sasq_worker_tokens_total", "Tokens processed, by stage.",
                              {{"stage", Label(v1::Stage_Name(stage), "STAGE_")}});
}

MetricRegistry::Counter& WorkerMetrics::CpuSeconds(v1::Method method) {
  return registry_.GetCounter("sasq_worker_cpu_seconds_total",
                              "Processor time of measured rows, preparation included, by method.",
                              {{"method", Label(v1::Method_Name(method), "METHOD_")}});
}

MetricRegistry::Counter& WorkerMetrics::Operations(v1::Method method) {
  return registry_.GetCounter(
      "sasq_worker_operations_total",
      "Arithmetic of measured rows counted from shapes, a multiply-add is two, by method.",
      {{"method", Label(v1::Method_Name(method), "METHOD_")}});
}

MetricRegistry::Counter& WorkerMetrics::Divergences(v1::Method method) {
  return registry_.GetCounter(
      "sasq_worker_divergences_total",
      "Trainings that met a loss or a gradient that is not finite, by method.",
      {{"method", Label(v1::Method_Name(method), "METHOD_")}});
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
  Tokens(now.stage())
      .Add(static_cast<double>(std::max<int64_t>(now.token_count() - before.token_count(), 0)));
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
  const std::string method = Label(v1::Method_Name(row.method()), "METHOD_");
  registry_
      .GetGauge("sasq_worker_perplexity", "Perplexity of the latest evaluation, by method.",
                {{"method", method},
                 {"first_token", Label(v1::FirstToken_Name(row.first_token()), "FIRST_TOKEN_")}})
      .Set(row.perplexity());
  CpuSeconds(row.method()).Add(std::max(row.cost().cpu_seconds(), 0.0));
  Operations(row.method()).Add(std::max(row.cost().flop_count(), 0.0));
  if (!row.cost().has_joules()) return;  // not there where the machine cannot tell
  registry_
      .GetCounter("sasq_worker_energy_joules_total", "Energy of measured rows, by method.",
                  {{"method", method}})
      .Add(std::max(row.cost().joules(), 0.0));
}

void WorkerMetrics::Judged(const RowQuality& quality) {
  const MetricLabels labels = {{"model_family", quality.model_family},
                               {"dataset", quality.dataset},
                               {"method", Label(v1::Method_Name(quality.method), "METHOD_")}};
  if (quality.perplexity_ratio.has_value()) {
    registry_
        .GetGauge("sasq_worker_perplexity_ratio",
                  "Perplexity over that of the unquantized model on the same tokens, of the latest "
                  "evaluation.",
                  labels)
        .Set(*quality.perplexity_ratio);
    registry_
        .GetHistogram("sasq_worker_perplexity_ratios",
                      "Perplexity over that of the unquantized model on the same tokens, of all "
                      "evaluations.",
                      RatioBounds(), labels)
        .Observe(*quality.perplexity_ratio);
  }
  if (!quality.clipped_share.has_value()) return;
  registry_
      .GetGauge("sasq_worker_clipped_ratio",
                "Share of the calibration's activations beyond the range of their static scale, "
                "mean over sites, of the latest row.",
                labels)
      .Set(*quality.clipped_share);
}

void WorkerMetrics::Diverged(v1::Method method) { Divergences(method).Add(1); }

}  // namespace sasq
