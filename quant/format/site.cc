#include "quant/format/site.h"

#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sasq {
namespace {

constexpr std::array<absl::string_view, kSiteKindCount> kKindNames = {"qkv_in", "o_in",
                                                                      "gate_up_in", "down_in"};

}  // namespace

int SiteIndex(const SiteId& site) {
  return site.layer * kSiteKindCount + static_cast<int>(site.kind);
}

std::vector<SiteId> AllSites(int layer_count) {
  std::vector<SiteId> sites;
  sites.reserve(static_cast<size_t>(layer_count) * kSiteKindCount);
  for (int layer = 0; layer < layer_count; ++layer) {
    for (int kind = 0; kind < kSiteKindCount; ++kind) {
      sites.push_back({layer, static_cast<SiteKind>(kind)});
    }
  }
  return sites;
}

absl::string_view SiteKindName(SiteKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

std::string SiteName(const SiteId& site) {
  return absl::StrCat("layers.", site.layer, ".", SiteKindName(site.kind));
}

absl::StatusOr<SiteId> ParseSiteName(absl::string_view name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '.');
  SiteId site;
  if (parts.size() == 3 && absl::SimpleAtoi(parts[1], &site.layer) && site.layer >= 0) {
    for (int kind = 0; kind < kSiteKindCount; ++kind) {
      site.kind = static_cast<SiteKind>(kind);
      if (SiteName(site) == name) return site;  // refuses "layers.+03.down_in"
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", name,
                                                 "\" is not a site, want layers.N.KIND with KIND "
                                                 "one of qkv_in, o_in, gate_up_in, down_in"));
}

}  // namespace sasq
