// The decoder's layers as tensor operations, for those who run them one by one. All of it works
// under autograd; exceptions of LibTorch pass through (see torch_guard.h).
#ifndef SASQ_QUANT_MODEL_DECODER_H_
#define SASQ_QUANT_MODEL_DECODER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <stop_token>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"
#include "quant/model/site_executor.h"

namespace sasq {

// The model on sequences of one length. One thread.
class Decoder {
 public:
  // `model` must outlive it.
  Decoder(const Model& model, int64_t token_count);

  // Rows of the embedding matrix, float32 [tokens, hidden_size]. INVALID_ARGUMENT if the number of
  // tokens is not token_count, or 0, or beyond Model::max_tokens(), or a token is not in the
  // vocabulary.
  absl::StatusOr<at::Tensor> Embed(absl::Span<const int32_t> tokens) const;

  // hidden[tokens, hidden_size] after layer `layer`. CANCELLED when `stop` is asked for before one
  // of the four sites.
  absl::StatusOr<at::Tensor> RunLayer(int layer, const at::Tensor& hidden, SiteExecutor& executor,
                                      const std::stop_token& stop) const;

  at::Tensor FinalNorm(const at::Tensor& hidden) const;

 private:
  at::Tensor Norm(const at::Tensor& x, const at::Tensor& weight) const;
  at::Tensor Attention(int layer, const at::Tensor& qkv) const;
  at::Tensor Rotate(const at::Tensor& heads) const;

  const Model& model_;
  const int64_t token_count_;
  // Rotary embedding, [tokens, 1, head_dim / 2].
  at::Tensor cos_;
  at::Tensor sin_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_DECODER_H_
