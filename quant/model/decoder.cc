#include "quant/model/decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/model/float_weights.h"
#include "quant/model/model_parts.h"
#include "quant/model/rope.h"

namespace sasq {
namespace {

absl::StatusOr<at::Tensor> RunSite(SiteId site, const at::Tensor& x, SiteExecutor& executor,
                                   const std::stop_token& stop) {
  if (stop.stop_requested()) {
    return absl::CancelledError(absl::StrCat("stopped before ", SiteName(site)));
  }
  return executor.Run(site, x);
}

}  // namespace

Decoder::Decoder(const Model& model, int64_t token_count)
    : model_(model), token_count_(token_count) {
  const std::vector<double> frequencies = RopeFrequencies(model.config());
  const int64_t pair_count = static_cast<int64_t>(frequencies.size());
  cos_ = at::empty({token_count, 1, pair_count}, at::kFloat);
  sin_ = at::empty({token_count, 1, pair_count}, at::kFloat);
  float* cos = cos_.mutable_data_ptr<float>();
  float* sin = sin_.mutable_data_ptr<float>();
  for (int64_t position = 0; position < token_count; ++position) {
    for (const double frequency : frequencies) {
      *cos++ = static_cast<float>(std::cos(static_cast<double>(position) * frequency));
      *sin++ = static_cast<float>(std::sin(static_cast<double>(position) * frequency));
    }
  }
  cos_ = cos_.to(model.parts().device);
  sin_ = sin_.to(model.parts().device);
}

absl::StatusOr<at::Tensor> Decoder::Embed(absl::Span<const int32_t> tokens) const {
  const int64_t count = static_cast<int64_t>(tokens.size());
  if (count != token_count_ || count < 1 || count > model_.max_tokens()) {
    return absl::InvalidArgumentError(absl::StrCat("the sequence has ", count, " tokens, want 1..",
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

absl::StatusOr<at::Tensor> Decoder::RunLayer(int layer, const at::Tensor& hidden,
                                             SiteExecutor& executor,
                                             const std::stop_token& stop) const {
  const Model::Parts::Layer& parts = model_.parts().layers[static_cast<size_t>(layer)];
  SASQ_ASSIGN_OR_RETURN(
      const at::Tensor qkv,
      RunSite({layer, SiteKind::kQkvIn}, Norm(hidden, parts.input_norm), executor, stop));
  SASQ_ASSIGN_OR_RETURN(const at::Tensor attended,
                        RunSite({layer, SiteKind::kOIn}, Attention(layer, qkv), executor, stop));
  const at::Tensor middle = hidden + attended;
  SASQ_ASSIGN_OR_RETURN(const at::Tensor gate_up,
                        RunSite({layer, SiteKind::kGateUpIn},
                                Norm(middle, parts.post_attention_norm), executor, stop));
  const int64_t mlp_size = model_.config().intermediate_size;
  const at::Tensor product =
      at::silu(gate_up.narrow(1, 0, mlp_size)) * gate_up.narrow(1, mlp_size, mlp_size);
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

at::Tensor Decoder::Attention(int layer, const at::Tensor& qkv) const {
  const ModelConfig& config = model_.config();
  const Model::Parts::Layer& parts = model_.parts().layers[static_cast<size_t>(layer)];
  const int64_t kv_heads = config.kv_head_count;
  const int64_t group = config.head_count / kv_heads;
  const int64_t dim = config.head_dim;
  // [tokens, heads, head_dim] each: q, then k, then v.
  const at::Tensor heads = qkv.view({token_count_, config.head_count + 2 * kv_heads, dim});
  at::Tensor qk = heads.narrow(1, 0, config.head_count + kv_heads);
  const at::Tensor v = heads.narrow(1, config.head_count + kv_heads, kv_heads);
  if (config.qk_norm) {
    qk = at::cat({Norm(qk.narrow(1, 0, config.head_count), parts.q_norm),
                  Norm(qk.narrow(1, config.head_count, kv_heads), parts.k_norm)},
                 1);
  }
  qk = Rotate(qk);
  const at::Tensor q = qk.narrow(1, 0, config.head_count);
  const at::Tensor k = qk.narrow(1, config.head_count, kv_heads);
  // Head h of q reads head h / group of k and v; attention wants [batch, heads, tokens, head_dim].
  const auto repeat = [&](const at::Tensor& x) {
    return x.unsqueeze(2)
        .expand({token_count_, kv_heads, group, dim})
        .reshape({1, token_count_, config.head_count, dim})
        .transpose(1, 2);
  };
  const at::Tensor attended =
      at::scaled_dot_product_attention(q.unsqueeze(0).transpose(1, 2), repeat(k), repeat(v),
                                       /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/true);
  return attended.transpose(1, 2).reshape({token_count_, config.head_count * dim});
}

// Pairs are (i, i + head_dim / 2), as in Hugging Face's checkpoints.
at::Tensor Decoder::Rotate(const at::Tensor& heads) const {
  const int64_t half = model_.config().head_dim / 2;
  const at::Tensor first = heads.narrow(2, 0, half);
  const at::Tensor second = heads.narrow(2, half, half);
  return at::cat({first * cos_ - second * sin_, second * cos_ + first * sin_}, 2);
}

}  // namespace sasq
