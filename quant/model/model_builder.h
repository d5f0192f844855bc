// Makes a model with other weights of the same shapes: what methods fold transforms into. For the
// engine alone: whoever includes this includes LibTorch.
#ifndef SASQ_QUANT_MODEL_MODEL_BUILDER_H_
#define SASQ_QUANT_MODEL_MODEL_BUILDER_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "quant/format/site.h"
#include "quant/model/model.h"
#include "quant/model/model_parts.h"

namespace sasq {

// The weights of one model in float32 on the CPU, to be changed, and the model that they make. One
// thread; LibTorch's exceptions pass through.
class ModelBuilder {
 public:
  // Copies every weight of `model`; four bytes of memory each. A tied lm_head gets weights of its
  // own.
  explicit ModelBuilder(std::shared_ptr<const Model> model);

  // Weights of the linears that read a site, in the order of SiteLinears:
  // [out_features, in_features] each. Replace them or write into them; shapes stay.
  std::vector<at::Tensor>& weights(SiteId site);
  // Their biases [out_features]; as many, or none.
  std::vector<at::Tensor>& biases(SiteId site);
  at::Tensor& input_norm(int layer);           // [hidden_size]
  at::Tensor& post_attention_norm(int layer);  // [hidden_size]
  at::Tensor& final_norm() { return final_norm_; }
  at::Tensor& embeddings() { return embeddings_; }  // [vocab_size, hidden_size]
  at::Tensor& head() { return head_; }              // [vocab_size, hidden_size]
  // The transform of down_proj's input while the model runs; null at first.
  void set_down_hadamard(std::shared_ptr<const Hadamard> hadamard) {
    down_hadamard_ = std::move(hadamard);
  }

  // The model of these weights, on the device of the first one. The builder is empty afterwards.
  std::shared_ptr<const Model> Build();

 private:
  struct Layer {
    at::Tensor input_norm;
    at::Tensor post_attention_norm;
  };
  struct Linears {
    std::vector<at::Tensor> weights;
    std::vector<at::Tensor> biases;
  };

  const std::shared_ptr<const Model> base_;
  std::vector<Layer> layers_;
  std::vector<Linears> linears_;  // in the order of Model::sites()
  at::Tensor final_norm_;
  at::Tensor embeddings_;
  at::Tensor head_;
  std::shared_ptr<const Hadamard> down_hadamard_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_MODEL_BUILDER_H_
