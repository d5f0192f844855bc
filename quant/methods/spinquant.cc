// spinquant: learned rotations (SpinQuant, Liu et al., arXiv 2405.16406). The residual stream is
// rotated by R1 and the values of each layer by R2 (section 3.1, figure 1), both folded into the
// weights; with ROTATION_ONLINE a fixed Hadamard transform stands before down_proj at run time (the
// paper's R4; R3, of the KV cache, has nothing to do here). R1 and R2 start as random and plain
// Hadamard matrices and are learned by Cayley SGD on the cross entropy of the network with
// quantized activations and float weights (section 3.2; quant/methods/rotation_trainer.h).
// Activations are rounded per token while rotations are learned, also where the model gets static
// scales.
//
// Published hyper-parameters: learning rate 1.5 that falls linearly to 0, no momentum, 100
// iterations of 8 sequences of 2,048 tokens of WikiText-2. TrainingOptions has the same learning
// rate and, by default, 30 steps of one window of 256 tokens.
#include <ATen/ops/eye.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/resource_usage.h"
#include "common/status_macros.h"
#include "quant/methods/methods.h"
#include "quant/methods/rotation.h"
#include "quant/methods/rotation_trainer.h"

namespace sasq {
namespace {

// Rotations that do nothing: with them RotateModel folds the norms' gains and the transform before
// down_proj, and nothing else.
Rotations Identities(const Rotations& like) {
  Rotations identities;
  identities.residual = at::eye(like.residual.size(0), like.residual.options());
  for (const at::Tensor& rotation : like.values) {
    identities.values.push_back(at::eye(rotation.size(0), rotation.options()));
  }
  identities.online_down = like.online_down;
  return identities;
}

class SpinQuant final : public Method {
 public:
  explicit SpinQuant(const v1::Recipe& recipe) : recipe_(recipe) {}

  absl::StatusOr<PreparedModel> PrepareModel(const MethodInputs& inputs) const override {
    const bool online_down = recipe_.rotation() != v1::ROTATION_FOLDED;
    const double cpu_seconds_before = ProcessCpuSeconds();
    SASQ_ASSIGN_OR_RETURN(Rotations rotations,
                          HadamardRotations(*inputs.model, online_down, inputs.seed));
    PreparedModel prepared;
    SASQ_ASSIGN_OR_RETURN(rotations, Learn(inputs, std::move(rotations), prepared.bill));
    SASQ_ASSIGN_OR_RETURN(prepared.model, RotateModel(inputs.model, rotations, inputs.stop));
    prepared.key = Key(inputs.seed, online_down);
    prepared.bill.cpu_seconds = ProcessCpuSeconds() - cpu_seconds_before;
    prepared.bill.trained_bytes = static_cast<int64_t>(rotations.residual.numel() * sizeof(float));
    for (const at::Tensor& rotation : rotations.values) {
      prepared.bill.trained_bytes += static_cast<int64_t>(rotation.numel() * sizeof(float));
    }
    prepared.notes.push_back(
        absl::StrFormat("R1 and %d matrices R2 learned in %d Cayley steps: loss %.4f at the first, "
                        "%.4f at the last",
                        rotations.values.size(), prepared.bill.step_losses.size(),
                        prepared.bill.step_losses.front(), prepared.bill.step_losses.back()));
    return prepared;
  }

  std::optional<SitePrecision> precision() const override {
    return recipe_.activations() == v1::ACTIVATIONS_STATIC ? SitePrecision::kStatic
                                                           : SitePrecision::kDynamic;
  }

 private:
  RotationTrainerOptions TrainerOptions() const {
    RotationTrainerOptions options;
    options.step_count = recipe_.training().step_count();
    options.learning_rate = recipe_.training().learning_rate();
    options.warmup_step_count = recipe_.training().warmup_step_count();
    if (recipe_.activation_bits() != 0) options.activation_bits = recipe_.activation_bits();
    // A prefix takes the first token's place: what it spares the rest is not learned around either.
    options.leading_tokens_float = recipe_.first_token() == v1::FIRST_TOKEN_FLOAT ||
                                   recipe_.first_token() == v1::FIRST_TOKEN_PREFIX;
    return options;
  }

  absl::StatusOr<Rotations> Learn(const MethodInputs& inputs, Rotations start,
                                  TrainingBill& bill) const {
    SASQ_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> folded,
                          RotateModel(inputs.model, Identities(start), inputs.stop));
    const RotationTrainerOptions options = TrainerOptions();
    SASQ_CHECK(options.step_count > 0);
    RotationTrainer trainer(folded, std::move(start), options);
    for (int64_t step = 0; step < options.step_count; ++step) {
      const absl::Span<const int32_t> window = inputs.training_window(step);
      SASQ_ASSIGN_OR_RETURN(const RotationStep done, trainer.Step(window, inputs.stop));
      bill.step_losses.push_back(done.loss);
      bill.token_count += static_cast<int64_t>(window.size());
      bill.flop_count += done.flop_count;
      if (inputs.on_step) inputs.on_step({step + 1, done.loss});
    }
    return trainer.rotations();
  }

  std::string Key(uint64_t seed, bool online_down) const {
    const RotationTrainerOptions options = TrainerOptions();
    return absl::StrCat("spinquant ", online_down ? "online" : "folded", " seed ", seed, " steps ",
                        options.step_count, " warmup ", options.warmup_step_count, " rate ",
                        options.learning_rate, " tokens ", recipe_.training().window_tokens(),
                        " bits ", options.activation_bits,
                        options.leading_tokens_float ? " first token float" : "");
  }

  const v1::Recipe recipe_;
};

}  // namespace

std::unique_ptr<const Method> MakeSpinQuant(const v1::Recipe& recipe) {
  return std::make_unique<SpinQuant>(recipe);
}

}  // namespace sasq
