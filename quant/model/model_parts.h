// The tensors of a model. For the engine alone: whoever includes this includes LibTorch.
#ifndef SASQ_QUANT_MODEL_MODEL_PARTS_H_
#define SASQ_QUANT_MODEL_MODEL_PARTS_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <vector>

#include "quant/format/checkpoint.h"
#include "quant/format/model_config.h"
#include "quant/format/safetensors.h"
#include "quant/format/site.h"
#include "quant/model/model.h"

namespace sasq {

class DeviceWeights;  // quant/model/device_weights.h
class Hadamard;       // quant/model/hadamard.h

at::Device TorchDevice(ComputeDevice device);

// The linears that read one site, in the order q, k, v or gate, up: their weights
// [out_features, in_features] as they are stored, and their biases.
struct SiteLinears {
  int64_t in_features = 0;
  int64_t out_features = 0;  // sum over the linears
  std::vector<TensorView> weights;
  std::vector<TensorView> biases;  // as many, or none
};

struct Model::Parts {
  explicit Parts(ComputeDevice where);
  ~Parts();

  // Norm weights, float32; the last two [head_dim] are undefined without ModelConfig::qk_norm.
  struct Layer {
    at::Tensor input_norm;           // [hidden_size]
    at::Tensor post_attention_norm;  // [hidden_size]
    at::Tensor q_norm;
    at::Tensor k_norm;
  };

  ModelConfig config;
  ComputeDevice compute_device;
  at::Device device;  // the same; of norms and of everything that is computed
  std::unique_ptr<const Checkpoint> checkpoint;
  std::vector<SiteId> sites;
  std::vector<Layer> layers;
  std::vector<SiteLinears> linears;               // in the order of `sites`
  std::unique_ptr<DeviceWeights> device_weights;  // theirs on a CUDA device; null on the CPU
  at::Tensor final_norm;                          // [hidden_size]
  TensorView embeddings;                          // [vocab_size, hidden_size]
  TensorView head;                                // the same shape; the embeddings if they are tied
  // Multiplies the input of down_proj while the model runs; its weights are those of the rotated
  // input. Null: nothing does.
  std::shared_ptr<const Hadamard> down_hadamard;
  // Of a model that was made in memory (model_builder.h): what its views point into, and the model
  // that it was made from, whose checkpoint is its own.
  std::vector<at::Tensor> storage;
  std::shared_ptr<const Model> base;
};

// Writes the weights of a site, stacked, as float32 [out_features, in_features].
void CopySiteWeights(const SiteLinears& linears, float* out);

// Their biases, float32 [out_features] on `device`; none if the linears have none.
std::optional<at::Tensor> SiteBias(const SiteLinears& linears, at::Device device);

// A stored tensor as float32 on `device`.
at::Tensor FloatTensor(const TensorView& view, at::Device device);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_MODEL_PARTS_H_
