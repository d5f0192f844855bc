#include "quant/format/site_linears.h"

#include "absl/strings/str_cat.h"

namespace sasq {

std::vector<LinearShape> LinearsOf(const ModelConfig& config, const SiteId& site) {
  const std::string layer = absl::StrCat("model.layers.", site.layer, ".");
  const int64_t hidden = config.hidden_size;
  const int64_t q_size = config.head_count * config.head_dim;
  const int64_t kv_size = config.kv_head_count * config.head_dim;
  const int64_t mlp_size = config.intermediate_size;
  switch (site.kind) {
    case SiteKind::kQkvIn:
      return {{layer + "self_attn.q_proj", q_size, hidden, config.qkv_bias},
              {layer + "self_attn.k_proj", kv_size, hidden, config.qkv_bias},
              {layer + "self_attn.v_proj", kv_size, hidden, config.qkv_bias}};
    case SiteKind::kOIn:
      return {{layer + "self_attn.o_proj", hidden, q_size, config.o_bias}};
    case SiteKind::kGateUpIn:
      return {{layer + "mlp.gate_proj", mlp_size, hidden, config.mlp_bias},
              {layer + "mlp.up_proj", mlp_size, hidden, config.mlp_bias}};
    default:
      return {{layer + "mlp.down_proj", hidden, mlp_size, config.mlp_bias}};
  }
}

}  // namespace sasq
