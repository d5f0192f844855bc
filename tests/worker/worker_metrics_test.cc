#include "worker/worker_metrics.h"

#include <gtest/gtest.h>

namespace sasq {
namespace {

v1::Progress At(v1::Stage stage, int64_t step, int64_t tokens) {
  v1::Progress progress;
  progress.set_stage(stage);
  progress.set_subject("sasq");
  progress.set_step(step);
  progress.set_token_count(tokens);
  if (stage == v1::STAGE_TRAIN) progress.set_loss(3.5);
  return progress;
}

TEST(WorkerMetricsTest, CountsStepsAndTokensByDifference) {
  MetricRegistry registry;
  WorkerMetrics metrics(&registry);
  metrics.Progressed({}, At(v1::STAGE_CALIBRATE, 2, 100));
  metrics.Progressed(At(v1::STAGE_CALIBRATE, 2, 100), At(v1::STAGE_TRAIN, 40, 100));  // resumed
  metrics.Progressed(At(v1::STAGE_TRAIN, 40, 100), At(v1::STAGE_TRAIN, 43, 300));
  EXPECT_EQ(registry.GetCounter("sasq_worker_training_steps_total", "").value(), 3);
  EXPECT_EQ(registry.GetCounter("sasq_worker_tokens_total", "").value(), 300);
  EXPECT_EQ(registry.GetGauge("sasq_worker_training_loss", "").value(), 3.5);
  EXPECT_GT(registry.GetGauge("sasq_worker_peak_memory_bytes", "").value(), 1 << 20);
}

TEST(WorkerMetricsTest, LabelsAreNamesOfEnumValues) {
  MetricRegistry registry;
  WorkerMetrics metrics(&registry);
  v1::ReportRow row;
  row.set_method(v1::METHOD_STATIC_MSE);
  row.set_first_token(v1::FIRST_TOKEN_FLOAT);
  row.set_perplexity(19.5);
  metrics.Measured(row);
  EXPECT_EQ(registry
                .GetGauge("sasq_worker_perplexity", "",
                          {{"method", "static_mse"}, {"first_token", "float"}})
                .value(),
            19.5);
  row.set_method(static_cast<v1::Method>(99));
  metrics.Measured(row);
  EXPECT_EQ(
      registry
          .GetGauge("sasq_worker_perplexity", "", {{"method", "other"}, {"first_token", "float"}})
          .value(),
      19.5);
  metrics.AddStageSeconds(v1::STAGE_TRAIN, 2);
  metrics.AddStageSeconds(v1::STAGE_TRAIN, 3);
  EXPECT_EQ(
      registry.GetCounter("sasq_worker_stage_seconds_total", "", {{"stage", "train"}}).value(), 5);
}

}  // namespace
}  // namespace sasq
