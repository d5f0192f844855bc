#include "quant/model/model_builder.h"

#include <utility>

#include "common/status_macros.h"
#include "quant/model/hadamard.h"

namespace sasq {
namespace {

// A view of a tensor that `storage` keeps.
TensorView Keep(const at::Tensor& tensor, const TensorView& like,
                std::vector<at::Tensor>& storage) {
  const at::Tensor& kept = storage.emplace_back(tensor.to(at::kCPU, at::kFloat).contiguous());
  TensorView view;
  view.name = like.name;
  view.dtype = Dtype::kF32;
  view.shape = {kept.sizes().begin(), kept.sizes().end()};
  SASQ_CHECK(view.shape == like.shape);
  view.bytes = absl::string_view(static_cast<const char*>(kept.const_data_ptr()), kept.nbytes());
  return view;
}

std::vector<at::Tensor> FloatTensors(const std::vector<TensorView>& views) {
  std::vector<at::Tensor> tensors;
  for (const TensorView& view : views) tensors.push_back(FloatTensor(view, at::kCPU));
  return tensors;
}

}  // namespace

ModelBuilder::ModelBuilder(std::shared_ptr<const Model> model) : base_(std::move(model)) {
  const Model::Parts& parts = base_->parts();
  for (const Model::Parts::Layer& layer : parts.layers) {
    layers_.push_back({layer.input_norm.cpu().clone(), layer.post_attention_norm.cpu().clone()});
  }
  for (const SiteLinears& linears : parts.linears) {
    linears_.push_back({FloatTensors(linears.weights), FloatTensors(linears.biases)});
  }
  final_norm_ = parts.final_norm.cpu().clone();
  embeddings_ = FloatTensor(parts.embeddings, at::kCPU);
  head_ = FloatTensor(parts.head, at::kCPU);
  down_hadamard_ = parts.down_hadamard;
}

std::vector<at::Tensor>& ModelBuilder::weights(SiteId site) {
  return linears_[static_cast<size_t>(SiteIndex(site))].weights;
}

std::vector<at::Tensor>& ModelBuilder::biases(SiteId site) {
  return linears_[static_cast<size_t>(SiteIndex(site))].biases;
}

at::Tensor& ModelBuilder::input_norm(int layer) {
  return layers_[static_cast<size_t>(layer)].input_norm;
}

at::Tensor& ModelBuilder::post_attention_norm(int layer) {
  return layers_[static_cast<size_t>(layer)].post_attention_norm;
}

std::shared_ptr<const Model> ModelBuilder::Build() {
  const Model::Parts& base = base_->parts();
  auto parts = std::make_unique<Model::Parts>(base.compute_device);
  parts->config = base.config;
  parts->config.tie_word_embeddings = false;
  parts->base = base.base != nullptr ? base.base : base_;  // the one with a checkpoint
  parts->sites = base.sites;
  for (size_t i = 0; i < layers_.size(); ++i) {
    Model::Parts::Layer& layer = parts->layers.emplace_back(base.layers[i]);
    layer.input_norm = layers_[i].input_norm.to(parts->device);
    layer.post_attention_norm = layers_[i].post_attention_norm.to(parts->device);
  }
  for (size_t i = 0; i < linears_.size(); ++i) {
    SiteLinears& linears = parts->linears.emplace_back(base.linears[i]);
    for (size_t j = 0; j < linears.weights.size(); ++j) {
      linears.weights[j] =
          Keep(std::exchange(linears_[i].weights[j], {}), linears.weights[j], parts->storage);
    }
    for (size_t j = 0; j < linears.biases.size(); ++j) {
      linears.biases[j] =
          Keep(std::exchange(linears_[i].biases[j], {}), linears.biases[j], parts->storage);
    }
  }
  parts->final_norm = final_norm_.to(parts->device);
  parts->embeddings = Keep(std::exchange(embeddings_, {}), base.embeddings, parts->storage);
  parts->head = Keep(std::exchange(head_, {}), base.head, parts->storage);
  parts->down_hadamard = down_hadamard_;
  return std::shared_ptr<const Model>(new Model(std::move(parts)));
}

}  // namespace sasq
