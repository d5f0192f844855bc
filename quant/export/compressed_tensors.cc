#include "quant/export/compressed_tensors.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/export/folded_transforms.h"
#include "quant/export/model_card.h"
#include "quant/export/quantization_config.h"
#include "quant/export/shards.h"
#include "quant/export/staged_folder.h"
#include "quant/export/tensor_plan.h"
#include "quant/export/weight_rotation.h"
#include "quant/format/checkpoint.h"
#include "quant/format/model_config.h"
#include "quant/format/model_error.h"
#include "quant/format/site_linears.h"

namespace sasq {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxConfigBytes = 10'000'000;
constexpr char kReadme[] = "README.md";
constexpr char kBaseReadme[] = "BASE_MODEL_README.md";

// Replacing the folder must not take the model with it.
absl::Status CheckOutside(const std::string& model, const std::string& out) {
  std::error_code error;
  const fs::path inner = fs::weakly_canonical(model, error);
  const fs::path outer = fs::weakly_canonical(out, error);
  const auto end = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first;
  if (error || end != outer.end()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(out, " is the base model's folder or holds it; choose another one"));
}

absl::Status CheckLayers(const ScalePack& pack, const ModelConfig& config) {
  if (pack.layer_count == config.layer_count) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("scale pack: it has ", pack.layer_count,
                                                 " layers, config.json says ", config.layer_count));
}

absl::Status CheckFactors(const ScalePack& pack, const ModelConfig& config) {
  for (const auto& [site, factors] : pack.smoothing_factors) {
    const int64_t channels = LinearsOf(config, site).front().in_features;
    if (static_cast<int64_t>(factors.size()) == channels) continue;
    return absl::InvalidArgumentError(absl::StrCat("scale pack: ", SiteName(site), " has ",
                                                   factors.size(), " smoothing factors, the model ",
                                                   channels, " channels there"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ExportSummary> ExportCompressedTensors(const ScalePack& pack,
                                                      const ExportOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const FoldedTransforms transforms, TransformsOf(pack));
  SASQ_ASSIGN_OR_RETURN(const ModelConfig config, LoadModelConfig(options.model_folder));
  SASQ_RETURN_IF_ERROR(CheckLayers(pack, config));
  SASQ_RETURN_IF_ERROR(CheckFactors(pack, config));
  SASQ_RETURN_IF_ERROR(CheckOutside(options.model_folder, options.out_folder));
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<StagedFolder> out,
                        StagedFolder::Create(options.out_folder, options.force));
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<const Checkpoint> checkpoint,
                        Checkpoint::Open(options.model_folder));
  SASQ_RETURN_IF_ERROR(CheckBaseWeights(pack, checkpoint->Digest()));

  std::optional<WeightRotation> rotation;
  if (transforms.rotation_seed.has_value()) {
    SASQ_ASSIGN_OR_RETURN(WeightRotation made,
                          WeightRotation::Create(config, *transforms.rotation_seed));
    rotation.emplace(std::move(made));
  }
  const PlanInputs inputs{config, *checkpoint, pack, rotation.has_value() ? &*rotation : nullptr};
  SASQ_ASSIGN_OR_RETURN(const std::vector<PlannedTensor> tensors, PlanTensors(inputs));
  ExportSummary summary;
  SASQ_ASSIGN_OR_RETURN(summary.weight_bytes,
                        WriteShards(tensors, {out->path(), options.max_shard_bytes,
                                              options.on_progress, options.stop}));

  const std::string base_config = absl::StrCat(options.model_folder, "/config.json");
  absl::StatusOr<std::string> config_json = ReadFile(base_config, kMaxConfigBytes);
  if (!config_json.ok()) return ModelFileError(config_json.status());
  SASQ_ASSIGN_OR_RETURN(const std::string quantized_config,
                        QuantizedConfigJson(*config_json, config, pack, rotation.has_value()));
  SASQ_RETURN_IF_ERROR(
      WriteFileDurably(absl::StrCat(out->path(), "/config.json"), quantized_config));
  SASQ_RETURN_IF_ERROR(WriteFileDurably(absl::StrCat(out->path(), "/", kReadme),
                                        ModelCard(pack, options.report_json)));
  SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                        FilesToCarryOver(options.model_folder));
  for (const std::string& name : names) {
    SASQ_RETURN_IF_ERROR(out->CopyFile(absl::StrCat(options.model_folder, "/", name), name));
  }
  const std::string readme = absl::StrCat(options.model_folder, "/", kReadme);
  if (std::error_code error; fs::is_regular_file(readme, error)) {
    SASQ_RETURN_IF_ERROR(out->CopyFile(readme, kBaseReadme));
  }
  SASQ_RETURN_IF_ERROR(out->Publish());
  summary.static_site_count = static_cast<int>(pack.prefill_scales.size());
  summary.dynamic_site_count = static_cast<int>(pack.dynamic_sites.size());
  summary.float_site_count = static_cast<int>(pack.float_sites.size());
  return summary;
}

}  // namespace sasq
