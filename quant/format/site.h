// Activation sites: the tensors that get a scale. A decoder layer has four, one for each tensor
// that feeds linears. Linears that read the same tensor share its scale, because serving engines
// fuse them and keep one scale only.
#ifndef SASQ_QUANT_FORMAT_SITE_H_
#define SASQ_QUANT_FORMAT_SITE_H_

#include <compare>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// In the order in which a token passes them.
enum class SiteKind {
  kQkvIn,     // qkv_in: input of q_proj, k_proj and v_proj, [tokens, hidden_size]
  kOIn,       // o_in: input of o_proj, [tokens, head_count * head_dim]
  kGateUpIn,  // gate_up_in: input of gate_proj and up_proj, [tokens, hidden_size]
  kDownIn,    // down_in: input of down_proj, [tokens, intermediate_size]
};

inline constexpr int kSiteKindCount = 4;

// One site of a model.
struct SiteId {
  int layer = 0;  // from 0
  SiteKind kind = SiteKind::kQkvIn;

  friend bool operator==(const SiteId&, const SiteId&) = default;
  friend auto operator<=>(const SiteId&, const SiteId&) = default;
};

// Position of a site in AllSites: layer * kSiteKindCount + kind.
int SiteIndex(const SiteId& site);

// Every site of a model with `layer_count` layers, layer by layer.
std::vector<SiteId> AllSites(int layer_count);

// "down_in".
absl::string_view SiteKindName(SiteKind kind);

// "layers.3.down_in": the name in artifacts, reports and the API.
std::string SiteName(const SiteId& site);

// The inverse of SiteName; INVALID_ARGUMENT for anything that SiteName does not print.
absl::StatusOr<SiteId> ParseSiteName(absl::string_view name);

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_SITE_H_
