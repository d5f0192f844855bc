// Puts an artifact together.
#ifndef SASQ_QUANT_ARTIFACT_ARTIFACT_H_
#define SASQ_QUANT_ARTIFACT_ARTIFACT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/artifact/report.h"
#include "quant/artifact/scale_pack.h"

namespace sasq {

struct NamedFile {
  std::string file_name;
  std::string content;
};

// scales.safetensors where there is a pack (a comparison has none), report.json, report.html,
// report.md and manifest.json, which lists the others, in this order. INVALID_ARGUMENT if the pack
// breaks a rule of scale_pack.h.
absl::StatusOr<std::vector<NamedFile>> AssembleArtifact(const std::optional<ScalePack>& pack,
                                                        const Report& report);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_ARTIFACT_H_
