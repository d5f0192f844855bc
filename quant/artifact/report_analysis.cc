#include "quant/artifact/report_analysis.h"

#include <algorithm>
#include <cmath>

#include "quant/artifact/confidence.h"

namespace sasq {
namespace {

bool IsFigure(double perplexity) { return std::isfinite(perplexity) && perplexity > 0; }

std::optional<double> Increase(double perplexity, double reference) {
  if (!IsFigure(perplexity) || !IsFigure(reference)) return std::nullopt;
  return perplexity / reference - 1;
}

RowAnalysis AnalyzeRow(const Report& report, const ComparisonRow& row) {
  RowAnalysis result;
  result.row = &row;
  result.reference = FloatRowFor(report, row);
  result.measured = row.text.perplexity != 0;
  result.collapsed = result.measured && !IsFigure(row.text.perplexity);
  result.other_increases.resize(row.other_texts.size());
  if (result.reference == nullptr || !result.measured) return result;

  const TextResult& text = row.text;
  const TextResult& reference = result.reference->text;
  result.increase = Increase(text.perplexity, reference.perplexity);
  result.collapsed |= result.increase.has_value() && *result.increase + 1 > kCollapsedRatio;
  if (&row != result.reference && !text.window_mean_loss.empty() &&
      text.window_mean_loss.size() == reference.window_mean_loss.size()) {
    result.against_float = ComparePaired(text.window_mean_loss, reference.window_mean_loss);
  }
  bool all_texts = result.increase.has_value();
  double sum = all_texts ? std::log1p(*result.increase) : 0;
  int count = 1;
  for (size_t i = 0; i < row.other_texts.size(); ++i) {
    const TextResult& other = row.other_texts[i];
    for (const TextResult& candidate : result.reference->other_texts) {
      if (candidate.name != other.name) continue;
      result.other_increases[i] = Increase(other.perplexity, candidate.perplexity);
      all_texts &= result.other_increases[i].has_value();
      if (all_texts) sum += std::log1p(*result.other_increases[i]);
      ++count;
    }
  }
  if (all_texts) result.score = sum / count;
  return result;
}

// Whether a row can be recommended: quantized, whole, and usable.
bool IsCandidate(const RowAnalysis& row) {
  return row.row->activations != "float" && row.row->failure.empty() && row.score.has_value() &&
         !row.collapsed;
}

// The lowest score; static scales win what is as good as a tie.
const RowAnalysis* Best(const std::vector<RowAnalysis>& rows, bool servable_only) {
  const RowAnalysis* best = nullptr;
  const RowAnalysis* best_static = nullptr;
  for (const RowAnalysis& row : rows) {
    if (!IsCandidate(row) || (servable_only && !row.row->servable)) continue;
    if (best == nullptr || *row.score < *best->score) best = &row;
    if (row.row->activations != "static") continue;
    if (best_static == nullptr || *row.score < *best_static->score) best_static = &row;
  }
  if (best_static != nullptr && *best_static->score < *best->score + kTieNats) return best_static;
  return best;
}

// A row's loss in each window over that of its float row.
std::vector<double> ExcessLosses(const RowAnalysis& row) {
  std::vector<double> losses = row.row->text.window_mean_loss;
  const std::vector<double>& reference = row.reference->text.window_mean_loss;
  if (losses.size() != reference.size()) return {};
  for (size_t i = 0; i < losses.size(); ++i) losses[i] -= reference[i];
  return losses;
}

double ScaleRatio(const SiteReport& site) {
  return static_cast<double>(site.scale) / site.initial_scale;
}

bool IsTrained(const SiteReport& site) {
  return site.initial_scale > 0 && std::isfinite(ScaleRatio(site)) && ScaleRatio(site) > 0;
}

void FindMassive(const std::vector<SiteReport>& sites, TrainingAnalysis& result) {
  constexpr double kMassive = 20;
  if (sites.empty()) return;
  std::vector<float> sizes;
  sizes.reserve(sites.size());
  for (const SiteReport& site : sites) sizes.push_back(site.absmax);
  std::nth_element(sizes.begin(), sizes.begin() + sizes.size() / 2, sizes.end());
  const float median = sizes[sizes.size() / 2];
  if (median <= 0) return;
  for (size_t i = 0; i < sites.size(); ++i) {
    if (!(sites[i].absmax > kMassive * median)) continue;
    result.massive.push_back(i);
    if (sites[i].absmax_without_first < sites[i].absmax / 4) ++result.massive_at_first_token;
  }
  std::stable_sort(result.massive.begin(), result.massive.end(),
                   [&](size_t a, size_t b) { return sites[a].absmax > sites[b].absmax; });
}

}  // namespace

ReportAnalysis Analyze(const Report& report) {
  ReportAnalysis analysis;
  for (const ComparisonRow& row : report.rows) analysis.rows.push_back(AnalyzeRow(report, row));
  for (const RowAnalysis& row : analysis.rows) {
    if (!report.recipe.empty() && row.row->name == report.recipe) analysis.chosen = &row;
  }
  analysis.best_servable = Best(analysis.rows, /*servable_only=*/true);
  analysis.best = Best(analysis.rows, /*servable_only=*/false);
  return analysis;
}

std::optional<double> MeanOtherIncrease(const RowAnalysis& row) {
  double sum = 0;
  int count = 0;
  for (const std::optional<double>& increase : row.other_increases) {
    if (!increase.has_value()) continue;
    sum += std::log1p(*increase);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return std::expm1(sum / count);
}

const RowAnalysis* FindMethod(const ReportAnalysis& analysis, absl::string_view method,
                              absl::string_view first_token) {
  const RowAnalysis* found = nullptr;
  int widest = 0;
  for (const RowAnalysis& row : analysis.rows) {
    if (!row.measured || row.row->method != method || row.row->first_token != first_token) continue;
    const int bits = row.row->activation_bits + row.row->weight_bits;
    if (bits > widest) found = &row;
    widest = std::max(widest, bits);
  }
  return found;
}

const RowAnalysis* DynamicRowFor(const ReportAnalysis& analysis, const RowAnalysis& row) {
  const RowAnalysis* dynamic = FindMethod(analysis, "rtn_dynamic", row.row->first_token);
  for (const char* first_token : {"quantized", "float", "prefix"}) {
    if (dynamic == nullptr) dynamic = FindMethod(analysis, "rtn_dynamic", first_token);
  }
  return dynamic == &row ? nullptr : dynamic;
}

const RowAnalysis* BestUntrained(const ReportAnalysis& analysis, const RowAnalysis& row) {
  const RowAnalysis* best = nullptr;
  for (const char* method : {"static_mse", "static_absmax", "static_percentile"}) {
    const RowAnalysis* candidate = FindMethod(analysis, method, row.row->first_token);
    if (candidate == nullptr || !candidate->increase.has_value()) continue;
    if (best == nullptr || *candidate->increase < *best->increase) best = candidate;
  }
  return best;
}

std::optional<PairedDifference> CompareRows(const RowAnalysis& row, const RowAnalysis& other) {
  if (row.reference == nullptr || other.reference == nullptr) return std::nullopt;
  const std::vector<double> losses = ExcessLosses(row);
  const std::vector<double> other_losses = ExcessLosses(other);
  if (losses.empty() || losses.size() != other_losses.size()) return std::nullopt;
  return ComparePaired(losses, other_losses);
}

bool HasTrainedScales(const ComparisonRow& row) {
  return !row.step_loss.empty() && std::any_of(row.sites.begin(), row.sites.end(), IsTrained);
}

TrainingAnalysis AnalyzeTraining(const ReportAnalysis& analysis, const RowAnalysis& row) {
  constexpr double kMost = 0.9;
  const std::vector<SiteReport>& sites = row.row->sites;
  TrainingAnalysis result;
  for (size_t i = 0; i < sites.size(); ++i) {
    if (!IsTrained(sites[i])) continue;
    ++result.trained_count;
    result.by_gradient.push_back(i);
    const double ratio = ScaleRatio(sites[i]);
    if (ratio > 2 || ratio < 0.5) ++result.moved_count;
    if (ratio < 0.5) ++result.lowered_count;
  }
  result.by_movement = result.by_gradient;
  const auto distance = [&](size_t i) { return std::abs(std::log(ScaleRatio(sites[i]))); };
  std::stable_sort(result.by_movement.begin(), result.by_movement.end(),
                   [&](size_t a, size_t b) { return distance(a) > distance(b); });
  std::stable_sort(result.by_gradient.begin(), result.by_gradient.end(), [&](size_t a, size_t b) {
    return sites[a].gradient_share > sites[b].gradient_share;
  });
  double total = 0;
  for (size_t i : result.by_gradient) total += sites[i].gradient_share;
  double sum = 0;
  for (size_t i = 0; i < result.by_gradient.size(); ++i) {
    if (sum < kMost * total) result.sites_for_most = i + 1;
    sum += sites[result.by_gradient[i]].gradient_share;
    if (i < 5) result.top_five_share = sum;
  }
  FindMassive(sites, result);

  const RowAnalysis* untrained = BestUntrained(analysis, row);
  if (untrained != nullptr && row.increase.has_value() && *untrained->increase > 0) {
    result.recovered = 1 - std::log1p(*row.increase) / std::log1p(*untrained->increase);
  }
  return result;
}

std::vector<size_t> InterestingSites(const TrainingAnalysis& training, size_t limit) {
  std::vector<size_t> sites;
  const auto add = [&](size_t site) {
    if (sites.size() < limit && std::find(sites.begin(), sites.end(), site) == sites.end()) {
      sites.push_back(site);
    }
  };
  for (size_t i = 0; i < training.by_gradient.size() && sites.size() < limit; ++i) {
    add(training.by_gradient[i]);
    add(training.by_movement[i]);
  }
  return sites;
}

}  // namespace sasq
