#include "quant/methods/rotation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/hadamard_matrix.h"
#include "quant/format/model_error.h"
#include "quant/model/hadamard.h"
#include "quant/model/model_builder.h"
#include "quant/model/model_parts.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

// Rows of a weight that are in float64 at a time.
constexpr int64_t kRowBlock = 8192;

absl::StatusOr<std::shared_ptr<const Hadamard>> HadamardOf(absl::string_view size_name,
                                                           int64_t size,
                                                           at::Device device = at::kCPU) {
  absl::StatusOr<std::shared_ptr<const Hadamard>> hadamard = Hadamard::Create(size, device);
  if (!hadamard.ok()) return AtPath(hadamard.status(), size_name);
  return hadamard;
}

at::Tensor RandomSigns(int64_t count, uint64_t seed) {
  const std::vector<int> signs = kernels::RandomSigns(count, seed);
  return at::tensor(signs, at::kDouble);
}

// Folds the rotations of one model into the weights of a builder, in place.
class Rotator {
 public:
  Rotator(const Model& model, const Rotations& rotations, ModelBuilder& builder,
          std::stop_token stop)
      : config_(model.config()),
        device_(model.parts().device),
        residual_(rotations.residual.to(device_)),
        rotations_(rotations),
        builder_(builder),
        stop_(std::move(stop)) {}

  absl::Status Run(const Hadamard* down) {
    SASQ_RETURN_IF_ERROR(MultiplyRows(builder_.embeddings(), residual_));
    for (int layer = 0; layer < config_.layer_count; ++layer) {
      SASQ_RETURN_IF_ERROR(RotateValues(layer));
      SASQ_RETURN_IF_ERROR(RotateReaders({layer, SiteKind::kQkvIn}, builder_.input_norm(layer)));
      SASQ_RETURN_IF_ERROR(RotateWriter({layer, SiteKind::kOIn}));
      SASQ_RETURN_IF_ERROR(
          RotateReaders({layer, SiteKind::kGateUpIn}, builder_.post_attention_norm(layer)));
      SASQ_RETURN_IF_ERROR(RotateWriter({layer, SiteKind::kDownIn}));
      if (down != nullptr) RotateDownInput(layer, *down);
    }
    return MultiplyRows(builder_.head(), Fold(builder_.final_norm()));
  }

 private:
  // rows of `weights` times `right`, float64 on the device.
  absl::Status MultiplyRows(const at::Tensor& weights, const at::Tensor& right) {
    for (int64_t row = 0; row < weights.size(0); row += kRowBlock) {
      if (stop_.stop_requested()) return absl::CancelledError("stopped while weights were rotated");
      const at::Tensor rows = weights.narrow(0, row, std::min(kRowBlock, weights.size(0) - row));
      rows.copy_(at::matmul(rows.to(device_, at::kDouble), right));
    }
    return absl::OkStatus();
  }

  // What a linear behind a norm of these gains reads the rotated stream with: diag(gain) R1. The
  // gains become ones.
  at::Tensor Fold(at::Tensor& gain) {
    const at::Tensor folded = gain.to(device_, at::kDouble).unsqueeze(1) * residual_;
    gain = at::ones_like(gain);
    return folded;
  }

  absl::Status RotateReaders(SiteId site, at::Tensor& gain) {
    const at::Tensor right = Fold(gain);
    for (const at::Tensor& weights : builder_.weights(site)) {
      SASQ_RETURN_IF_ERROR(MultiplyRows(weights, right));
    }
    return absl::OkStatus();
  }

  // y R1 of y = x W^T + b: W becomes R1^T W, and b becomes b R1.
  absl::Status RotateWriter(SiteId site) {
    if (stop_.stop_requested()) return absl::CancelledError("stopped while weights were rotated");
    for (const at::Tensor& weights : builder_.weights(site)) {
      weights.copy_(at::matmul(residual_.t(), weights.to(device_, at::kDouble)));
    }
    for (const at::Tensor& bias : builder_.biases(site)) {
      bias.copy_(at::matmul(bias.to(device_, at::kDouble), residual_));
    }
    return absl::OkStatus();
  }

  // Each head's values times R2; each head of o_proj's input is read through it. A group of query
  // heads reads the same values, so all heads of the layer share R2.
  absl::Status RotateValues(int layer) {
    const at::Tensor rotation = rotations_.values[static_cast<size_t>(layer)].to(device_);
    const auto by_head = [&](const at::Tensor& x, int64_t heads) {
      return x.to(device_, at::kDouble).reshape({heads, config_.head_dim, -1});
    };
    constexpr size_t kV = 2;  // of q, k, v
    const SiteId qkv = {layer, SiteKind::kQkvIn};
    const auto rotate_outputs = [&](const at::Tensor& x) {
      x.copy_(at::matmul(rotation.t(), by_head(x, config_.kv_head_count)).view(x.sizes()));
    };
    rotate_outputs(builder_.weights(qkv)[kV]);
    if (!builder_.biases(qkv).empty()) rotate_outputs(builder_.biases(qkv)[kV]);
    for (const at::Tensor& weights : builder_.weights({layer, SiteKind::kOIn})) {
      SASQ_RETURN_IF_ERROR(MultiplyRows(weights.view({-1, config_.head_dim}), rotation));
    }
    return absl::OkStatus();
  }

  void RotateDownInput(int layer, const Hadamard& down) {
    for (const at::Tensor& weights : builder_.weights({layer, SiteKind::kDownIn})) {
      weights.copy_(down.Apply(weights.to(device_)));
    }
  }

  const ModelConfig& config_;
  const at::Device device_;
  const at::Tensor residual_;  // R1 on the device
  const Rotations& rotations_;
  ModelBuilder& builder_;
  const std::stop_token stop_;
};

}  // namespace

absl::StatusOr<Rotations> HadamardRotations(const Model& model, bool online_down, uint64_t seed) {
  const ModelConfig& config = model.config();
  return CatchTorchOr([&]() -> absl::StatusOr<Rotations> {
    SASQ_ASSIGN_OR_RETURN(const std::shared_ptr<const Hadamard> residual,
                          HadamardOf("hidden_size", config.hidden_size));
    SASQ_ASSIGN_OR_RETURN(const std::shared_ptr<const Hadamard> values,
                          HadamardOf("head_dim", config.head_dim));
    if (online_down) {
      SASQ_RETURN_IF_ERROR(HadamardOf("intermediate_size", config.intermediate_size).status());
    }
    Rotations rotations;
    rotations.residual = RandomSigns(config.hidden_size, seed).unsqueeze(1) * residual->Matrix();
    rotations.values.assign(static_cast<size_t>(config.layer_count), values->Matrix());
    rotations.online_down = online_down;
    return rotations;
  });
}

absl::StatusOr<std::shared_ptr<const Model>> RotateModel(const std::shared_ptr<const Model>& model,
                                                         const Rotations& rotations,
                                                         std::stop_token stop) {
  const Model::Parts& parts = model->parts();
  SASQ_CHECK(!rotations.online_down || parts.down_hadamard == nullptr);
  SASQ_CHECK(rotations.values.size() == parts.layers.size());
  return CatchTorchOr([&]() -> absl::StatusOr<std::shared_ptr<const Model>> {
    const at::NoGradGuard no_grad;
    std::shared_ptr<const Hadamard> down;
    if (rotations.online_down) {
      SASQ_ASSIGN_OR_RETURN(
          down, HadamardOf("intermediate_size", parts.config.intermediate_size, parts.device));
    }
    ModelBuilder builder(model);
    SASQ_RETURN_IF_ERROR(Rotator(*model, rotations, builder, std::move(stop)).Run(down.get()));
    if (down != nullptr) builder.set_down_hadamard(std::move(down));
    return builder.Build();
  });
}

absl::StatusOr<PreparedModel> RotateByHadamard(const MethodInputs& inputs, bool online_down) {
  SASQ_ASSIGN_OR_RETURN(const Rotations rotations,
                        HadamardRotations(*inputs.model, online_down, inputs.seed));
  PreparedModel prepared;
  SASQ_ASSIGN_OR_RETURN(prepared.model, RotateModel(inputs.model, rotations, inputs.stop));
  prepared.key =
      absl::StrCat("hadamard ", online_down ? "online" : "folded", " seed ", inputs.seed);
  return prepared;
}

}  // namespace sasq
