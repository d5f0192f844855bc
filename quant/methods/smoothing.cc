#include "quant/methods/smoothing.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/methods/smoothing_search.h"
#include "quant/model/model_builder.h"
#include "quant/model/model_parts.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

struct KindAlpha {
  SiteKind kind;
  double alpha;
};

// Divides what writes a site by `factors` [in_features].
void DivideWriter(SiteId site, const at::Tensor& factors, ModelBuilder& builder) {
  if (site.kind == SiteKind::kQkvIn) {
    builder.input_norm(site.layer).div_(factors);
  } else if (site.kind == SiteKind::kGateUpIn) {
    builder.post_attention_norm(site.layer).div_(factors);
  } else {
    SASQ_CHECK(site.kind == SiteKind::kDownIn);
    constexpr size_t kUp = 1;  // of gate, up
    const SiteId gate_up = {site.layer, SiteKind::kGateUpIn};
    builder.weights(gate_up)[kUp].div_(factors.unsqueeze(1));
    if (!builder.biases(gate_up).empty()) builder.biases(gate_up)[kUp].div_(factors);
  }
}

std::vector<float> ValuesOf(const at::Tensor& factors) {
  const at::Tensor values = factors.cpu();
  const float* begin = values.const_data_ptr<float>();
  return {begin, begin + values.numel()};
}

// `alphas` in the order of the sites of a layer, so that factors are those of the given weights.
absl::Status Fold(const ActivationStatistics& statistics, absl::Span<const KindAlpha> alphas,
                  const std::stop_token& stop, PreparedModel& prepared) {
  const at::NoGradGuard no_grad;
  ModelBuilder builder(prepared.model);
  for (int layer = 0; layer < prepared.model->config().layer_count; ++layer) {
    for (const auto& [kind, alpha] : alphas) {
      if (stop.stop_requested()) return absl::CancelledError("stopped while weights were smoothed");
      const SiteId site = {layer, kind};
      std::vector<at::Tensor>& weights = builder.weights(site);
      const at::Tensor factors = SmoothingFactors(
          statistics.sites[static_cast<size_t>(SiteIndex(site))], at::cat(weights, 0), alpha);
      for (at::Tensor& reader : weights) reader.mul_(factors);
      DivideWriter(site, factors, builder);
      prepared.smoothing_factors[site] = ValuesOf(factors);
    }
  }
  prepared.model = builder.Build();
  return absl::OkStatus();
}

std::string Note(const FoundAlpha& found) {
  return absl::StrFormat(
      "smoothing of %s: alpha %.1f had the least error of 0, 0.1 ... 1 with static absmax scales: "
      "%.3g%% of the outputs' energy, %.3g%% without smoothing",
      SiteKindName(found.kind), found.alpha, 100 * found.error, 100 * found.error_without);
}

}  // namespace

absl::StatusOr<PreparedModel> SmoothModel(const MethodInputs& inputs, PreparedModel prepared,
                                          const v1::Smoothing& smoothing) {
  if (smoothing.include_down() && prepared.model->parts().down_hadamard != nullptr) {
    return UnsupportedModel(
        "smoothing.include_down: a transform at run time stands between up_proj and down_proj, so "
        "that nothing can be folded into up_proj; leave it out, or use ROTATION_FOLDED");
  }
  SASQ_ASSIGN_OR_RETURN(const std::shared_ptr<const ActivationStatistics> statistics,
                        inputs.statistics(prepared));
  std::vector<SiteKind> kinds = {SiteKind::kQkvIn, SiteKind::kGateUpIn};
  if (smoothing.include_down()) kinds.push_back(SiteKind::kDownIn);
  std::vector<KindAlpha> alphas;
  if (smoothing.has_alpha()) {
    for (const SiteKind kind : kinds) alphas.push_back({kind, smoothing.alpha()});
  } else {
    SASQ_ASSIGN_OR_RETURN(
        const std::vector<FoundAlpha> found,
        SearchAlphas(prepared.model, *statistics, inputs.calibration_windows, kinds, inputs.stop));
    for (const FoundAlpha& best : found) {
      alphas.push_back({best.kind, best.alpha});
      prepared.notes.push_back(Note(best));
    }
  }
  SASQ_RETURN_IF_ERROR(
      CatchTorch([&] { return Fold(*statistics, alphas, inputs.stop, prepared); }));
  absl::StrAppend(
      &prepared.key, prepared.key.empty() ? "" : ", ", "smoothed by ",
      smoothing.has_alpha() ? absl::StrFormat("alpha %.17g", smoothing.alpha()) : "search",
      smoothing.include_down() ? " with down_in" : "");
  return prepared;
}

}  // namespace sasq
