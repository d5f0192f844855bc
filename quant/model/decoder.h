// The decoder's layers as tensor operations, for those who run them one by one. All of it works
// under autograd; exceptions of LibTorch pass through (see torch_guard.h).
#ifndef SASQ_QUANT_MODEL_DECODER_H_
#define SASQ_QUANT_MODEL_DECODER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <stop_token>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/kv_cache.h"
#include "quant/model/model.h"
#include "quant/model/site_executor.h"

namespace sasq {

// What a forward pass works on: `sequence_count` sequences of `token_count` tokens each, that
// follow `past_count` tokens whose keys and values are known.
struct SequenceShape {
  int64_t token_count = 0;
  int64_t past_count = 0;
  int64_t sequence_count = 1;

  int64_t row_count() const { return sequence_count * token_count; }
};

// Keys and values of one layer: `past` has past_count tokens and may be null if that is 0;
// `kept` receives those of past and present if it is not null.
struct LayerCache {
  const KvCache::Layer* past = nullptr;
  KvCache::Layer* kept = nullptr;
};

// The model on sequences of one shape. One thread.
class Decoder {
 public:
  // `model` must outlive it. The first `leading_rows` rows hold the first token of a sequence and
  // its copies; executors hear of it.
  Decoder(const Model& model, SequenceShape shape, int64_t leading_rows);

  // Rows of the embedding matrix, float32 [rows, hidden_size], sequence by sequence.
  // INVALID_ARGUMENT if the number of tokens is not that of the shape, or 0, or beyond
  // Model::max_tokens() with the past, or a token is not in the vocabulary.
  absl::StatusOr<at::Tensor> Embed(absl::Span<const int32_t> tokens) const;

  // hidden[rows, hidden_size] after layer `layer`. CANCELLED when `stop` is asked for before one of
  // the four sites.
  absl::StatusOr<at::Tensor> RunLayer(int layer, const at::Tensor& hidden, SiteExecutor& executor,
                                      const std::stop_token& stop,
                                      const LayerCache& cache = {}) const;

  at::Tensor FinalNorm(const at::Tensor& hidden) const;

 private:
  absl::StatusOr<at::Tensor> RunSite(SiteId site, const at::Tensor& x, SiteExecutor& executor,
                                     const std::stop_token& stop) const;
  at::Tensor Norm(const at::Tensor& x, const at::Tensor& weight) const;
  at::Tensor Attention(int layer, const at::Tensor& qkv, const LayerCache& cache) const;
  at::Tensor Rotate(const at::Tensor& heads) const;

  const Model& model_;
  const SequenceShape shape_;
  const int64_t leading_rows_;
  // Rotary embedding of the present tokens, [tokens, 1, head_dim / 2].
  at::Tensor cos_;
  at::Tensor sin_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_DECODER_H_
