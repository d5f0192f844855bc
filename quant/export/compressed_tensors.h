// Exports a scale pack and its base model as a Hugging Face folder in the format of
// compressed-tensors, `int-quantized` (https://github.com/vllm-project/compressed-tensors).
#ifndef SASQ_QUANT_EXPORT_COMPRESSED_TENSORS_H_
#define SASQ_QUANT_EXPORT_COMPRESSED_TENSORS_H_

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "quant/artifact/scale_pack.h"

namespace sasq {

inline constexpr int64_t kDefaultShardBytes = 5'000'000'000;

struct ExportOptions {
  std::string model_folder;  // the base model, as the job read it
  std::string out_folder;    // absent or empty, unless `force`; not the model, nor around it
  bool force = false;        // replace an earlier export
  int64_t max_shard_bytes = kDefaultShardBytes;  // at least 1
  std::string report_json;                       // of the pack's job; empty: none
  // Called now and then with the bytes of weights that are written. May be null.
  std::function<void(int64_t done_bytes, int64_t total_bytes)> on_progress;
  std::stop_token stop;
};

struct ExportSummary {
  int64_t weight_bytes = 0;  // of all tensors
  int static_site_count = 0;
  int dynamic_site_count = 0;
  int float_site_count = 0;
};

// Writes config.json, the weights (tensor_plan.h), README.md (model_card.h), the base model's own
// README.md as BASE_MODEL_README.md, and every file of staged_folder.h. The same pack, model,
// report and shard size give the same bytes. Memory holds one block of a tensor at a time, or,
// where a rotation mixes outputs, one linear in float32. Nothing is left in `out_folder` or beside
// it unless everything is. Errors: INVALID_ARGUMENT if the pack cannot be exported exactly
// (folded_transforms.h), the model is not the one that it belongs to, or is damaged;
// FAILED_PRECONDITION for an out_folder that may not be written; RESOURCE_EXHAUSTED when the disk
// is full; CANCELLED when asked to stop; and those of common/file.h.
absl::StatusOr<ExportSummary> ExportCompressedTensors(const ScalePack& pack,
                                                      const ExportOptions& options);

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_COMPRESSED_TENSORS_H_
