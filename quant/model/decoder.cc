#include "quant/model/decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/model/float_weights.h"
#include "quant/model/hadamard.h"
#include "quant/model/model_parts.h"
#include "quant/model/rope.h"

namespace sasq {

Decoder::Decoder(const Model& model, SequenceShape shape, int64_t leading_rows)
    : model_(model), shape_(shape), leading_rows_(leading_rows) {
  const std::vector<double> frequencies = RopeFrequencies(model.config());
  const int64_t pair_count = static_cast<int64_t>(frequencies.size());
  cos_ = at::empty({shape.token_count, 1, pair_count}, at::kFloat);
  sin_ = at::empty({shape.token_count, 1, pair_count}, at::kFloat);
  float* cos = cos_.mutable_data_ptr<float>();
  float* sin = sin_.mutable_data_ptr<float>();
  for (int64_t token = 0; token < shape.token_count; ++token) {
    const double position = static_cast<double>(shape.past_count + token);
    for (const double frequency : frequencies) {
      *cos++ = static_cast<float>(std::cos(position * frequency));
      *sin++ = static_cast<float>(std::sin(position * frequency));
    }
  }
  cos_ = cos_.to(model.parts().device);
  sin_ = sin_.to(model.parts().device);
}

absl::StatusOr<at::Tensor> Decoder::Embed(absl::Span<const int32_t> tokens) const {
  const int64_t count = static_cast<int64_t>(tokens.size());
  const int64_t length = shape_.past_count + shape_.token_count;
  if (count != shape_.row_count() || count < 1 || length > model_.max_tokens()) {
    return absl::InvalidArgumentError(absl::StrCat("the sequence has ", length, " tokens, want 1..",
                                                   model_.max_tokens(),
                                                   ", the context of the model"));
  }
  const TensorView& embeddings = model_.parts().embeddings;
  const int64_t vocab_size = embeddings.shape[0];
  const int64_t hidden_size = embeddings.shape[1];
  at::Tensor hidden = at::empty({count, hidden_size}, at::kFloat);
  float* row = hidden.mutable_data_ptr<float>();
  for (const int32_t token : tokens) {
    if (token < 0 || token >= vocab_size) {
      return absl::InvalidArgumentError(
          absl::StrCat("token ", token, " is not in the model's vocabulary of ", vocab_size,
                       ": tokenizer and model do not belong together"));
    }
    CopyAsFloat(embeddings, token * hidden_size, hidden_size, row);
    row += hidden_size;
  }
  return hidden.to(model_.parts().device);
}

absl::StatusOr<at::Tensor> Decoder::RunSite(SiteId site, const at::Tensor& x,
                                            SiteExecutor& executor,
                                            const std::stop_token& stop) const {
  if (stop.stop_requested()) {
    return absl::CancelledError(absl::StrCat("stopped before ", SiteName(site)));
  }
  return executor.Run(site, x, leading_rows_);
}

absl::StatusOr<at::Tensor> Decoder::RunLayer(int layer, const at::Tensor& hidden,
                                             SiteExecutor& executor, const std::stop_token& stop,
                                             const LayerCache& cache) const {
  const Model::Parts& parts = model_.parts();
  const Model::Parts::Layer& norms = parts.layers[static_cast<size_t>(layer)];
  SASQ_ASSIGN_OR_RETURN(
      const at::Tensor qkv,
      RunSite({layer, SiteKind::kQkvIn}, Norm(hidden, norms.input_norm), executor, stop));
  SASQ_ASSIGN_OR_RETURN(
      const at::Tensor attended,
      RunSite({layer, SiteKind::kOIn}, Attention(layer, qkv, cache), executor, stop));
  const at::Tensor middle = hidden + attended;
  SASQ_ASSIGN_OR_RETURN(const at::Tensor gate_up,
                        RunSite({layer, SiteKind::kGateUpIn},
                                Norm(middle, norms.post_attention_norm), executor, stop));
  const int64_t mlp_size = model_.config().intermediate_size;
  at::Tensor product =
      at::silu(gate_up.narrow(1, 0, mlp_size)) * gate_up.narrow(1, mlp_size, mlp_size);
  if (parts.down_hadamard != nullptr) product = parts.down_hadamard->Apply(product);
  SASQ_ASSIGN_OR_RETURN(const at::Tensor down,
                        RunSite({layer, SiteKind::kDownIn}, product, executor, stop));
  return middle + down;
}

at::Tensor Decoder::FinalNorm(const at::Tensor& hidden) const {
  return Norm(hidden, model_.parts().final_norm);
}

at::Tensor Decoder::Norm(const at::Tensor& x, const at::Tensor& weight) const {
  return at::rms_norm(x, weight.sizes(), weight, model_.config().rms_norm_epsilon);
}

at::Tensor Decoder::Attention(int layer, const at::Tensor& qkv, const LayerCache& cache) const {
  const ModelConfig& config = model_.config();
  const Model::Parts::Layer& parts = model_.parts().layers[static_cast<size_t>(layer)];
  const int64_t sequences = shape_.sequence_count;
  const int64_t tokens = shape_.token_count;
  const int64_t past = shape_.past_count;
  const int64_t kv_heads = config.kv_head_count;
  const int64_t group = config.head_count / kv_heads;
  const int64_t dim = config.head_dim;
  // [sequences, tokens, heads, head_dim] each: q, then k, then v.
  const at::Tensor heads = qkv.view({sequences, tokens, config.head_count + 2 * kv_heads, dim});
  at::Tensor qk = heads.narrow(2, 0, config.head_count + kv_heads);
  at::Tensor v = heads.narrow(2, config.head_count + kv_heads, kv_heads);
  if (config.qk_norm) {
    qk = at::cat({Norm(qk.narrow(2, 0, config.head_count), parts.q_norm),
                  Norm(qk.narrow(2, config.head_count, kv_heads), parts.k_norm)},
                 2);
  }
  qk = Rotate(qk);
  at::Tensor q = qk.narrow(2, 0, config.head_count);
  at::Tensor k = qk.narrow(2, config.head_count, kv_heads);
  if (past > 0) {
    k = at::cat({cache.past->keys, k}, 1);
    v = at::cat({cache.past->values, v}, 1);
  }
  if (cache.kept != nullptr) *cache.kept = {k.contiguous(), v.contiguous()};
  // LibTorch's causal attention wants as many queries as keys. One query sees everything; several
  // get empty ones before them, whose results are dropped.
  const int64_t empty = tokens > 1 ? past : 0;
  if (empty > 0) {
    q = at::cat({at::zeros({sequences, empty, config.head_count, dim}, q.options()), q}, 1);
  }
  // Head h of q reads head h / group of k and v; attention wants [batch, heads, tokens, head_dim].
  const auto repeat = [&](const at::Tensor& x) {
    return x.unsqueeze(3)
        .expand({sequences, past + tokens, kv_heads, group, dim})
        .reshape({sequences, past + tokens, config.head_count, dim})
        .transpose(1, 2);
  };
  const at::Tensor attended = at::scaled_dot_product_attention(
      q.transpose(1, 2), repeat(k), repeat(v),
      /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/tokens > 1);
  return attended.transpose(1, 2)
      .narrow(1, empty, tokens)
      .reshape({shape_.row_count(), config.head_count * dim});
}

// Pairs are (i, i + head_dim / 2), as in Hugging Face's checkpoints.
at::Tensor Decoder::Rotate(const at::Tensor& heads) const {
  const int64_t half = model_.config().head_dim / 2;
  const at::Tensor first = heads.narrow(3, 0, half);
  const at::Tensor second = heads.narrow(3, half, half);
  return at::cat({first * cos_ - second * sin_, second * cos_ + first * sin_}, 3);
}

}  // namespace sasq
