#include "tests/quant/export/export_inputs.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "quant/format/checkpoint.h"
#include "quant/format/model_config.h"

namespace sasq::testing {

std::string SpecOf(absl::string_view method, absl::string_view more, absl::string_view seed) {
  return absl::StrCat(R"({"model": {"uri": "file:/models/tiny"}, "seed": ")", seed,
                      R"(", "recipe": {"name": "row", "method": ")", method,
                      R"(", "activation_bits": 8, "weight_bits": 8)", more.empty() ? "" : ", ",
                      more, "}}");
}

ScalePack PackFor(const std::string& model_folder, std::string spec_json) {
  ScalePack pack;
  pack.method = "sasq";
  pack.first_token = "quantized";
  pack.base_weight_sha256 = Checkpoint::Open(model_folder).value()->Digest();
  pack.layer_count = static_cast<int>(LoadModelConfig(model_folder)->layer_count);
  for (const SiteId& site : AllSites(pack.layer_count)) {
    pack.prefill_scales[site] = static_cast<float>(SiteIndex(site) + 1) / 64;
  }
  pack.spec_json = std::move(spec_json);
  pack.code_version = "0.1.0";
  return pack;
}

void MakeDynamic(ScalePack& pack, SiteId site) {
  pack.prefill_scales.erase(site);
  pack.dynamic_sites.insert(site);
}

void MakeFloat(ScalePack& pack, SiteId site) {
  pack.prefill_scales.erase(site);
  pack.float_sites.insert(site);
}

}  // namespace sasq::testing
