// `manifest.json`: the artifact's files by digest, and where they come from.
#ifndef SASQ_QUANT_ARTIFACT_MANIFEST_H_
#define SASQ_QUANT_ARTIFACT_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

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
};

struct Manifest {
  std::vector<ManifestFile> files;  // all but the manifest itself
  Provenance provenance;
};

// {"format_version": 1, "files": [{"file_name", "sha256", "size_bytes", "reproducible"}],
// "provenance": {"code_version", "device_kind", "device_name", "kernel_path", "thread_count",
// "inputs": [{"role", "uri", "sha256"}], "spec": {...}}}. It holds no time and no measured figure:
// two runs differ only in the digests of files that are not reproducible.
std::string ManifestJson(const Manifest& manifest);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_MANIFEST_H_
