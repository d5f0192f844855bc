// What serving engines do with an export, as found in their code (docs/serving.md names the files
// and versions).
#ifndef SASQ_QUANT_EXPORT_ENGINE_H_
#define SASQ_QUANT_EXPORT_ENGINE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

enum class Engine { kTransformers, kVllm, kSglang };

// What runs the engine: a CPU, or an NVIDIA GPU by compute capability.
struct ServingDevice {
  bool is_cpu = false;
  int capability = 0;  // 90 for 9.0; of a GPU
};

// "sm_90" or "cpu". INVALID_ARGUMENT for anything else.
absl::StatusOr<ServingDevice> ParseServingDevice(absl::string_view text);

// One sentence for each thing that a user of `engine` should know; none where static scales are
// used as they are. Without a device, what holds on any.
std::vector<std::string> EngineWarnings(Engine engine, const std::optional<ServingDevice>& device);

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_ENGINE_H_
