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
  const auto tokens = [&registry](const char* stage) {
    return registry.GetCounter("sasq_worker_tokens_total", "", {{"stage", stage}}).value();
  };
  EXPECT_EQ(tokens("calibrate"), 100);
  EXPECT_EQ(tokens("train"), 200);
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
  metrics.Diverged(v1::METHOD_SASQ);
  EXPECT_EQ(registry.GetCounter("sasq_worker_divergences_total", "", {{"method", "sasq"}}).value(),
            1);
  metrics.AddStageSeconds(v1::STAGE_TRAIN, 2);
  metrics.AddStageSeconds(v1::STAGE_TRAIN, 3);
  EXPECT_EQ(
      registry.GetCounter("sasq_worker_stage_seconds_total", "", {{"stage", "train"}}).value(), 5);
}

TEST(WorkerMetricsTest, TellsQualityAndCostOfARow) {
  MetricRegistry registry;
  WorkerMetrics metrics(&registry);
  metrics.Judged({"llama", "wikitext", v1::METHOD_SASQ, 1.25, 0.5});
  metrics.Judged({"llama", "wikitext", v1::METHOD_RTN_DYNAMIC, std::nullopt, std::nullopt});
  const MetricLabels labels = {
      {"model_family", "llama"}, {"dataset", "wikitext"}, {"method", "sasq"}};
  EXPECT_EQ(registry.GetGauge("sasq_worker_perplexity_ratio", "", labels).value(), 1.25);
  EXPECT_EQ(registry.GetGauge("sasq_worker_clipped_ratio", "", labels).value(), 0.5);
  v1::ReportRow row;
  row.set_method(v1::METHOD_SASQ);
  row.mutable_cost()->set_cpu_seconds(3);
  row.mutable_cost()->set_joules(7);
  metrics.Measured(row);
  metrics.Measured(row);
  const auto counted = [&registry](const char* name) {
    return registry.GetCounter(name, "", {{"method", "sasq"}}).value();
  };
  EXPECT_EQ(counted("sasq_worker_cpu_seconds_total"), 6);
  EXPECT_EQ(counted("sasq_worker_energy_joules_total"), 14);
}

}  // namespace
}  // namespace sasq
