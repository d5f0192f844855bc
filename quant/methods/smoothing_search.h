// The factors of a smoothing, and the search for its alpha. For the engine alone: whoever includes
// this includes LibTorch.
#ifndef SASQ_QUANT_METHODS_SMOOTHING_SEARCH_H_
#define SASQ_QUANT_METHODS_SMOOTHING_SEARCH_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/format/site.h"
#include "quant/methods/activation_statistics.h"
#include "quant/model/model.h"

namespace sasq {

// f_j = max|x_j|^alpha / max|W_j|^(1 - alpha) of each channel j of a site whose readers have the
// stacked `weights` [out_features, in_features]: float32 [in_features] on their device. Both maxima
// count as 1e-5 at least, so that f is finite and positive for channels that are always zero.
at::Tensor SmoothingFactors(const SiteStatistics& site, const at::Tensor& weights, double alpha);

// What the search found for one kind of site. Errors are squared errors of the outputs of its
// linears over the squares of the outputs, mean over layers.
struct FoundAlpha {
  SiteKind kind = SiteKind::kQkvIn;
  double alpha = 0;
  double error = 0;
  double error_without = 0;  // without smoothing
};

// The best of alpha = 0, 0.1 ... 1 for each of `kinds`, by trial: up to 128 tokens of each of the
// first two windows (evenly spaced, first tokens left out) go through the float model; at each
// site, INT8 weights with a scale per output channel meet activations with one static INT8 scale,
// the absmax of the statistics, and the outputs are compared with the float linears'. Each kind is
// tried as if it were the only one that is smoothed. `statistics` are those of `model`. Statuses as
// of Forward.
absl::StatusOr<std::vector<FoundAlpha>> SearchAlphas(
    const std::shared_ptr<const Model>& model, const ActivationStatistics& statistics,
    absl::Span<const absl::Span<const int32_t>> windows, absl::Span<const SiteKind> kinds,
    std::stop_token stop);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_SMOOTHING_SEARCH_H_
