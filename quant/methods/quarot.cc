// quarot: outliers spread over all channels by randomized Hadamard rotations (QuaRot, Ashkboos et
// al., arXiv 2404.00456, section 4: the residual stream in stage 1a, the input of down_proj in 1b,
// the values in 1c, here within each head), then round to nearest. The rotations are folded into
// the weights, and the norms' gains into the linears behind them; the one before down_proj follows
// a product and runs with the model, unless the recipe folds only. Queries and keys are not rotated
// (1d): the KV cache is not quantized here.
//
// Hyper-parameters (published): one scale per token, of 0.9 of its absmax with 4 bits (of all of it
// here); symmetric weights per channel by round to nearest or GPTQ (round to nearest here); a
// random sign per channel of the residual stream. Static activations are this project's addition.
#include <memory>
#include <optional>

#include "quant/methods/methods.h"
#include "quant/methods/rotation.h"

namespace sasq {
namespace {

class QuaRot final : public Method {
 public:
  explicit QuaRot(const v1::Recipe& recipe) : recipe_(recipe) {}

  absl::StatusOr<PreparedModel> PrepareModel(const MethodInputs& inputs) const override {
    return RotateByHadamard(inputs, recipe_.rotation() != v1::ROTATION_FOLDED);
  }

  std::optional<SitePrecision> precision() const override {
    return recipe_.activations() == v1::ACTIVATIONS_STATIC ? SitePrecision::kStatic
                                                           : SitePrecision::kDynamic;
  }

 private:
  const v1::Recipe recipe_;
};

}  // namespace

std::unique_ptr<const Method> MakeQuaRot(const v1::Recipe& recipe) {
  return std::make_unique<QuaRot>(recipe);
}

}  // namespace sasq
