#include "quant/artifact/manifest.h"

#include <utility>

#include "quant/artifact/provenance_json.h"

namespace sasq {

using nlohmann::ordered_json;

std::string ManifestJson(const Manifest& manifest) {
  ordered_json files = ordered_json::array();
  for (const ManifestFile& file : manifest.files) {
    files.push_back({{"file_name", file.file_name},
                     {"sha256", file.sha256},
                     {"size_bytes", file.size_bytes},
                     {"reproducible", file.reproducible}});
  }
  return JsonText({{"format_version", 1},
                   {"files", std::move(files)},
                   {"provenance", ProvenanceToJson(manifest.provenance)}});
}

}  // namespace sasq
