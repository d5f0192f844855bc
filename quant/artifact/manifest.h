// `manifest.json`: the artifact's files by digest, and where they come from.
#ifndef SASQ_QUANT_ARTIFACT_MANIFEST_H_
#define SASQ_QUANT_ARTIFACT_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quant/artifact/provenance.h"

namespace sasq {

inline constexpr char kManifestFileName[] = "manifest.json";

struct ManifestFile {
  std::string file_name;
  std::string sha256;
  int64_t size_bytes = 0;
  // Whether another run of the same spec on the same inputs and kind of device gives the same
  // bytes. Reports hold measured seconds and are not reproducible.
  bool reproducible = false;

  bool operator==(const ManifestFile&) const = default;
};

struct Manifest {
  std::vector<ManifestFile> files;  // all but the manifest itself
  bool rejected = false;            // a quality gate of the job was not passed
  Provenance provenance;

  bool operator==(const Manifest&) const = default;
};

// {"format_version": 2, "files": [{"file_name", "sha256", "size_bytes", "reproducible"}],
// "rejected": false, "provenance": {"code_version", "device_kind", "device_name", "kernel_path",
// "thread_count", "inputs": [{"role", "uri", "sha256"}], "spec_sha256", "spec": {...}}}.
// `spec_sha256` is that of the spec's canonical JSON (canonical_json.h). It holds no time and no
// measured figure: two runs differ only in the digests of files that are not reproducible.
std::string ManifestJson(const Manifest& manifest);

// Reads a manifest. `what` names it in errors. FAILED_PRECONDITION if its format version is another
// one; INVALID_ARGUMENT naming the field that is missing or not what is said above, such as a file
// name with a folder in it or a `spec_sha256` that is not that of the spec.
absl::StatusOr<Manifest> ParseManifest(absl::string_view json, absl::string_view what);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_MANIFEST_H_
