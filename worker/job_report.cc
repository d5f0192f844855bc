#include "worker/job_report.h"

#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <utility>

#include "absl/strings/strip.h"
#include "common/metrics.h"
#include "common/resource_usage.h"
#include "common/status_macros.h"
#include "quant/artifact/artifact.h"
#include "quant/format/flop_count.h"
#include "worker/capabilities.h"
#include "worker/recipes.h"

namespace sasq {
namespace {

std::string SpecJson(const v1::JobSpec& spec) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  SASQ_CHECK(google::protobuf::util::MessageToJsonString(spec, &json, options).ok());
  return json;
}

// The last part of a `file:` URI: what people call the file or folder.
std::string BaseName(const std::string& uri) {
  std::filesystem::path path(std::string(absl::StripPrefix(uri, "file:")));
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

Provenance MakeProvenance(const v1::JobSpec& spec, const worker::v1::TaskInputs& digests,
                          const QuantizeTaskOptions& options) {
  Provenance provenance;
  provenance.code_version = std::string(Version());
  const v1::WorkerCapabilities& capabilities = options.capabilities;
  provenance.device_kind = DeviceKindName(capabilities);
  provenance.device_name = capabilities.device_name();
  provenance.kernel_path = capabilities.kernel_path();
  provenance.thread_count = capabilities.thread_count();
  provenance.inputs = {
      {"model", spec.model().uri(), digests.base_weight_sha256()},
      {"training_text", spec.training_text().uri(), digests.training_text_sha256()},
      {"evaluation_text", spec.evaluation_text().uri(), digests.evaluation_text_sha256()}};
  provenance.spec_json = SpecJson(spec);
  return provenance;
}

ComparisonRow MakeRow(const worker::v1::MeasuredRow& measured) {
  const v1::ReportRow& row = measured.row();
  ComparisonRow result;
  result.method = MethodName(row.method());
  result.first_token = FirstTokenName(row.first_token());
  result.perplexity = row.perplexity();
  result.window_count = row.window_count();
  result.token_count = row.token_count();
  result.evaluation_seconds = row.evaluation_seconds();
  result.preparation_seconds = row.preparation_seconds();
  result.window_mean_loss = {measured.window_mean_losses().begin(),
                             measured.window_mean_losses().end()};
  return result;
}

int64_t TokenCount(const std::vector<TokenWindow>& windows) {
  int64_t count = 0;
  for (const TokenWindow& window : windows) count += static_cast<int64_t>(window.size());
  return count;
}

Samples MakeSamples(const v1::JobSpec& spec, const JobInputs& inputs,
                    const worker::v1::TaskCheckpoint& state) {
  Samples samples;
  if (state.calibrated_scales_size() > 0) {
    samples.calibration_windows = static_cast<int64_t>(inputs.calibration_windows.size());
    samples.calibration_tokens = TokenCount(inputs.calibration_windows);
  }
  for (const v1::Recipe& recipe : RecipesOf(spec)) {
    if (recipe.method() != v1::METHOD_SASQ) continue;
    const v1::TrainingOptions& training = recipe.training();
    samples.training_windows += training.step_count();
    samples.training_tokens += int64_t{training.step_count()} * training.window_tokens();
  }
  samples.evaluation_windows = static_cast<int64_t>(inputs.evaluation_windows.size());
  samples.evaluation_tokens = TokenCount(inputs.evaluation_windows);
  return samples;
}

double FlopCount(const v1::JobSpec& spec, const JobInputs& inputs,
                 const worker::v1::TaskCheckpoint& state, const Samples& samples) {
  const ModelConfig& config = inputs.model->config();
  double flops = 0;
  if (samples.calibration_windows > 0) {
    for (const TokenWindow& window : inputs.calibration_windows) {
      flops += ForwardFlopCount(config, static_cast<int64_t>(window.size()));
    }
  }
  for (const v1::Recipe& recipe : RecipesOf(spec)) {
    if (recipe.method() != v1::METHOD_SASQ) continue;
    flops += recipe.training().step_count() *
             TrainingStepFlopCount(config, recipe.training().window_tokens());
  }
  for (const TokenWindow& window : inputs.evaluation_windows) {
    flops +=
        state.measured_rows_size() * ForwardFlopCount(config, static_cast<int64_t>(window.size()));
  }
  return flops;
}

}  // namespace

absl::StatusOr<std::vector<dispatch::v1::ArtifactFile>> MakeArtifactFiles(
    const v1::JobSpec& spec, const JobInputs& inputs, const worker::v1::TaskCheckpoint& state,
    std::vector<TrainingRecord> trainings, const std::vector<float>& scales,
    const QuantizeTaskOptions& options) {
  Report report;
  report.model = BaseName(spec.model().uri());
  report.dataset = BaseName(spec.evaluation_text().uri());
  report.method = MethodName(spec.recipe().method());
  report.first_token = FirstTokenName(spec.recipe().first_token());
  for (const auto& measured : state.measured_rows()) report.rows.push_back(MakeRow(measured));
  report.trainings = std::move(trainings);
  report.samples = MakeSamples(spec, inputs, state);
  report.cost.wall_seconds = state.wall_seconds();
  report.cost.cpu_seconds = state.cpu_seconds();
  report.cost.flop_count = FlopCount(spec, inputs, state, report.samples);
  report.cost.peak_memory_bytes = PeakMemoryBytes();
  report.provenance = MakeProvenance(spec, inputs.digests, options);

  ScalePack pack;
  pack.method = report.method;
  pack.first_token = report.first_token;
  pack.base_weight_sha256 = inputs.digests.base_weight_sha256();
  pack.layer_count = static_cast<int>(inputs.model->config().layer_count);
  for (size_t i = 0; i < scales.size(); ++i) {
    pack.prefill_scales[inputs.model->sites()[i]] = scales[i];
  }
  pack.spec_json = report.provenance.spec_json;
  pack.code_version = report.provenance.code_version;

  SASQ_ASSIGN_OR_RETURN(std::vector<NamedFile> files, AssembleArtifact(pack, report));
  std::vector<dispatch::v1::ArtifactFile> result;
  for (NamedFile& file : files) {
    dispatch::v1::ArtifactFile& added = result.emplace_back();
    added.set_file_name(std::move(file.file_name));
    added.set_content(std::move(file.content));
  }
  return result;
}

}  // namespace sasq
