#include "quant/artifact/provenance_json.h"

#include <utility>

namespace sasq {

using nlohmann::ordered_json;

ordered_json ProvenanceToJson(const Provenance& provenance) {
  ordered_json inputs = ordered_json::array();
  for (const InputDigest& input : provenance.inputs) {
    inputs.push_back({{"role", input.role}, {"uri", input.uri}, {"sha256", input.sha256}});
  }
  ordered_json spec =
      ordered_json::parse(provenance.spec_json, nullptr, /*allow_exceptions=*/false);
  if (!spec.is_object()) spec = nullptr;
  return {{"code_version", provenance.code_version},
          {"device_kind", provenance.device_kind},
          {"device_name", provenance.device_name},
          {"kernel_path", provenance.kernel_path},
          {"thread_count", provenance.thread_count},
          {"inputs", std::move(inputs)},
          {"spec", std::move(spec)}};
}

std::string JsonText(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sasq
