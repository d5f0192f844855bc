// The scale pack, `scales.safetensors`: what a serving engine needs beside the base weights.
//
// A safetensors file (https://huggingface.co/docs/safetensors), little endian, that any safetensors
// reader opens. Format version 3:
//
//   tensors   one per activation site, named `prefill.` + the site's name, such as
//             `prefill.layers.3.down_in`; dtype F32, shape [1] (the shape of an engine's
//             `input_scale`), finite and greater than 0. All four sites of every layer but those
//             that the metadata says are not static, and no others.
//             x is quantized as clamp(round_half_even(x / scale), -128, 127).
//             One per smoothed site, named `smoothing.` + the site's name; dtype F32, shape
//             [channels], each finite and greater than 0: what each channel of the activations was
//             divided by, in the tensor that writes it, and each column of the weights that read it
//             multiplied by. Sites of a kind have equally many channels; o_in is never smoothed.
//   metadata  exactly these keys:
//     format_version      "3"
//     method              how the scales were chosen, such as `static_mse` or `sasq`
//     first_token         `quantized`; `float` when the first token of a sequence has to stay in
//                         floating point at every site; `prefix` when every sequence has to follow
//                         the prefix
//     prefix_tokens       with `prefix` its tokens, decimal, separated by commas; else empty
//     float_sites         sites whose linears stay in floating point, by name, separated by commas,
//                         in the order of the scales below
//     dynamic_sites       sites with one scale per token, in the same form
//     smoothed_sites      smoothed sites, whatever their scales, in the same form
//     layer_count         layers of the model, decimal
//     base_weight_sha256  ScalePack::base_weight_sha256
//     spec                the job's spec, canonical JSON (canonical_json.h); its recipe says what
//                         was folded into the weights
//     code_version        version of the program that wrote it
//     content_sha256      SHA-256 of: every other metadata entry in the byte order of the keys,
//                         each as key, `=`, value, newline; then the scales as little-endian F32,
//                         by layer and within it in the order qkv_in, o_in, gate_up_in, down_in;
//                         then the smoothing factors, in the same order
//
// Version 2 had no smoothed_sites and no factors; it is read, and no longer written.
//
// docs/artifact_format.md says the same to people who write readers. The same pack always gives the
// same bytes: no time, no host, no measured figure is in it.
#ifndef SASQ_QUANT_ARTIFACT_SCALE_PACK_H_
#define SASQ_QUANT_ARTIFACT_SCALE_PACK_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quant/format/site.h"

namespace sasq {

inline constexpr char kScalePackFileName[] = "scales.safetensors";
inline constexpr int kScalePackMaxLayers = 4096;
inline constexpr size_t kScalePackMaxPrefixTokens = 16;
inline constexpr size_t kScalePackMaxFactors = size_t{1} << 22;  // of all sites

struct ScalePack {
  std::string method;
  std::string first_token;
  // Names the weights that the scales belong to: the digest that the model's loader gives, 64
  // lower-case hexadecimal digits.
  std::string base_weight_sha256;
  int layer_count = 0;                 // 1..kScalePackMaxLayers
  std::vector<int32_t> prefix_tokens;  // at most kScalePackMaxPrefixTokens
  // Every site of every layer is in exactly one of these. Scales are those of the prefill phase,
  // each finite and greater than 0.
  std::map<SiteId, float> prefill_scales;
  std::set<SiteId> float_sites;
  std::set<SiteId> dynamic_sites;
  // Of each smoothed site one factor per channel, finite and greater than 0.
  std::map<SiteId, std::vector<float>> smoothing_factors;
  std::string spec_json;  // one JSON object; written in canonical form
  std::string code_version;

  bool operator==(const ScalePack&) const = default;
};

// The file's bytes. INVALID_ARGUMENT names the field or the site that breaks a rule above.
absl::StatusOr<std::string> SerializeScalePack(const ScalePack& pack);

// Reads a file. UNIMPLEMENTED if the format version is not 2 or 3; INVALID_ARGUMENT, with the path
// and the key, tensor or site, if the file is missing, anything else breaks a rule above or the
// content digest differs.
absl::StatusOr<ScalePack> LoadScalePack(const std::string& path);

// INVALID_ARGUMENT unless `base_weight_sha256`, a model's digest (Checkpoint::Digest), is the
// pack's.
absl::Status CheckBaseWeights(const ScalePack& pack, absl::string_view base_weight_sha256);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_SCALE_PACK_H_
