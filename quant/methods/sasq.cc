// sasq: static activation scales trained end to end (SASQ, arXiv 2512.14481, section 3; the trainer
// is quant/train/scale_trainer.h). Weights are frozen; what the recipe asks for (a rotation,
// smoothing) is folded into them first. Hyper-parameters: TrainingOptions in job_spec.proto; the
// paper publishes Adam and a start from the mean of batch maxima, docs/method.md has what served
// best here.
#include <memory>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "quant/methods/methods.h"
#include "quant/methods/rotation.h"
#include "quant/methods/smoothing.h"

namespace sasq {
namespace {

class Sasq final : public Method {
 public:
  Sasq(const v1::Recipe& recipe, SitePrecision precision)
      : recipe_(recipe), precision_(precision) {}

  absl::StatusOr<PreparedModel> PrepareModel(const MethodInputs& inputs) const override {
    SASQ_ASSIGN_OR_RETURN(PreparedModel prepared, Method::PrepareModel(inputs));
    const v1::Rotation rotation = recipe_.rotation();
    if (rotation == v1::ROTATION_FOLDED || rotation == v1::ROTATION_ONLINE) {
      SASQ_ASSIGN_OR_RETURN(prepared, RotateByHadamard(inputs, rotation == v1::ROTATION_ONLINE));
    }
    if (!recipe_.has_smoothing()) return prepared;
    return SmoothModel(inputs, std::move(prepared), recipe_.smoothing());
  }

  std::optional<SitePrecision> precision() const override { return precision_; }
  bool trains_scales() const override { return true; }

 private:
  const v1::Recipe recipe_;
  const SitePrecision precision_;
};

}  // namespace

std::unique_ptr<const Method> MakeSasq(const v1::Recipe& recipe) {
  return std::make_unique<Sasq>(recipe, SitePrecision::kStatic);
}

// The control: the same training of the same clips, with nothing rounded.
std::unique_ptr<const Method> MakeFpClipped(const v1::Recipe& recipe) {
  return std::make_unique<Sasq>(recipe, SitePrecision::kClipped);
}

}  // namespace sasq
