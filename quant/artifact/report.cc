#include "quant/artifact/report.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "quant/artifact/provenance_json.h"
#include "quant/artifact/report_analysis.h"
#include "quant/artifact/report_words.h"

namespace sasq {
namespace {

using nlohmann::ordered_json;

// JSON has no infinity and no NaN.
ordered_json Number(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json Number(const std::optional<double>& value) {
  return value.has_value() ? Number(*value) : ordered_json(nullptr);
}

ordered_json Numbers(const std::vector<double>& values) {
  ordered_json array = ordered_json::array();
  for (double value : values) array.push_back(Number(value));
  return array;
}

ordered_json IntervalToJson(const std::optional<Interval>& interval) {
  if (!interval.has_value()) return nullptr;
  return ordered_json::array({Number(interval->low), Number(interval->high)});
}

// A perplexity of 0 stands for none.
void AddPerplexity(double perplexity, ordered_json& json) {
  json["perplexity"] = perplexity == 0 ? ordered_json(nullptr) : Number(perplexity);
  if (perplexity == 0) {
    json["perplexity_note"] = "not measured";
  } else if (std::isnan(perplexity)) {
    json["perplexity_note"] = "not a number: the model's losses were not finite";
  } else if (std::isinf(perplexity)) {
    json["perplexity_note"] = "infinite: the model collapsed beyond the range of a double";
  }
}

void AddText(const TextResult& text, const std::optional<double>& increase, ordered_json& json) {
  AddPerplexity(text.perplexity, json);
  json["perplexity_interval"] = IntervalToJson(text.interval);
  json["perplexity_ratio"] =
      increase.has_value() ? ordered_json(*increase + 1) : ordered_json(nullptr);
  json["windows"] = text.window_mean_loss.size();
  json["tokens"] = text.token_count;
  json["window_mean_loss"] = Numbers(text.window_mean_loss);
}

ordered_json DifferenceToJson(const std::optional<PairedDifference>& difference) {
  if (!difference.has_value()) return nullptr;
  return {{"mean_nats", Number(difference->mean_nats)},
          {"interval", IntervalToJson(difference->interval)},
          {"p_value", Number(difference->p_value)}};
}

ordered_json TasksToJson(const std::vector<TaskAccuracy>& tasks) {
  ordered_json array = ordered_json::array();
  for (const TaskAccuracy& task : tasks) {
    array.push_back({{"name", task.name},
                     {"questions", task.question_count},
                     {"accuracy", Number(task.accuracy)},
                     {"normalized_accuracy", Number(task.normalized_accuracy)}});
  }
  return array;
}

ordered_json GenerationToJson(const std::optional<GenerationResult>& generation) {
  if (!generation.has_value()) return nullptr;
  return {{"prompts", generation->prompt_count},
          {"tokens_until_divergence", Number(generation->tokens_until_divergence)},
          {"agreement", Number(generation->agreement)},
          {"repetition", Number(generation->repetition)}};
}

ordered_json RowCostToJson(const ReportAnalysis& analysis, const ComparisonRow& row) {
  const RowCost& cost = row.cost;
  const CostRatio ratio = CostAgainstLlmQat(analysis, row);
  ordered_json json = {{"wall_seconds", Number(cost.wall_seconds)},
                       {"cpu_seconds", Number(cost.cpu_seconds)},
                       {"flop_count", Number(cost.flop_count)},
                       {"training_token_count", cost.training_token_count},
                       {"training_flop_count", Number(cost.training_flop_count)},
                       {"training_cpu_seconds", Number(cost.training_cpu_seconds)},
                       {"cpu_per_token_of_llm_qat", Number(ratio.cpu_seconds)},
                       {"flops_per_token_of_llm_qat", Number(ratio.flops)},
                       {"peak_memory_bytes", cost.peak_memory_bytes}};
  if (cost.joules.has_value()) json["joules"] = Number(*cost.joules);
  json["trained_bytes"] = cost.trained_bytes;
  return json;
}

ordered_json SiteToJson(const SiteReport& site) {
  ordered_json json = {{"site", SiteName(site.site)}, {"precision", site.precision}};
  if (site.scale != 0) json["scale"] = Number(site.scale);
  if (site.initial_scale != 0) json["initial_scale"] = Number(site.initial_scale);
  json["clipped_share"] = Number(site.clipped_share);
  json["signal_to_noise_db"] = Number(site.signal_to_noise_db);
  json["gradient_share"] = Number(site.gradient_share);
  json["absmax"] = Number(site.absmax);
  json["absmax_without_first"] = Number(site.absmax_without_first);
  if (site.float_gain_nats.has_value()) json["float_gain_nats"] = Number(*site.float_gain_nats);
  if (!site.octave_counts.empty()) json["octave_counts"] = site.octave_counts;
  ordered_json outliers = ordered_json::array();
  for (const OutlierReport& outlier : site.outliers) {
    outliers.push_back({{"text", outlier.text},
                        {"position", outlier.position},
                        {"magnitude", Number(outlier.magnitude)}});
  }
  if (!outliers.empty()) json["outliers"] = std::move(outliers);
  return json;
}

ordered_json OtherTextsToJson(const RowAnalysis& row) {
  ordered_json texts = ordered_json::array();
  for (size_t i = 0; i < row.row->other_texts.size(); ++i) {
    ordered_json text = {{"name", row.row->other_texts[i].name}};
    AddText(row.row->other_texts[i], row.other_increases[i], text);
    texts.push_back(std::move(text));
  }
  return texts;
}

ordered_json RowToJson(const ReportAnalysis& analysis, const RowAnalysis& analyzed) {
  const ComparisonRow& row = *analyzed.row;
  ordered_json json = {{"name", row.name},
                       {"method", row.method},
                       {"first_token", row.first_token},
                       {"description", row.description},
                       {"activations", row.activations},
                       {"activation_bits", row.activation_bits},
                       {"weight_bits", row.weight_bits},
                       {"servable", row.servable},
                       {"failure", row.failure}};
  AddText(row.text, analyzed.increase, json);
  json["against_float"] = DifferenceToJson(analyzed.against_float);
  json["other_texts"] = OtherTextsToJson(analyzed);
  json["decode_perplexity"] = Number(row.decode_perplexity);
  json["kl_divergence"] = Number(row.kl_divergence);
  json["top1_agreement"] = Number(row.top1_agreement);
  json["kl_by_position"] = Numbers(row.kl_by_position);
  json["top1_by_position"] = Numbers(row.top1_by_position);
  json["tasks"] = TasksToJson(row.tasks);
  json["generation"] = GenerationToJson(row.generation);
  json["float_flop_share"] = Number(row.float_flop_share);
  json["dynamic_flop_share"] = Number(row.dynamic_flop_share);
  json["cost"] = RowCostToJson(analysis, row);
  json["seconds"] = Number(row.evaluation_seconds);
  json["preparation_seconds"] = Number(row.preparation_seconds);
  json["notes"] = row.notes;
  json["step_loss"] = Numbers(row.step_loss);
  ordered_json sites = ordered_json::array();
  for (const SiteReport& site : row.sites) sites.push_back(SiteToJson(site));
  json["sites"] = std::move(sites);
  return json;
}

ordered_json AdviceToJson(const ReportAnalysis& analysis) {
  const auto advice = [](const Advice& one) -> ordered_json {
    return {{"row", one.row == nullptr ? ordered_json(nullptr) : ordered_json(one.row->row->name)},
            {"words", one.sentences}};
  };
  return {{"serving", advice(ServingAdvice(analysis))},
          {"runtime", advice(RuntimeAdvice(analysis))},
          {"warnings", WarningWords(analysis)}};
}

ordered_json GatesToJson(const std::vector<GateVerdict>& gates) {
  ordered_json array = ordered_json::array();
  for (const GateVerdict& gate : gates) {
    array.push_back({{"gate", gate.gate},
                     {"text", gate.text},
                     {"value", Number(gate.value)},
                     {"bound", Number(gate.bound)},
                     {"passed", gate.passed},
                     {"words", gate.words}});
  }
  return array;
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

bool IsRejected(const Report& report) {
  return std::any_of(report.gates.begin(), report.gates.end(),
                     [](const GateVerdict& gate) { return !gate.passed; });
}

const ComparisonRow* FloatRowFor(const Report& report, const ComparisonRow& row) {
  for (const ComparisonRow& candidate : report.rows) {
    if (candidate.method == "fp" && candidate.first_token == row.first_token &&
        candidate.text.token_count == row.text.token_count) {
      return &candidate;
    }
  }
  return nullptr;
}

std::string ReportJson(const Report& report) {
  const ReportAnalysis analysis = Analyze(report);
  ordered_json rows = ordered_json::array();
  for (const RowAnalysis& row : analysis.rows) rows.push_back(RowToJson(analysis, row));
  return JsonText(
      {{"format_version", 2},
       {"kind", report.kind},
       {"model", report.model},
       {"dataset", report.dataset},
       {"recipe", report.recipe.empty() ? ordered_json(nullptr) : ordered_json(report.recipe)},
       {"rejected", IsRejected(report)},
       {"gates", GatesToJson(report.gates)},
       {"advice", AdviceToJson(analysis)},
       {"rows", std::move(rows)},
       {"cost", CostToJson(report.cost)},
       {"samples", SamplesToJson(report.samples)},
       {"provenance", ProvenanceToJson(report.provenance)}});
}

}  // namespace sasq
