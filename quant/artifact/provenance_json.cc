#include "quant/artifact/provenance_json.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "quant/artifact/canonical_json.h"

namespace sasq {

using nlohmann::ordered_json;

namespace {

std::string Compact(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void AppendJson(const ordered_json& json, size_t indent, std::string& text) {
  const auto is_simple = [](const ordered_json& item) { return item.is_primitive(); };
  if (!json.is_structured() || json.empty() ||
      (json.is_array() && std::all_of(json.begin(), json.end(), is_simple))) {
    text += Compact(json);
    return;
  }
  const std::string line = absl::StrCat("\n", std::string(indent + 2, ' '));
  text += json.is_object() ? "{" : "[";
  bool first = true;
  for (const auto& [key, value] : json.items()) {
    if (!first) text += ",";
    first = false;
    text += line;
    if (json.is_object()) absl::StrAppend(&text, Compact(key), ": ");
    AppendJson(value, indent + 2, text);
  }
  absl::StrAppend(&text, "\n", std::string(indent, ' '), json.is_object() ? "}" : "]");
}

}  // namespace

ordered_json ProvenanceToJson(const Provenance& provenance) {
  ordered_json inputs = ordered_json::array();
  for (const InputDigest& input : provenance.inputs) {
    inputs.push_back({{"role", input.role}, {"uri", input.uri}, {"sha256", input.sha256}});
  }
  ordered_json spec =
      ordered_json::parse(provenance.spec_json, nullptr, /*allow_exceptions=*/false);
  if (!spec.is_object()) spec = nullptr;
  const absl::StatusOr<std::string> canonical = CanonicalJson(provenance.spec_json, "spec");
  return {
      {"code_version", provenance.code_version},
      {"device_kind", provenance.device_kind},
      {"device_name", provenance.device_name},
      {"kernel_path", provenance.kernel_path},
      {"thread_count", provenance.thread_count},
      {"inputs", std::move(inputs)},
      {"spec_sha256", canonical.ok() ? ordered_json(Sha256Hex(*canonical)) : ordered_json(nullptr)},
      {"spec", std::move(spec)}};
}

std::string JsonText(const ordered_json& json) {
  std::string text;
  AppendJson(json, 0, text);
  text += '\n';
  return text;
}

}  // namespace sasq
