#include "quant/artifact/scale_pack.h"

#include <array>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/artifact/canonical_json.h"
#include "quant/format/safetensors.h"

namespace sasq {
namespace {

static_assert(std::endian::native == std::endian::little,
              "scales are written as they lie in memory");

constexpr char kFormatVersion[] = "3";
constexpr char kVersionWithoutSmoothing[] = "2";
constexpr char kScalePrefix[] = "prefill.";
constexpr char kFactorsPrefix[] = "smoothing.";
constexpr char kSmoothedSites[] = "smoothed_sites";
constexpr std::array<absl::string_view, 12> kMetadataKeys = {
    "format_version",     "method",        "first_token",  "prefix_tokens",
    "float_sites",        "dynamic_sites", kSmoothedSites, "layer_count",
    "base_weight_sha256", "spec",          "code_version", "content_sha256"};
// Metadata, a header entry and a scale for each site, and the factors.
constexpr size_t kMaxFileBytes =
    (size_t{2} << 20) + 1024 * size_t{kScalePackMaxLayers} + sizeof(float) * kScalePackMaxFactors;

using Metadata = std::map<std::string, std::string>;

std::string ScaleName(const SiteId& site) { return absl::StrCat(kScalePrefix, SiteName(site)); }
std::string FactorsName(const SiteId& site) { return absl::StrCat(kFactorsPrefix, SiteName(site)); }

absl::string_view BytesOf(const float* values, size_t count) {
  return {reinterpret_cast<const char*>(values), count * sizeof(float)};
}

absl::Status CheckField(bool valid, absl::string_view field, absl::string_view value,
                        absl::string_view wanted) {
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("scale pack: ", field, " is \"", value.substr(0, 128), "\", want ", wanted));
}

// A word of a file name or a version: no quotes, blanks or line ends that could confuse a reader.
bool IsWord(absl::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  for (char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  return true;
}

std::set<SiteId> SmoothedSites(const ScalePack& pack) {
  std::set<SiteId> sites;
  for (const auto& [site, factors] : pack.smoothing_factors) sites.insert(site);
  return sites;
}

std::string SiteNames(const std::set<SiteId>& sites) {
  std::vector<std::string> names;
  names.reserve(sites.size());
  for (const SiteId& site : sites) names.push_back(SiteName(site));
  return absl::StrJoin(names, ",");
}

absl::Status NoSite(absl::string_view tensor_name, const ScalePack& pack) {
  return absl::InvalidArgumentError(absl::StrCat(
      "scale pack: ", tensor_name, " is not a site of a model with ", pack.layer_count, " layers"));
}

absl::Status CheckSites(const ScalePack& pack) {
  for (const SiteId& site : AllSites(pack.layer_count)) {
    const size_t places = pack.prefill_scales.count(site) + pack.float_sites.count(site) +
                          pack.dynamic_sites.count(site);
    if (places == 1) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("scale pack: ", ScaleName(site),
                     places == 0 ? " is missing" : " is static and not static at once",
                     ", want every site of ", pack.layer_count, " layers once"));
  }
  // Every wanted site is there, so a greater count means an extra one.
  std::vector<SiteId> sites(pack.float_sites.begin(), pack.float_sites.end());
  sites.insert(sites.end(), pack.dynamic_sites.begin(), pack.dynamic_sites.end());
  for (const auto& [site, scale] : pack.prefill_scales) sites.push_back(site);
  for (const SiteId& site : sites) {
    if (site.layer < 0 || site.layer >= pack.layer_count) {
      return NoSite(ScaleName(site), pack);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckScales(const ScalePack& pack) {
  for (const auto& [site, scale] : pack.prefill_scales) {
    if (std::isfinite(scale) && scale > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("scale pack: ", ScaleName(site), " is ", scale,
                                                   ", want a finite scale greater than 0"));
  }
  return CheckSites(pack);
}

absl::Status CheckFactors(const ScalePack& pack) {
  std::map<SiteKind, size_t> channels;
  size_t total = 0;
  for (const auto& [site, factors] : pack.smoothing_factors) {
    const std::string name = FactorsName(site);
    if (site.layer < 0 || site.layer >= pack.layer_count) return NoSite(name, pack);
    if (site.kind == SiteKind::kOIn) {
      return absl::InvalidArgumentError(
          absl::StrCat("scale pack: ", name, ": sites of this kind are never smoothed"));
    }
    const size_t wanted = channels.try_emplace(site.kind, factors.size()).first->second;
    if (factors.empty() || factors.size() != wanted) {
      return absl::InvalidArgumentError(absl::StrCat(
          "scale pack: ", name, " has ", factors.size(), " channels, want ",
          factors.empty() ? "at least 1" : absl::StrCat(wanted, " as in the layers before")));
    }
    for (const float factor : factors) {
      if (std::isfinite(factor) && factor > 0) continue;
      return absl::InvalidArgumentError(absl::StrCat("scale pack: ", name, " has ", factor,
                                                     ", want finite factors greater than 0"));
    }
    total += factors.size();
  }
  return CheckField(total <= kScalePackMaxFactors, "count of smoothing factors",
                    absl::StrCat(total), absl::StrCat("at most ", kScalePackMaxFactors));
}

absl::Status CheckFirstToken(const ScalePack& pack) {
  const bool has_prefix = pack.first_token == "prefix";
  SASQ_RETURN_IF_ERROR(
      CheckField(pack.first_token == "quantized" || pack.first_token == "float" || has_prefix,
                 "first_token", pack.first_token, "quantized, float or prefix"));
  const bool fits = has_prefix ? !pack.prefix_tokens.empty() &&
                                     pack.prefix_tokens.size() <= kScalePackMaxPrefixTokens
                               : pack.prefix_tokens.empty();
  return CheckField(
      fits, "prefix_tokens", absl::StrJoin(pack.prefix_tokens, ","),
      absl::StrCat("1..", kScalePackMaxPrefixTokens, " tokens with a prefix, none without"));
}

absl::Status CheckPack(const ScalePack& pack) {
  SASQ_RETURN_IF_ERROR(CheckField(IsWord(pack.method), "method", pack.method,
                                  "1..128 printable ASCII characters without blanks"));
  SASQ_RETURN_IF_ERROR(CheckFirstToken(pack));
  SASQ_RETURN_IF_ERROR(CheckField(IsSha256Hex(pack.base_weight_sha256), "base_weight_sha256",
                                  pack.base_weight_sha256, "64 lower-case hexadecimal digits"));
  SASQ_RETURN_IF_ERROR(CheckField(pack.layer_count >= 1 && pack.layer_count <= kScalePackMaxLayers,
                                  "layer_count", absl::StrCat(pack.layer_count),
                                  absl::StrCat("1..", kScalePackMaxLayers)));
  SASQ_RETURN_IF_ERROR(CheckField(IsWord(pack.code_version), "code_version", pack.code_version,
                                  "1..128 printable ASCII characters without blanks"));
  SASQ_RETURN_IF_ERROR(CheckScales(pack));
  return CheckFactors(pack);
}

// Every metadata entry but the digest. `spec_json` is canonical.
Metadata MetadataOf(const ScalePack& pack) {
  return {{"format_version", kFormatVersion},
          {"method", pack.method},
          {"first_token", pack.first_token},
          {"prefix_tokens", absl::StrJoin(pack.prefix_tokens, ",")},
          {"float_sites", SiteNames(pack.float_sites)},
          {"dynamic_sites", SiteNames(pack.dynamic_sites)},
          {kSmoothedSites, SiteNames(SmoothedSites(pack))},
          {"layer_count", absl::StrCat(pack.layer_count)},
          {"base_weight_sha256", pack.base_weight_sha256},
          {"spec", pack.spec_json},
          {"code_version", pack.code_version}};
}

std::string ContentDigest(const Metadata& metadata, const ScalePack& pack) {
  Sha256 digest;
  for (const auto& [key, value] : metadata) {
    digest.Update(absl::StrCat(key, "=", value, "\n"));
  }
  for (const auto& [site, scale] : pack.prefill_scales) {
    digest.Update(BytesOf(&scale, 1));
  }
  for (const auto& [site, factors] : pack.smoothing_factors) {
    digest.Update(BytesOf(factors.data(), factors.size()));
  }
  return digest.FinishHex();
}

absl::Status CheckKeys(const Metadata& metadata, bool may_smooth) {
  for (absl::string_view key : kMetadataKeys) {
    if (!may_smooth && key == kSmoothedSites) continue;
    if (!metadata.contains(std::string(key))) {
      return absl::InvalidArgumentError(absl::StrCat("scale pack: metadata has no ", key));
    }
  }
  for (const auto& [key, value] : metadata) {
    if (!absl::c_linear_search(kMetadataKeys, key) || (!may_smooth && key == kSmoothedSites)) {
      return absl::InvalidArgumentError(
          absl::StrCat("scale pack: metadata has the unknown key \"", key.substr(0, 128), "\""));
    }
  }
  return absl::OkStatus();
}

absl::Status TakeSites(absl::string_view field, const std::string& names, std::set<SiteId>& sites) {
  for (const absl::string_view name : absl::StrSplit(names, ',', absl::SkipEmpty())) {
    const absl::StatusOr<SiteId> site = ParseSiteName(name);
    if (!site.ok()) return CheckField(false, field, names, "names of sites and commas");
    sites.insert(*site);
  }
  return CheckField(SiteNames(sites) == names, field, names, "each site once, in order");
}

absl::Status TakePrefix(const std::string& tokens, ScalePack* pack) {
  for (const absl::string_view text : absl::StrSplit(tokens, ',', absl::SkipEmpty())) {
    int32_t token = 0;
    if (!absl::SimpleAtoi(text, &token) || token < 0 ||
        pack->prefix_tokens.size() == kScalePackMaxPrefixTokens) {
      return CheckField(false, "prefix_tokens", tokens, "a few tokens and commas");
    }
    pack->prefix_tokens.push_back(token);
  }
  return CheckField(absl::StrJoin(pack->prefix_tokens, ",") == tokens, "prefix_tokens", tokens,
                    "decimal numbers and commas");
}

bool IsWithoutSmoothing(const Metadata& metadata) {
  const auto version = metadata.find("format_version");
  return version != metadata.end() && version->second == kVersionWithoutSmoothing;
}

absl::Status TakeMetadata(const Metadata& metadata, ScalePack* pack) {
  const auto version = metadata.find("format_version");
  const bool may_smooth = !IsWithoutSmoothing(metadata);
  if (version != metadata.end() && version->second != kFormatVersion && may_smooth) {
    return absl::UnimplementedError(
        absl::StrCat("scale pack: format_version is \"", version->second.substr(0, 128),
                     "\", this program reads ", kVersionWithoutSmoothing, " and ", kFormatVersion,
                     "; use a newer one"));
  }
  SASQ_RETURN_IF_ERROR(CheckKeys(metadata, may_smooth));
  const std::string& layer_count = metadata.at("layer_count");
  SASQ_RETURN_IF_ERROR(CheckField(absl::SimpleAtoi(layer_count, &pack->layer_count), "layer_count",
                                  layer_count, "a number"));
  pack->method = metadata.at("method");
  pack->first_token = metadata.at("first_token");
  SASQ_RETURN_IF_ERROR(TakePrefix(metadata.at("prefix_tokens"), pack));
  SASQ_RETURN_IF_ERROR(TakeSites("float_sites", metadata.at("float_sites"), pack->float_sites));
  SASQ_RETURN_IF_ERROR(
      TakeSites("dynamic_sites", metadata.at("dynamic_sites"), pack->dynamic_sites));
  pack->base_weight_sha256 = metadata.at("base_weight_sha256");
  pack->spec_json = metadata.at("spec");
  pack->code_version = metadata.at("code_version");
  return absl::OkStatus();
}

absl::Status TakeTensor(const TensorView& tensor, ScalePack* pack) {
  absl::string_view name = tensor.name;
  const bool is_scale = absl::ConsumePrefix(&name, kScalePrefix);
  const bool is_known = is_scale || absl::ConsumePrefix(&name, kFactorsPrefix);
  const absl::StatusOr<SiteId> site = ParseSiteName(name);
  if (!is_known || !site.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "scale pack: tensor \"", absl::string_view(tensor.name).substr(0, 128),
        "\" is not the scale and not the smoothing factors of a site, want names such as "
        "prefill.layers.3.down_in"));
  }
  if (tensor.dtype != Dtype::kF32 || tensor.shape.size() != 1 ||
      (is_scale && tensor.shape[0] != 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("scale pack: ", tensor.name, " is ", DtypeName(tensor.dtype), " of rank ",
                     tensor.shape.size(), ", want F32 of shape ", is_scale ? "[1]" : "[channels]"));
  }
  std::vector<float> values(static_cast<size_t>(tensor.element_count()));
  tensor.bytes.copy(reinterpret_cast<char*>(values.data()), tensor.bytes.size());
  if (is_scale) {
    pack->prefill_scales[*site] = values[0];
  } else {
    pack->smoothing_factors[*site] = std::move(values);
  }
  return absl::OkStatus();
}

// That the factors are those of the sites that the metadata names.
absl::Status CheckSmoothedSites(const Metadata& metadata, const ScalePack& pack) {
  std::set<SiteId> named;
  if (!IsWithoutSmoothing(metadata)) {
    SASQ_RETURN_IF_ERROR(TakeSites(kSmoothedSites, metadata.at(kSmoothedSites), named));
  }
  for (const SiteId& site : named) {
    if (pack.smoothing_factors.contains(site)) continue;
    return absl::InvalidArgumentError(absl::StrCat("scale pack: ", FactorsName(site),
                                                   " is missing, want it for each site of ",
                                                   kSmoothedSites));
  }
  for (const SiteId& site : SmoothedSites(pack)) {
    if (named.contains(site)) continue;
    return absl::InvalidArgumentError(absl::StrCat("scale pack: ", FactorsName(site),
                                                   " is there, but not named in ", kSmoothedSites));
  }
  return absl::OkStatus();
}

absl::StatusOr<ScalePack> PackFrom(const SafetensorsFile& file) {
  if (file.bytes().size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("scale pack: ", file.bytes().size(), " bytes are too many for one"));
  }
  ScalePack pack;
  SASQ_RETURN_IF_ERROR(TakeMetadata(file.metadata(), &pack));
  for (const auto& [name, tensor] : file.tensors()) {
    SASQ_RETURN_IF_ERROR(TakeTensor(tensor, &pack));
  }
  SASQ_RETURN_IF_ERROR(CheckSmoothedSites(file.metadata(), pack));
  SASQ_RETURN_IF_ERROR(CheckPack(pack));
  SASQ_ASSIGN_OR_RETURN(const std::string spec, CanonicalJson(pack.spec_json, "scale pack: spec"));
  SASQ_RETURN_IF_ERROR(
      CheckField(pack.spec_json == spec, "spec", pack.spec_json, "canonical JSON"));
  const std::string& content_sha256 = file.metadata().at("content_sha256");
  Metadata metadata = MetadataOf(pack);
  if (IsWithoutSmoothing(file.metadata())) {
    metadata["format_version"] = file.metadata().at("format_version");
    metadata.erase(kSmoothedSites);
  }
  const std::string computed = ContentDigest(metadata, pack);
  if (computed != content_sha256) {
    return absl::InvalidArgumentError(absl::StrCat(
        "scale pack: content_sha256 is \"", content_sha256.substr(0, 128),
        "\", but its content gives ", computed, ": the file is damaged, fetch it again"));
  }
  return pack;
}

}  // namespace

absl::StatusOr<std::string> SerializeScalePack(const ScalePack& pack) {
  SASQ_RETURN_IF_ERROR(CheckPack(pack));
  ScalePack canonical = pack;
  SASQ_ASSIGN_OR_RETURN(canonical.spec_json, CanonicalJson(pack.spec_json, "scale pack: spec"));
  Metadata metadata = MetadataOf(canonical);
  metadata["content_sha256"] = ContentDigest(metadata, canonical);

  std::vector<TensorToWrite> tensors;
  for (const auto& [site, scale] : canonical.prefill_scales) {
    tensors.push_back({ScaleName(site), Dtype::kF32, {1}, BytesOf(&scale, 1)});
  }
  for (const auto& [site, factors] : canonical.smoothing_factors) {
    tensors.push_back({FactorsName(site),
                       Dtype::kF32,
                       {static_cast<int64_t>(factors.size())},
                       BytesOf(factors.data(), factors.size())});
  }
  return SerializeSafetensors(tensors, metadata);
}

absl::StatusOr<ScalePack> LoadScalePack(const std::string& path) {
  absl::StatusOr<std::unique_ptr<const SafetensorsFile>> file = SafetensorsFile::Open(path);
  if (!file.ok()) {
    // A pack is no model: the reason that the reader gives does not travel on.
    return absl::Status(file.status().code(),
                        absl::StrCat("scale pack: ", file.status().message()));
  }
  absl::StatusOr<ScalePack> pack = PackFrom(**file);
  if (!pack.ok()) {
    return absl::Status(pack.status().code(), absl::StrCat(path, ": ", pack.status().message()));
  }
  return pack;
}

absl::Status CheckBaseWeights(const ScalePack& pack, absl::string_view base_weight_sha256) {
  if (pack.base_weight_sha256 == base_weight_sha256) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "scale pack: it belongs to weights with the digest ", pack.base_weight_sha256.substr(0, 12),
      ", but the model's is ", base_weight_sha256.substr(0, 12),
      "; name the folder that the job read, in the same revision"));
}

}  // namespace sasq
