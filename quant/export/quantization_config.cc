#include "quant/export/quantization_config.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "quant/format/model_error.h"
#include "quant/format/site_linears.h"

namespace sasq {
namespace {

using nlohmann::ordered_json;

ordered_json Numbers(absl::string_view strategy, bool dynamic) {
  return {{"num_bits", 8},
          {"type", "int"},
          {"symmetric", true},
          {"strategy", std::string(strategy)},
          {"dynamic", dynamic}};
}

ordered_json Group(ordered_json targets, ordered_json activations) {
  return {{"targets", std::move(targets)},
          {"weights", Numbers("channel", false)},
          {"input_activations", std::move(activations)}};
}

// Engines that fuse linears look for the fused module's name before they look at its class, so the
// expression has to match it too.
std::string Pattern(const SiteId& site) {
  const std::string layer = absl::StrCat("re:.*layers\\.", site.layer, "\\.");
  switch (site.kind) {
    case SiteKind::kQkvIn:
      return layer + "self_attn\\.(q|k|v|qkv)_proj$";
    case SiteKind::kOIn:
      return layer + "self_attn\\.o_proj$";
    case SiteKind::kGateUpIn:
      return layer + "mlp\\.(gate|up|gate_up)_proj$";
    default:
      return layer + "mlp\\.down_proj$";
  }
}

ordered_json Groups(const ScalePack& pack) {
  ordered_json groups = {
      {"group_0", Group(ordered_json::array({"Linear"}), Numbers("tensor", false))}};
  if (pack.dynamic_sites.empty()) return groups;
  ordered_json targets = ordered_json::array();
  for (const SiteId& site : pack.dynamic_sites) targets.push_back(Pattern(site));
  groups["group_1"] = Group(std::move(targets), Numbers("token", true));
  return groups;
}

}  // namespace

absl::StatusOr<std::string> QuantizedConfigJson(absl::string_view base_json,
                                                const ModelConfig& config, const ScalePack& pack,
                                                bool has_own_head) {
  ordered_json json = ordered_json::parse(base_json.begin(), base_json.end(), nullptr,
                                          /*allow_exceptions=*/false);
  if (!json.is_object()) return InvalidModel("config.json is not a JSON object");
  if (has_own_head) json["tie_word_embeddings"] = false;
  ordered_json ignore = ordered_json::array({"lm_head"});
  for (const SiteId& site : pack.float_sites) {
    for (const LinearShape& linear : LinearsOf(config, site)) ignore.push_back(linear.name);
  }
  json["quantization_config"] = {{"quant_method", "compressed-tensors"},
                                 {"format", "int-quantized"},
                                 {"quantization_status", "compressed"},
                                 {"ignore", std::move(ignore)},
                                 {"config_groups", Groups(pack)}};
  return json.dump(2) + "\n";
}

}  // namespace sasq
