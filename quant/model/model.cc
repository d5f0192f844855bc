#include "quant/model/model.h"

#include <ATen/ops/empty.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/site_linears.h"
#include "quant/model/device_weights.h"
#include "quant/model/float_weights.h"
#include "quant/model/model_parts.h"
#include "quant/model/torch_guard.h"

namespace sasq {
namespace {

// Finds and checks tensors of one checkpoint.
class Loader {
 public:
  Loader(Model::Parts& parts, std::stop_token stop) : parts_(parts), stop_(std::move(stop)) {}

  absl::Status LoadAll() {
    const ModelConfig& config = parts_.config;
    SASQ_ASSIGN_OR_RETURN(parts_.embeddings, View("model.embed_tokens.weight",
                                                  {config.vocab_size, config.hidden_size}));
    parts_.head = parts_.embeddings;
    if (!config.tie_word_embeddings) {
      SASQ_ASSIGN_OR_RETURN(parts_.head,
                            View("lm_head.weight", {config.vocab_size, config.hidden_size}));
    }
    SASQ_ASSIGN_OR_RETURN(parts_.final_norm, Vector("model.norm.weight", config.hidden_size));
    for (int layer = 0; layer < config.layer_count; ++layer) {
      SASQ_RETURN_IF_ERROR(LoadLayer(layer));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status LoadLayer(int index) {
    const ModelConfig& config = parts_.config;
    const std::string prefix = absl::StrCat("model.layers.", index, ".");
    Model::Parts::Layer layer;
    SASQ_ASSIGN_OR_RETURN(layer.input_norm,
                          Vector(prefix + "input_layernorm.weight", config.hidden_size));
    SASQ_ASSIGN_OR_RETURN(layer.post_attention_norm,
                          Vector(prefix + "post_attention_layernorm.weight", config.hidden_size));
    if (config.qk_norm) {
      SASQ_ASSIGN_OR_RETURN(layer.q_norm,
                            Vector(prefix + "self_attn.q_norm.weight", config.head_dim));
      SASQ_ASSIGN_OR_RETURN(layer.k_norm,
                            Vector(prefix + "self_attn.k_norm.weight", config.head_dim));
    }
    parts_.layers.push_back(std::move(layer));

    for (int kind = 0; kind < kSiteKindCount; ++kind) {
      SASQ_RETURN_IF_ERROR(AddSite({index, static_cast<SiteKind>(kind)}));
    }
    return absl::OkStatus();
  }

  absl::Status AddSite(const SiteId& site) {
    SiteLinears linears;
    for (const LinearShape& shape : LinearsOf(parts_.config, site)) {
      linears.in_features = shape.in_features;
      linears.out_features += shape.out_features;
      SASQ_ASSIGN_OR_RETURN(TensorView weight,
                            View(shape.name + ".weight", {shape.out_features, shape.in_features}));
      linears.weights.push_back(std::move(weight));
      if (!shape.has_bias) continue;
      SASQ_ASSIGN_OR_RETURN(TensorView bias, View(shape.name + ".bias", {shape.out_features}));
      linears.biases.push_back(std::move(bias));
    }
    parts_.linears.push_back(std::move(linears));
    return absl::OkStatus();
  }

  absl::StatusOr<TensorView> View(const std::string& name, const std::vector<int64_t>& shape) {
    if (stop_.stop_requested()) return absl::CancelledError("stopped while the model was loaded");
    SASQ_ASSIGN_OR_RETURN(TensorView view, parts_.checkpoint->Find(name));
    SASQ_RETURN_IF_ERROR(CheckWeights(view, shape));
    return view;
  }

  absl::StatusOr<at::Tensor> Vector(const std::string& name, int64_t size) {
    SASQ_ASSIGN_OR_RETURN(const TensorView view, View(name, {size}));
    return FloatTensor(view, parts_.device);
  }

  Model::Parts& parts_;
  const std::stop_token stop_;
};

}  // namespace

at::Device TorchDevice(ComputeDevice device) {
  return device.is_cuda ? at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device.ordinal))
                        : at::Device(at::kCPU);
}

Model::Parts::Parts(ComputeDevice where) : compute_device(where), device(TorchDevice(where)) {
  if (!where.is_cuda) return;
  device_weights = std::make_unique<DeviceWeights>(device, where.kept_weight_bytes);
}
Model::Parts::~Parts() = default;

void CopySiteWeights(const SiteLinears& linears, float* out) {
  for (const TensorView& weight : linears.weights) {
    CopyAsFloat(weight, 0, weight.element_count(), out);
    out += weight.element_count();
  }
}

std::optional<at::Tensor> SiteBias(const SiteLinears& linears, at::Device device) {
  if (linears.biases.empty()) return std::nullopt;
  const at::Tensor bias = at::empty({linears.out_features}, at::kFloat);
  float* out = bias.mutable_data_ptr<float>();
  for (const TensorView& view : linears.biases) {
    CopyAsFloat(view, 0, view.element_count(), out);
    out += view.element_count();
  }
  return bias.to(device);
}

at::Tensor FloatTensor(const TensorView& view, at::Device device) {
  const at::Tensor values = at::empty(view.shape, at::kFloat);
  CopyAsFloat(view, 0, view.element_count(), values.mutable_data_ptr<float>());
  return values.to(device);
}

absl::StatusOr<std::shared_ptr<const Model>> Model::Load(const std::string& folder,
                                                         std::stop_token stop,
                                                         ComputeDevice device) {
  auto parts = std::make_unique<Parts>(device);
  SASQ_ASSIGN_OR_RETURN(parts->config, LoadModelConfig(folder));
  SASQ_ASSIGN_OR_RETURN(parts->checkpoint, Checkpoint::Open(folder));
  parts->sites = AllSites(static_cast<int>(parts->config.layer_count));
  SASQ_RETURN_IF_ERROR(CatchTorch([&] { return Loader(*parts, stop).LoadAll(); }));
  return std::shared_ptr<const Model>(new Model(std::move(parts)));
}

Model::Model(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Model::~Model() = default;

const ModelConfig& Model::config() const { return parts_->config; }
const Checkpoint& Model::checkpoint() const {
  return parts_->base != nullptr ? parts_->base->checkpoint() : *parts_->checkpoint;
}
absl::Span<const SiteId> Model::sites() const { return parts_->sites; }

int64_t Model::max_tokens() const { return config().max_tokens(); }

}  // namespace sasq
