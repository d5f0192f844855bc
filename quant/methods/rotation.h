// Orthogonal rotations folded into a model's weights, which leave what it computes unchanged
// (QuaRot, arXiv 2404.00456, section 4; SliceGPT, arXiv 2401.15024, section 3 for the RMSNorm). For
// the engine alone: whoever includes this includes LibTorch.
#ifndef SASQ_QUANT_METHODS_ROTATION_H_
#define SASQ_QUANT_METHODS_ROTATION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/methods/method.h"
#include "quant/model/model.h"

namespace sasq {

// Rotations of one model, float64 on the CPU. They multiply row vectors from the right: h R1.
struct Rotations {
  at::Tensor residual;             // R1 [hidden_size, hidden_size], orthogonal
  std::vector<at::Tensor> values;  // R2 of each layer [head_dim, head_dim], shared by its heads
  bool online_down = false;        // a Hadamard transform before down_proj at run time
};

// R1 = D H / sqrt(n) with random signs D from `seed` and a Hadamard matrix H: channels get their
// signs before they are mixed, so that what a model's channels have in common does not add up in
// one of the new ones. R2 = H / sqrt(head_dim). UNSUPPORTED_MODEL that names the size of the model
// for which there is no Hadamard matrix.
absl::StatusOr<Rotations> HadamardRotations(const Model& model, bool online_down, uint64_t seed);

// `model` with the norms' gains folded into the linears behind them and `rotations` into every
// weight that reads or writes the residual stream, the values or (online_down) the input of
// down_proj, which must not have a transform yet. Computed in float64, kept in float32; gains
// become ones, the head gets weights of its own. UNSUPPORTED_MODEL for an intermediate_size without
// a Hadamard matrix; CANCELLED when asked to stop.
absl::StatusOr<std::shared_ptr<const Model>> RotateModel(const std::shared_ptr<const Model>& model,
                                                         const Rotations& rotations,
                                                         std::stop_token stop);

// Both, with the key that names the result.
absl::StatusOr<PreparedModel> RotateByHadamard(const MethodInputs& inputs, bool online_down);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_ROTATION_H_
