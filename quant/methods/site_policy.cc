#include "quant/methods/site_policy.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "quant/format/site_pattern.h"
#include "quant/methods/static_scales.h"
#include "quant/model/decoder.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "quant/model/model_parts.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/site_executor.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

// Windows that measure what a site costs, and how many sites are tried beside those of down_proj.
constexpr size_t kMeasuredWindows = 2;
constexpr size_t kTriedOthers = 8;

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

// The loss of the float model with one site quantized, less its own. What comes before the site's
// layer is computed once.
class CostMeter {
 public:
  CostMeter(const std::shared_ptr<const QuantizedWeights>& weights, const SiteSearch& search,
            const QuantizationRules& rules)
      : weights_(weights), search_(search), rules_(rules), loss_(weights->model()) {
    float_rules_ = rules;
    for (SiteRule& rule : float_rules_.sites) rule = {SitePrecision::kFloat, 0};
  }

  absl::Status Begin() {
    const size_t count = std::min(kMeasuredWindows, search_.windows.size());
    for (const absl::Span<const int32_t> tokens : search_.windows.first(count)) {
      Window& window = windows_.emplace_back(Window{tokens, MakeDecoder(tokens), {}});
      SASQ_ASSIGN_OR_RETURN(const at::Tensor hidden, window.decoder.Embed(tokens));
      window.layer_inputs.push_back(hidden);
    }
    SASQ_ASSIGN_OR_RETURN(float_loss_, Loss(float_rules_, 0, /*keep_inputs=*/true));
    return absl::OkStatus();
  }

  absl::StatusOr<double> Cost(size_t site) {
    QuantizationRules alone = float_rules_;
    alone.sites[site] = rules_.sites[site];
    SASQ_ASSIGN_OR_RETURN(const double loss, Loss(alone, weights_->model().sites()[site].layer,
                                                  /*keep_inputs=*/false));
    return std::isfinite(loss) ? loss - float_loss_ : HUGE_VAL;
  }

 private:
  struct Window {
    absl::Span<const int32_t> tokens;
    Decoder decoder;
    std::vector<at::Tensor> layer_inputs;  // of the float model
  };

  Decoder MakeDecoder(absl::Span<const int32_t> tokens) const {
    const int64_t past = search_.prefix == nullptr ? 0 : search_.prefix->token_count;
    return Decoder(weights_->model(),
                   {.token_count = static_cast<int64_t>(tokens.size()), .past_count = past},
                   past > 0 ? 0 : LeadingCopies(tokens));
  }

  // The mean loss with `rules`, which are float before `first_layer`.
  absl::StatusOr<double> Loss(const QuantizationRules& rules, int first_layer, bool keep_inputs) {
    const at::NoGradGuard no_grad;
    SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<SiteExecutor> executor,
                          MakeQuantizedExecutor(weights_, rules));
    SequenceLoss sum;
    for (Window& window : windows_) {
      at::Tensor hidden = window.layer_inputs[static_cast<size_t>(first_layer)];
      for (int layer = first_layer; layer < weights_->model().config().layer_count; ++layer) {
        LayerCache cache;
        if (search_.prefix != nullptr) {
          cache.past = &search_.prefix->layers[static_cast<size_t>(layer)];
        }
        SASQ_ASSIGN_OR_RETURN(
            hidden, window.decoder.RunLayer(layer, hidden, *executor, search_.stop, cache));
        if (keep_inputs) window.layer_inputs.push_back(hidden);
      }
      SASQ_ASSIGN_OR_RETURN(const SequenceLoss loss,
                            loss_.Compute(window.decoder.FinalNorm(hidden), window.tokens,
                                          rules.leading_tokens_float ? 1 : 0, search_.stop));
      sum.sum_nats += loss.sum_nats;
      sum.count += loss.count;
    }
    return sum.sum_nats / static_cast<double>(sum.count);
  }

  const std::shared_ptr<const QuantizedWeights>& weights_;
  const SiteSearch& search_;
  const QuantizationRules& rules_;
  QuantizationRules float_rules_;
  NextTokenLoss loss_;
  std::vector<Window> windows_;
  double float_loss_ = 0;
};

// The static sites that are tried: every input of down_proj, where massive activations live, and of
// the others those with the worst expected error.
std::vector<size_t> TriedSites(const Model& model, const SiteSearch& search,
                               const QuantizationRules& rules) {
  std::vector<size_t> tried;
  std::vector<std::pair<double, size_t>> others;
  for (size_t i = 0; i < rules.sites.size(); ++i) {
    if (!IsStatic(rules.sites[i])) continue;
    if (model.sites()[i].kind == SiteKind::kDownIn) {
      tried.push_back(i);
      continue;
    }
    const QuantizationError error =
        ExpectedError(search.statistics->sites[i], rules.sites[i].scale, rules.activation_bits,
                      rules.leading_tokens_float);
    others.push_back({-error.rest_noise_share, i});
  }
  std::sort(others.begin(), others.end());
  for (size_t i = 0; i < std::min(others.size(), kTriedOthers); ++i) {
    tried.push_back(others[i].second);
  }
  return tried;
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
  std::vector<std::optional<double>> costs(rules.sites.size());
  std::vector<std::pair<double, size_t>> by_cost;  // cost for its arithmetic, greatest first
  const absl::Status measured = CatchTorch([&]() -> absl::Status {
    CostMeter meter(weights, search, rules);
    SASQ_RETURN_IF_ERROR(meter.Begin());
    for (const size_t site : TriedSites(model, search, rules)) {
      SASQ_ASSIGN_OR_RETURN(costs[site], meter.Cost(site));
      by_cost.push_back({-*costs[site] / SiteFlops(model, site), site});
    }
    return absl::OkStatus();
  });
  SASQ_RETURN_IF_ERROR(measured);
  std::sort(by_cost.begin(), by_cost.end());
  Spend(model, by_cost, SitePrecision::kFloat, search.max_float_flops, rules);
  Spend(model, by_cost, SitePrecision::kDynamic, search.max_dynamic_flops, rules);
  return costs;
}

}  // namespace sasq
