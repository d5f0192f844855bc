// A causal language model of the LLaMA family, read from a Hugging Face folder.
#ifndef SASQ_QUANT_MODEL_MODEL_H_
#define SASQ_QUANT_MODEL_MODEL_H_

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/format/checkpoint.h"
#include "quant/format/model_config.h"
#include "quant/format/site.h"
#include "quant/model/compute_device.h"

namespace sasq {

// The unquantized model. Weights stay mapped from the files in the type they are stored in and are
// converted to float32 where they are used, so that memory holds little more than what a layer
// needs. Immutable, so thread-safe; it needs no more than the folder it was loaded from.
class Model {
 public:
  // Reads config.json and the safetensors files of `folder` and checks that every tensor is there
  // with its shape and a floating-point type, and that no weight is a NaN or infinite. A fault of
  // the folder has the reason INVALID_MODEL or UNSUPPORTED_MODEL and names the file or tensor.
  // CANCELLED when `stop` is asked for. Everything is computed on `device`.
  static absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& folder,
                                                           std::stop_token stop = {},
                                                           ComputeDevice device = {});
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelConfig& config() const;
  const Checkpoint& checkpoint()
      const;  // the files that it, or what it was made from, was read from
  // Layer by layer, as AllSites has them. Scales are kept in this order.
  absl::Span<const SiteId> sites() const;
  // ModelConfig::max_tokens.
  int64_t max_tokens() const;

  // Its tensors (quant/model/model_parts.h), for those who compute.
  struct Parts;
  const Parts& parts() const { return *parts_; }

 private:
  friend class ModelBuilder;
  explicit Model(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_MODEL_H_
