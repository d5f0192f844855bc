#include "worker/job_report.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/metrics.h"
#include "common/status_macros.h"
#include "quant/artifact/artifact.h"
#include "quant/artifact/report.h"
#include "quant/format/site_rule.h"
#include "quant/gates/gates.h"
#include "quant/source/source_uri.h"
#include "worker/capabilities.h"
#include "worker/recipes.h"
#include "worker/report_row.h"

namespace sasq {
namespace {

std::string SpecJson(const v1::JobSpec& spec) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  SASQ_CHECK(google::protobuf::util::MessageToJsonString(spec, &json, options).ok());
  return json;
}

Provenance MakeProvenance(const v1::JobSpec& spec, const JobInputs& inputs,
                          const QuantizeTaskOptions& options) {
  Provenance provenance;
  provenance.code_version = std::string(Version());
  const v1::WorkerCapabilities& capabilities = options.capabilities;
  provenance.device_kind = DeviceKindName(capabilities);
  provenance.device_name = capabilities.device_name();
  provenance.kernel_path = capabilities.kernel_path();
  provenance.thread_count = capabilities.thread_count();
  provenance.inputs = {{"model", inputs.model_uri, inputs.digests.base_weight_sha256()}};
  provenance.inputs.insert(provenance.inputs.end(), inputs.files.begin(), inputs.files.end());
  provenance.spec_json = SpecJson(spec);
  return provenance;
}

Samples MakeSamples(const v1::JobSpec& spec, const JobInputs& inputs) {
  Samples samples;
  samples.evaluation_windows = static_cast<int64_t>(inputs.texts.front().windows.size());
  samples.evaluation_tokens = samples.evaluation_windows * spec.evaluation().window_tokens();
  for (const v1::Recipe& recipe : RecipesOf(spec)) {
    if (recipe.activations() == v1::ACTIVATIONS_STATIC) {
      samples.calibration_windows = static_cast<int64_t>(inputs.calibration_windows.size());
      samples.calibration_tokens = samples.calibration_windows * spec.calibration().window_tokens();
    }
    samples.training_windows += recipe.training().step_count();
    samples.training_tokens +=
        int64_t{recipe.training().step_count()} * recipe.training().window_tokens();
  }
  return samples;
}

// The job's energy is that of its rows: known where every row's is.
Cost MakeCost(const worker::v1::TaskCheckpoint& state) {
  Cost cost;
  cost.wall_seconds = state.wall_seconds();
  cost.cpu_seconds = state.cpu_seconds();
  cost.joules = 0;
  for (const worker::v1::MeasuredRow& measured : state.measured_rows()) {
    const v1::RowCost& row = measured.row().cost();
    cost.flop_count += row.flop_count();
    cost.peak_memory_bytes = std::max(cost.peak_memory_bytes, row.peak_memory_bytes());
    if (!row.has_joules()) {
      cost.joules = std::nullopt;
    } else if (cost.joules.has_value()) {
      *cost.joules += row.joules();
    }
  }
  return cost;
}

ScalePack MakePack(const v1::JobSpec& spec, const JobInputs& inputs,
                   const worker::v1::MeasuredRow& measured, const Provenance& provenance) {
  ScalePack pack;
  pack.method = MethodName(spec.recipe().method());
  pack.first_token = FirstTokenName(spec.recipe().first_token());
  pack.prefix_tokens = {measured.prefix_tokens().begin(), measured.prefix_tokens().end()};
  pack.base_weight_sha256 = inputs.digests.base_weight_sha256();
  pack.layer_count = static_cast<int>(inputs.model->config().layer_count);
  for (int i = 0; i < measured.sites_size(); ++i) {
    const SiteId site = inputs.model->sites()[static_cast<size_t>(i)];
    switch (static_cast<SitePrecision>(measured.sites(i).precision())) {
      case SitePrecision::kFloat:
        pack.float_sites.insert(site);
        break;
      case SitePrecision::kDynamic:
        pack.dynamic_sites.insert(site);
        break;
      default:
        pack.prefill_scales[site] = measured.sites(i).scale();
    }
    const auto& factors = measured.sites(i).smoothing_factors();
    if (!factors.empty()) pack.smoothing_factors[site] = {factors.begin(), factors.end()};
  }
  pack.spec_json = provenance.spec_json;
  pack.code_version = provenance.code_version;
  return pack;
}

// What the coordinator will say of the same rows.
std::vector<GateVerdict> JudgeRows(const v1::JobSpec& spec,
                                   const worker::v1::TaskCheckpoint& state) {
  google::protobuf::RepeatedPtrField<v1::ReportRow> rows;
  for (const worker::v1::MeasuredRow& measured : state.measured_rows()) {
    *rows.Add() = measured.row();
  }
  std::vector<GateVerdict> verdicts;
  for (const v1::GateResult& result :
       EvaluateGates(spec, spec.gates(), spec.recipe().name(), rows)) {
    GateVerdict& verdict = verdicts.emplace_back();
    verdict.gate = result.gate();
    verdict.text = result.text();
    if (result.has_value()) verdict.value = result.value();
    verdict.bound = result.bound();
    verdict.passed = result.passed();
    verdict.words = DescribeGate(result);
  }
  return verdicts;
}

}  // namespace

absl::StatusOr<std::string> MakeScalePackFile(const v1::JobSpec& spec, const JobInputs& inputs,
                                              const worker::v1::MeasuredRow& measured,
                                              const QuantizeTaskOptions& options) {
  return SerializeScalePack(
      MakePack(spec, inputs, measured, MakeProvenance(spec, inputs, options)));
}

absl::StatusOr<std::vector<dispatch::v1::ArtifactFile>> MakeArtifactFiles(
    const v1::JobSpec& spec, const JobInputs& inputs, const worker::v1::TaskCheckpoint& state,
    const QuantizeTaskOptions& options) {
  Report report;
  report.kind = spec.kind() == v1::JOB_KIND_COMPARE ? "compare" : "quantize";
  report.model = SourceName(spec.model().uri());
  report.dataset = SourceName(spec.evaluation_text().uri());
  report.recipe = spec.recipe().name();
  report.gates = JudgeRows(spec, state);
  report.samples = MakeSamples(spec, inputs);
  report.cost = MakeCost(state);
  report.provenance = MakeProvenance(spec, inputs, options);
  std::optional<ScalePack> pack;
  for (const worker::v1::MeasuredRow& measured : state.measured_rows()) {
    report.rows.push_back(MakeReportRow(measured, inputs));
    if (spec.has_recipe() && measured.row().name() == spec.recipe().name()) {
      pack = MakePack(spec, inputs, measured, report.provenance);
    }
  }

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
