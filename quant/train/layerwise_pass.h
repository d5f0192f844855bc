// A forward pass over one window whose gradients flow back layer by layer. For the engine alone:
// whoever includes this includes LibTorch.
#ifndef SASQ_QUANT_TRAIN_LAYERWISE_PASS_H_
#define SASQ_QUANT_TRAIN_LAYERWISE_PASS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <stop_token>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/decoder.h"
#include "quant/model/kv_cache.h"
#include "quant/model/model.h"
#include "quant/model/site_executor.h"

namespace sasq {

struct LayerwisePassOptions {
  // Keys and values of a prefix that the window follows; null without.
  const KvCache* prefix = nullptr;
  // The executor's graphs hold the input of each site before and after its rounding, as float fake
  // quantization does.
  bool graphs_hold_rounding = false;
  std::stop_token stop;
};

// Each layer has a graph of its own. The last layers keep theirs from the forward pass, as many as
// kLayerGraphBytes holds; the others' are built a second time when the gradient arrives. So memory
// beyond the hidden states does not grow with the number of layers. One thread; exceptions of
// LibTorch pass through.
class LayerwisePass {
 public:
  // What `executor` computes must have gradients; everything must outlive this.
  LayerwisePass(const Model& model, SiteExecutor& executor, absl::Span<const int32_t> tokens,
                LayerwisePassOptions options);

  // Hidden states after the final norm, [tokens, hidden_size], without a graph. Errors as of
  // Forward (quant/model/forward.h).
  absl::StatusOr<at::Tensor> Forward();

  // Once after Forward: takes d loss / d (what Forward gave) back through all layers, the last one
  // first. Leaves that the executor's graphs read find their gradients added to grad().
  absl::Status Backward(const at::Tensor& grad_normed);

 private:
  // What entered a layer, a leaf of its graph, and what left it; the latter undefined if the graph
  // was not kept.
  struct LayerRun {
    at::Tensor input;
    at::Tensor output;
  };

  absl::StatusOr<at::Tensor> RunLayer(int layer, const at::Tensor& hidden);
  // How many layers keep their graphs.
  int64_t KeptLayerCount() const;

  const Model& model_;
  SiteExecutor& executor_;
  const std::vector<int32_t> tokens_;
  const LayerwisePassOptions options_;
  const Decoder decoder_;

  std::vector<LayerRun> layers_;
  at::Tensor hidden_;  // after the last layer, a leaf
  at::Tensor normed_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_LAYERWISE_PASS_H_
