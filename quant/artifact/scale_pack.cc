#include "quant/artifact/scale_pack.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/artifact/canonical_json.h"
#include "quant/format/safetensors.h"

namespace sasq {
namespace {

static_assert(std::endian::native == std::endian::little,
              "scales are written as they lie in memory");

constexpr char kFormatVersion[] = "1";
constexpr char kTensorPrefix[] = "prefill.";
constexpr std::array<absl::string_view, 8> kMetadataKeys = {
    "format_version",     "method", "first_token",  "layer_count",
    "base_weight_sha256", "spec",   "code_version", "content_sha256"};
constexpr size_t kMaxMetadataBytes = size_t{2} << 20;

using Metadata = std::map<std::string, std::string>;

std::string TensorName(const SiteId& site) { return absl::StrCat(kTensorPrefix, SiteName(site)); }

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

absl::Status CheckScales(const ScalePack& pack) {
  for (const SiteId& site : AllSites(pack.layer_count)) {
    const auto found = pack.prefill_scales.find(site);
    if (found == pack.prefill_scales.end()) {
      return absl::InvalidArgumentError(absl::StrCat("scale pack: ", TensorName(site),
                                                     " is missing, want every site of ",
                                                     pack.layer_count, " layers"));
    }
    if (!std::isfinite(found->second) || found->second <= 0) {
      return absl::InvalidArgumentError(absl::StrCat("scale pack: ", TensorName(site), " is ",
                                                     found->second,
                                                     ", want a finite scale greater than 0"));
    }
  }
  // Every wanted site is there, so a greater count means an extra one.
  for (const auto& [site, scale] : pack.prefill_scales) {
    if (site.layer < 0 || site.layer >= pack.layer_count) {
      return absl::InvalidArgumentError(absl::StrCat("scale pack: ", TensorName(site),
                                                     " is not a site of a model with ",
                                                     pack.layer_count, " layers"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPack(const ScalePack& pack) {
  const bool static_method =
      pack.method == "static_absmax" || pack.method == "static_mse" || pack.method == "sasq";
  SASQ_RETURN_IF_ERROR(
      CheckField(static_method, "method", pack.method, "static_absmax, static_mse or sasq"));
  SASQ_RETURN_IF_ERROR(CheckField(pack.first_token == "quantized" || pack.first_token == "float",
                                  "first_token", pack.first_token, "quantized or float"));
  SASQ_RETURN_IF_ERROR(CheckField(IsSha256Hex(pack.base_weight_sha256), "base_weight_sha256",
                                  pack.base_weight_sha256, "64 lower-case hexadecimal digits"));
  SASQ_RETURN_IF_ERROR(CheckField(pack.layer_count >= 1 && pack.layer_count <= kScalePackMaxLayers,
                                  "layer_count", absl::StrCat(pack.layer_count),
                                  absl::StrCat("1..", kScalePackMaxLayers)));
  SASQ_RETURN_IF_ERROR(CheckField(IsWord(pack.code_version), "code_version", pack.code_version,
                                  "1..128 printable ASCII characters without blanks"));
  return CheckScales(pack);
}

// Every metadata entry but the digest. `spec_json` is canonical.
Metadata MetadataOf(const ScalePack& pack) {
  return {{"format_version", kFormatVersion},
          {"method", pack.method},
          {"first_token", pack.first_token},
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
    digest.Update({reinterpret_cast<const char*>(&scale), sizeof(scale)});
  }
  return digest.FinishHex();
}

absl::Status CheckKeys(const Metadata& metadata) {
  for (absl::string_view key : kMetadataKeys) {
    if (!metadata.contains(std::string(key))) {
      return absl::InvalidArgumentError(absl::StrCat("scale pack: metadata has no ", key));
    }
  }
  for (const auto& [key, value] : metadata) {
    if (!absl::c_linear_search(kMetadataKeys, key)) {
      return absl::InvalidArgumentError(
          absl::StrCat("scale pack: metadata has the unknown key \"", key.substr(0, 128), "\""));
    }
  }
  return absl::OkStatus();
}

absl::Status TakeMetadata(const Metadata& metadata, ScalePack* pack) {
  const auto version = metadata.find("format_version");
  if (version != metadata.end() && version->second != kFormatVersion) {
    return absl::UnimplementedError(
        absl::StrCat("scale pack: format_version is \"", version->second.substr(0, 128),
                     "\", this program reads ", kFormatVersion, "; use a newer one"));
  }
  SASQ_RETURN_IF_ERROR(CheckKeys(metadata));
  const std::string& layer_count = metadata.at("layer_count");
  SASQ_RETURN_IF_ERROR(CheckField(absl::SimpleAtoi(layer_count, &pack->layer_count), "layer_count",
                                  layer_count, "a number"));
  pack->method = metadata.at("method");
  pack->first_token = metadata.at("first_token");
  pack->base_weight_sha256 = metadata.at("base_weight_sha256");
  pack->spec_json = metadata.at("spec");
  pack->code_version = metadata.at("code_version");
  return absl::OkStatus();
}

absl::Status TakeScale(const TensorView& tensor, ScalePack* pack) {
  absl::string_view name = tensor.name;
  const bool has_prefix = name.substr(0, sizeof(kTensorPrefix) - 1) == kTensorPrefix;
  const absl::StatusOr<SiteId> site =
      ParseSiteName(has_prefix ? name.substr(sizeof(kTensorPrefix) - 1) : name);
  if (!has_prefix || !site.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("scale pack: tensor \"", name.substr(0, 128),
                                                   "\" is not the scale of a site, want names "
                                                   "such as prefill.layers.3.down_in"));
  }
  if (tensor.dtype != Dtype::kF32 || tensor.shape != std::vector<int64_t>{1}) {
    return absl::InvalidArgumentError(absl::StrCat("scale pack: ", name, " is ",
                                                   DtypeName(tensor.dtype), " of rank ",
                                                   tensor.shape.size(), ", want F32 of shape [1]"));
  }
  std::memcpy(&pack->prefill_scales[*site], tensor.bytes.data(), sizeof(float));
  return absl::OkStatus();
}

absl::StatusOr<ScalePack> PackFrom(const SafetensorsFile& file) {
  if (file.bytes().size() > kMaxMetadataBytes + 1024 * size_t{kScalePackMaxLayers}) {
    return absl::InvalidArgumentError(
        absl::StrCat("scale pack: ", file.bytes().size(), " bytes are too many for one"));
  }
  ScalePack pack;
  SASQ_RETURN_IF_ERROR(TakeMetadata(file.metadata(), &pack));
  for (const auto& [name, tensor] : file.tensors()) {
    SASQ_RETURN_IF_ERROR(TakeScale(tensor, &pack));
  }
  SASQ_RETURN_IF_ERROR(CheckPack(pack));
  SASQ_ASSIGN_OR_RETURN(const std::string spec, CanonicalJson(pack.spec_json, "scale pack: spec"));
  SASQ_RETURN_IF_ERROR(
      CheckField(pack.spec_json == spec, "spec", pack.spec_json, "canonical JSON"));
  const std::string& content_sha256 = file.metadata().at("content_sha256");
  const std::string computed = ContentDigest(MetadataOf(pack), pack);
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
    tensors.push_back({TensorName(site),
                       Dtype::kF32,
                       {1},
                       {reinterpret_cast<const char*>(&scale), sizeof(scale)}});
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

}  // namespace sasq
