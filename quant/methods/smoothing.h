// Outliers moved from activations into the weights that read them (SmoothQuant, arXiv 2211.10438,
// section 4, equations 3 and 4): x' = x / f and W' = W diag(f) with
// f_j = max|x_j|^alpha / max|W_j|^(1 - alpha), folded into what writes x.
#ifndef SASQ_QUANT_METHODS_SMOOTHING_H_
#define SASQ_QUANT_METHODS_SMOOTHING_H_

#include "absl/status/statusor.h"
#include "quant/methods/method.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// Folds `smoothing` into `prepared`, whose calibration it reads through `inputs.statistics`: qkv_in
// and gate_up_in into the norms before them, with include_down down_in into up_proj. Without an
// alpha, the one of least quantization error is searched for each kind of site; notes say what was
// found. Where down_proj has a transform at run time, include_down is UNSUPPORTED_MODEL.
absl::StatusOr<PreparedModel> SmoothModel(const MethodInputs& inputs, PreparedModel prepared,
                                          const v1::Smoothing& smoothing);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_SMOOTHING_H_
