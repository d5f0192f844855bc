#include "quant/artifact/report.h"

#include <cmath>

#include "quant/artifact/provenance_json.h"

namespace sasq {
namespace {

using nlohmann::ordered_json;

// JSON has no infinity and no NaN.
ordered_json Number(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json Numbers(const std::vector<double>& values) {
  ordered_json array = ordered_json::array();
  for (double value : values) array.push_back(Number(value));
  return array;
}

ordered_json RowToJson(const Report& report, const ComparisonRow& row) {
  ordered_json json = {{"method", row.method},
                       {"first_token", row.first_token},
                       {"perplexity", Number(row.perplexity)}};
  if (!std::isfinite(row.perplexity)) {
    json["perplexity_note"] = std::isnan(row.perplexity)
                                  ? "not a number: the model's losses were not finite"
                                  : "infinite: the model collapsed beyond the range of a double";
  }
  const ComparisonRow* reference = FloatRowFor(report, row);
  json["perplexity_ratio"] =
      reference == nullptr ? ordered_json(nullptr) : Number(row.perplexity / reference->perplexity);
  json["windows"] = row.window_count;
  json["tokens"] = row.token_count;
  json["seconds"] = Number(row.evaluation_seconds);
  json["preparation_seconds"] = Number(row.preparation_seconds);
  json["window_mean_loss"] = Numbers(row.window_mean_loss);
  return json;
}

ordered_json TrainingToJson(const TrainingRecord& training) {
  ordered_json sites = ordered_json::array();
  for (const SiteTraining& site : training.sites) {
    sites.push_back({{"site", SiteName(site.site)},
                     {"initial_scale", Number(site.initial_scale)},
                     {"trained_scale", Number(site.trained_scale)}});
  }
  return {{"method", training.method},
          {"first_token", training.first_token},
          {"step_loss", Numbers(training.step_loss)},
          {"sites", std::move(sites)}};
}

ordered_json CostToJson(const Cost& cost) {
  ordered_json json = {{"wall_seconds", Number(cost.wall_seconds)},
                       {"cpu_seconds", Number(cost.cpu_seconds)},
                       {"flop_count", Number(cost.flop_count)}};
  if (cost.joules.has_value()) json["joules"] = Number(*cost.joules);
  json["peak_memory_bytes"] = cost.peak_memory_bytes;
  return json;
}

ordered_json SamplesToJson(const Samples& samples) {
  return {{"calibration_windows", samples.calibration_windows},
          {"calibration_tokens", samples.calibration_tokens},
          {"training_windows", samples.training_windows},
          {"training_tokens", samples.training_tokens},
          {"evaluation_windows", samples.evaluation_windows},
          {"evaluation_tokens", samples.evaluation_tokens}};
}

}  // namespace

const ComparisonRow* FloatRowFor(const Report& report, const ComparisonRow& row) {
  for (const ComparisonRow& candidate : report.rows) {
    if (candidate.method == "fp" && candidate.first_token == row.first_token &&
        candidate.token_count == row.token_count) {
      return &candidate;
    }
  }
  return nullptr;
}

std::string ReportJson(const Report& report) {
  ordered_json rows = ordered_json::array();
  for (const ComparisonRow& row : report.rows) rows.push_back(RowToJson(report, row));
  ordered_json trainings = ordered_json::array();
  for (const TrainingRecord& training : report.trainings) {
    trainings.push_back(TrainingToJson(training));
  }
  return JsonText({{"format_version", 1},
                   {"model", report.model},
                   {"dataset", report.dataset},
                   {"method", report.method},
                   {"first_token", report.first_token},
                   {"rows", std::move(rows)},
                   {"trainings", std::move(trainings)},
                   {"cost", CostToJson(report.cost)},
                   {"samples", SamplesToJson(report.samples)},
                   {"provenance", ProvenanceToJson(report.provenance)}});
}

}  // namespace sasq
