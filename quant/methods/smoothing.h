// Outliers moved from activations into the weights that read them (SmoothQuant, arXiv 2211.10438,
// section 4, equations 3 and 4): x' = x / f and W' = W diag(f) with
// f_j = max|x_j|^alpha / max|W_j|^(1 - alpha), folded into what writes x.
//
// The maxima of x leave first tokens out: their massive activations would hide every other outlier
// of a channel. o_in is left alone, as in the paper's code: what writes it are the values, whose
// rows are shared by a group of query heads, so f could not be a channel's own.
#ifndef SASQ_QUANT_METHODS_SMOOTHING_H_
#define SASQ_QUANT_METHODS_SMOOTHING_H_

#include "absl/status/statusor.h"
#include "quant/methods/method.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// Folds `smoothing` into `prepared`, whose calibration it reads through `inputs.statistics`: qkv_in
// and gate_up_in into the norms before them, with include_down down_in into up_proj; the factors
// are kept in `smoothing_factors`. Without an alpha, the one of least quantization error is
// searched for each kind of site (smoothing_search.h); notes say what was found. Where down_proj
// has a transform at run time, include_down is UNSUPPORTED_MODEL. CANCELLED when asked to stop.
absl::StatusOr<PreparedModel> SmoothModel(const MethodInputs& inputs, PreparedModel prepared,
                                          const v1::Smoothing& smoothing);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_SMOOTHING_H_
