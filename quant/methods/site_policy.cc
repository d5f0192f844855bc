#include "quant/methods/site_policy.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "quant/methods/static_scales.h"
#include "quant/model/forward.h"
#include "quant/model/model_parts.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/site_executor.h"

namespace sasq {
namespace {

// Sites whose cost is measured, and windows that measure it.
constexpr size_t kTriedSites = 24;
constexpr size_t kMeasuredWindows = 2;

bool IsStatic(const SiteRule& rule) { return rule.precision == SitePrecision::kStatic; }

double SiteFlops(const Model& model, size_t site) {
  const SiteLinears& linears = model.parts().linears[site];
  return static_cast<double>(linears.in_features) * static_cast<double>(linears.out_features);
}

double AllFlops(const Model& model) {
  double flops = 0;
  for (size_t site = 0; site < model.sites().size(); ++site) flops += SiteFlops(model, site);
  return flops;
}

absl::Status ApplyPattern(absl::string_view field, const std::string& pattern,
                          SitePrecision precision, const Model& model, QuantizationRules& rules) {
  bool matched = false;
  for (size_t i = 0; i < rules.sites.size(); ++i) {
    if (!MatchesPattern(pattern, SiteName(model.sites()[i]))) continue;
    rules.sites[i] = {precision, 0};
    matched = true;
  }
  if (matched) return absl::OkStatus();
  return WithReason(absl::InvalidArgumentError(
                        absl::StrCat("sites.", field, " has \"", pattern,
                                     "\", which is no site of this model; want names such as `",
                                     SiteName(model.sites().front()), "` or `",
                                     SiteName(model.sites().back()), "`, with `*` for any text")),
                    "INVALID_SPEC");
}

// Mean loss of some windows.
class LossMeter {
 public:
  LossMeter(const std::shared_ptr<const QuantizedWeights>& weights, const SiteSearch& search)
      : weights_(weights), search_(search), loss_(weights->model()) {}

  absl::StatusOr<double> Measure(const QuantizationRules& rules) {
    SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<SiteExecutor> executor,
                          MakeQuantizedExecutor(weights_, rules));
    SequenceLoss sum;
    const size_t count = std::min(kMeasuredWindows, search_.windows.size());
    for (const absl::Span<const int32_t> window : search_.windows.first(count)) {
      SASQ_ASSIGN_OR_RETURN(const at::Tensor hidden,
                            Forward(weights_->model(), window, *executor,
                                    {.past = search_.prefix, .stop = search_.stop}));
      SASQ_ASSIGN_OR_RETURN(
          const SequenceLoss loss,
          loss_.Compute(hidden, window, rules.leading_tokens_float ? 1 : 0, search_.stop));
      sum.sum_nats += loss.sum_nats;
      sum.count += loss.count;
    }
    return sum.sum_nats / static_cast<double>(sum.count);
  }

 private:
  const std::shared_ptr<const QuantizedWeights>& weights_;
  const SiteSearch& search_;
  NextTokenLoss loss_;
};

// Static sites, those with the worst expected error first. First tokens and the others are judged
// apart: beside an outlier's energy the error of all other values looks small.
std::vector<size_t> WorstSites(const SiteSearch& search, const QuantizationRules& rules) {
  std::vector<std::pair<double, size_t>> sites;
  for (size_t i = 0; i < rules.sites.size(); ++i) {
    if (!IsStatic(rules.sites[i])) continue;
    const QuantizationError error =
        ExpectedError(search.statistics->sites[i], rules.sites[i].scale, rules.activation_bits,
                      rules.leading_tokens_float);
    double noise = error.rest_noise_share;
    if (!rules.leading_tokens_float) noise = std::max(noise, error.first_noise_share);
    sites.push_back({-noise, i});
  }
  std::sort(sites.begin(), sites.end());
  std::vector<size_t> worst;
  for (const auto& [noise, site] : sites) worst.push_back(site);
  worst.resize(std::min(worst.size(), kTriedSites));
  return worst;
}

// Gives static sites that cost something `precision`, in their order, within the budget.
void Spend(const Model& model, absl::Span<const std::pair<double, size_t>> by_cost,
           SitePrecision precision, double max_flops, QuantizationRules& rules) {
  double budget = max_flops - FlopShare(model, rules, precision);
  for (const auto& [cost, site] : by_cost) {
    const double share = SiteFlops(model, site) / AllFlops(model);
    if (cost >= 0 || share > budget + 1e-9 || !IsStatic(rules.sites[site])) continue;
    rules.sites[site] = {precision, 0};
    budget -= share;
  }
}

}  // namespace

bool MatchesPattern(absl::string_view pattern, absl::string_view name) {
  const size_t star = pattern.find('*');
  if (star == absl::string_view::npos) return pattern == name;
  if (name.substr(0, star) != pattern.substr(0, star)) return false;
  for (size_t begin = star; begin <= name.size(); ++begin) {
    if (MatchesPattern(pattern.substr(star + 1), name.substr(begin))) return true;
  }
  return false;
}

absl::Status ApplyNamedSites(const v1::SitePolicy& policy, const Model& model,
                             QuantizationRules& rules) {
  for (const std::string& pattern : policy.dynamic_sites()) {
    SASQ_RETURN_IF_ERROR(
        ApplyPattern("dynamic_sites", pattern, SitePrecision::kDynamic, model, rules));
  }
  for (const std::string& pattern : policy.float_sites()) {
    SASQ_RETURN_IF_ERROR(ApplyPattern("float_sites", pattern, SitePrecision::kFloat, model, rules));
  }
  return absl::OkStatus();
}

double FlopShare(const Model& model, const QuantizationRules& rules, SitePrecision precision) {
  double flops = 0;
  for (size_t i = 0; i < rules.sites.size(); ++i) {
    if (rules.sites[i].precision == precision) flops += SiteFlops(model, i);
  }
  return flops / AllFlops(model);
}

absl::StatusOr<std::vector<std::optional<double>>> ApplyBudgets(
    const std::shared_ptr<const QuantizedWeights>& weights, const SiteSearch& search,
    QuantizationRules& rules) {
  const Model& model = weights->model();
  QuantizationRules all_float = rules;
  for (SiteRule& rule : all_float.sites) rule = {SitePrecision::kFloat, 0};
  LossMeter meter(weights, search);
  SASQ_ASSIGN_OR_RETURN(const double float_loss, meter.Measure(all_float));
  std::vector<std::optional<double>> costs(rules.sites.size());
  std::vector<std::pair<double, size_t>> by_cost;  // cost for its arithmetic, greatest first
  for (const size_t site : WorstSites(search, rules)) {
    QuantizationRules alone = all_float;
    alone.sites[site] = rules.sites[site];
    SASQ_ASSIGN_OR_RETURN(const double loss, meter.Measure(alone));
    costs[site] = std::isfinite(loss) ? loss - float_loss : HUGE_VAL;
    by_cost.push_back({-*costs[site] / SiteFlops(model, site), site});
  }
  std::sort(by_cost.begin(), by_cost.end());
  Spend(model, by_cost, SitePrecision::kFloat, search.max_float_flops, rules);
  Spend(model, by_cost, SitePrecision::kDynamic, search.max_dynamic_flops, rules);
  return costs;
}

}  // namespace sasq
