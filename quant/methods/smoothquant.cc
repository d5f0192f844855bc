// smoothquant: outliers moved from activations into weights, channel by channel (Xiao et al., arXiv
// 2211.10438, section 4, equations 3 and 4), then round to nearest. Norms' gains are divided by the
// factors, the columns of q/k/v and gate/up multiplied; with include_down the rows of up_proj and
// the columns of down_proj too, which the paper leaves alone.
//
// Hyper-parameters (published): alpha 0.5, 0.75 for GLM-130B, 0.8 to 0.9 for LLaMA's relatives;
// here given, or searched for each kind of site. Activations: one scale per tensor from calibration
// (the paper's O3, with the absmax of all windows) or one per token at run time (O1).
#include <memory>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "quant/methods/methods.h"
#include "quant/methods/smoothing.h"

namespace sasq {
namespace {

class SmoothQuant final : public Method {
 public:
  explicit SmoothQuant(const v1::Recipe& recipe) : recipe_(recipe) {}

  absl::StatusOr<PreparedModel> PrepareModel(const MethodInputs& inputs) const override {
    SASQ_ASSIGN_OR_RETURN(PreparedModel prepared, Method::PrepareModel(inputs));
    return SmoothModel(inputs, std::move(prepared), recipe_.smoothing());
  }

  std::optional<SitePrecision> precision() const override {
    return recipe_.activations() == v1::ACTIVATIONS_DYNAMIC ? SitePrecision::kDynamic
                                                            : SitePrecision::kStatic;
  }

 private:
  const v1::Recipe recipe_;
};

}  // namespace

std::unique_ptr<const Method> MakeSmoothQuant(const v1::Recipe& recipe) {
  return std::make_unique<SmoothQuant>(recipe);
}

}  // namespace sasq
