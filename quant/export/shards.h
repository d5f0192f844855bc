// The weight files of an export.
#ifndef SASQ_QUANT_EXPORT_SHARDS_H_
#define SASQ_QUANT_EXPORT_SHARDS_H_

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/export/tensor_plan.h"

namespace sasq {

struct ShardOptions {
  std::string folder;           // is there, and empty of weights
  int64_t max_shard_bytes = 0;  // of tensors in a file; a file holds at least one planned tensor
  // Called now and then with the bytes that are written, of all. May be null.
  std::function<void(int64_t done_bytes, int64_t total_bytes)> on_progress;
  std::stop_token stop;
};

// Writes the tensors in their order into `model.safetensors`, or into
// `model-00001-of-0000N.safetensors` ... and `model.safetensors.index.json` if one file would be
// too large, with the metadata {"format": "pt"}. Each tensor is made, written at its place and
// forgotten. Returns the bytes of all tensors. RESOURCE_EXHAUSTED when the disk is full, CANCELLED
// when asked to stop, and the errors of the tensors.
absl::StatusOr<int64_t> WriteShards(absl::Span<const PlannedTensor> tensors,
                                    const ShardOptions& options);

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_SHARDS_H_
