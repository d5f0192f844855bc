#include "client/spec_flags.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/gate_flags.h"
#include "client/spec_fields.h"
#include "client/spec_file.h"
#include "client/spec_uploads.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr SpecFlag kSpecFlags[] = {
    {"--model", "model.uri", "SOURCE",
     "Hugging Face folder of the model as the worker sees it, hf:ORG/NAME@REV, s3://BUCKET/PREFIX, "
     "or "
     "upload:DIR"},
    {"--train-text", "training_text.uri", "FILE", "UTF-8 text to calibrate and train on"},
    {"--train-layout", "training_text.layout", "LAYOUT",
     "plain (default), wikitext-rows or json-lines"},
    {"--train-json-field", "training_text.json_field", "FIELD", "Of json-lines (default: text)"},
    {"--eval-text", "evaluation_text.uri", "FILE", "UTF-8 text to measure perplexity on"},
    {"--eval-layout", "evaluation_text.layout", "LAYOUT",
     "plain (default), wikitext-rows or json-lines"},
    {"--eval-json-field", "evaluation_text.json_field", "FIELD", "Of json-lines (default: text)"},
    {"--name", "display_name", "TEXT", "A name for people"},
    {"--preset", "recipe.preset", "PRESET",
     "A recipe that is known to work: sasq_serve or sasq_max"},
    {"--method", "recipe.method", "METHOD", "sasq (default) or another method with static scales"},
    {"--first-token", "recipe.first_token", "WHAT",
     "First token of a sequence: quantized (default), float or prefix"},
    {"--scale-rule", "recipe.scale_rule", "RULE",
     "Where static scales come from or start: mse, absmax_mean, absmax_max or percentile"},
    {"--percentile", "recipe.percentile", "X", "Magnitudes that are not clipped, in percent"},
    {"--rotation", "recipe.rotation", "ROTATION", "none, folded or online"},
    {"--activations", "recipe.activations", "KIND", "static or dynamic, where a method knows both"},
    {"--activation-bits", "recipe.activation_bits", "N", "Bits of activations, 4 to 8"},
    {"--weight-bits", "recipe.weight_bits", "N", "Bits of weights, 4 to 8"},
    {"--max-float-flops", "recipe.sites.max_float_flops", "SHARE",
     "Leave the worst sites in float, up to this share of the arithmetic"},
    {"--max-dynamic-flops", "recipe.sites.max_dynamic_flops", "SHARE",
     "Give the worst sites one scale per token, up to this share of the arithmetic"},
    {"--steps", "recipe.training.step_count", "N", "Training steps"},
    {"--window-tokens", "recipe.training.window_tokens", "N", "Tokens of a training step"},
    {"--learning-rate", "recipe.training.learning_rate", "X", "Peak learning rate"},
    {"--warmup-steps", "recipe.training.warmup_step_count", "N", "Linear warm-up steps"},
    {"--loss", "recipe.training.loss", "LOSS", "cross_entropy (default) or kl_divergence"},
    {"--calibration-windows", "calibration.window_count", "N", "Windows of calibration"},
    {"--calibration-tokens", "calibration.window_tokens", "N", "Tokens of a calibration window"},
    {"--eval-windows", "evaluation.window_count", "N", "Windows of evaluation, 0 for all"},
    {"--eval-tokens", "evaluation.window_tokens", "N", "Tokens of an evaluation window"},
    {"--eval-stride", "evaluation.stride_tokens", "N", "Tokens between the begins of two windows"},
    {"--decode-windows", "evaluation.decode_window_count", "N",
     "Windows whose second half is decoded"},
    {"--agreement-windows", "evaluation.agreement_window_count", "N",
     "Windows on which predictions are compared with the float model's"},
    {"--prompts", "evaluation.prompts.uri", "FILE", "Prompts to answer greedily, JSON lines"},
    {"--generated-tokens", "evaluation.generated_tokens", "N", "Tokens of an answer"},
    {"--max-attempts", "max_attempts", "N", "Attempts before the job fails for good"},
    {"--attempt-timeout", "attempt_timeout", "TIME", "An attempt that takes longer is given up"},
    {"--retry-pause", "retry.initial_backoff", "TIME",
     "Pause after the first attempt that failed; it doubles with each"},
    {"--priority", "priority", "N", "0 to 1000; a minute of waiting counts as a point"},
    {"--device", "device_kind", "KIND", "Run on cpu or cuda (default: any)"},
    {"--min-worker-memory", "min_worker_memory_bytes", "BYTES",
     "Run only on a worker with this much memory"},
    {"--seed", "seed", "N", "Seed of every random choice"},
};

// The texts that a flag names.
google::protobuf::RepeatedPtrField<v1::NamedText> ReadNamedTexts(
    const char* flag, const std::vector<std::string>& arguments,
    std::vector<FieldViolation>& problems) {
  google::protobuf::RepeatedPtrField<v1::NamedText> texts;
  for (const std::string& argument : arguments) {
    const absl::Status status = ParseNamedText(argument, texts.Add());
    if (!status.ok()) problems.push_back({flag, std::string(status.message())});
  }
  return texts;
}

}  // namespace

absl::Span<const SpecFlag> SpecFlags() { return kSpecFlags; }

absl::StatusOr<v1::JobSpec> BuildSpec(const SpecArguments& arguments) {
  v1::JobSpec spec;
  if (!arguments.spec_file.empty()) {
    SASQ_ASSIGN_OR_RETURN(spec, ReadSpecFile(arguments.spec_file));
  }
  std::vector<FieldViolation> problems;
  for (const SpecFlag& flag : kSpecFlags) {
    const auto value = arguments.values.find(flag.flag);
    if (value == arguments.values.end()) continue;
    if (arguments.compare && absl::StartsWith(flag.path, "recipe.")) {
      problems.push_back({flag.flag,
                          "is about the one recipe of `submit`; a comparison has --baseline, or "
                          "`baselines` with options in a spec file"});
      continue;
    }
    const absl::Status status = SetFieldAt(&spec, flag.path, value->second);
    if (!status.ok()) problems.push_back({flag.flag, std::string(status.message())});
  }
  if (!arguments.baselines.empty()) spec.clear_baselines();
  for (const std::string& baseline : arguments.baselines) {
    const absl::Status status = ParseRecipe(baseline, spec.add_baselines());
    if (!status.ok()) problems.push_back({"--baseline", std::string(status.message())});
  }
  if (!arguments.other_texts.empty()) {
    *spec.mutable_evaluation()->mutable_other_texts() =
        ReadNamedTexts("--other-text", arguments.other_texts, problems);
  }
  if (!arguments.tasks.empty()) {
    *spec.mutable_evaluation()->mutable_tasks() =
        ReadNamedTexts("--task", arguments.tasks, problems);
  }
  SetGates(arguments.gates, spec, problems);
  if (arguments.no_cache) spec.set_no_cache(true);
  if (arguments.compare) spec.set_kind(v1::JOB_KIND_COMPARE);
  // Options without a method mean the default one, which the service asks for by name.
  const v1::Recipe& recipe = spec.recipe();
  if (spec.has_recipe() && recipe.method() == v1::METHOD_UNSPECIFIED &&
      recipe.preset() == v1::PRESET_UNSPECIFIED) {
    spec.mutable_recipe()->set_method(v1::METHOD_SASQ);
  }
  SASQ_RETURN_IF_ERROR(FieldViolationsStatus(problems, "INVALID_FLAG"));

  std::error_code error;
  const std::filesystem::path folder = std::filesystem::current_path(error);
  if (error) return absl::InvalidArgumentError("the working folder is gone; change to another");
  ResolveUris(folder.string(), &spec);
  if (arguments.upload) MarkForUpload(&spec);
  return spec;
}

absl::Status NameFlags(const absl::Status& status) {
  std::vector<FieldViolation> violations = FieldViolationsOf(status);
  if (violations.empty()) return status;
  for (FieldViolation& violation : violations) {
    for (const SpecFlag& flag : kSpecFlags) {
      if (violation.field == absl::StrCat("spec.", flag.path)) {
        absl::StrAppend(&violation.description, " (", flag.flag, ")");
      }
    }
    for (const GateKind& kind : GateKinds()) {
      if (violation.field == absl::StrCat("spec.gates.", kind.field)) {
        absl::StrAppend(&violation.description, " (--gate ", kind.name, ")");
      }
    }
  }
  return FieldViolationsStatus(violations, ReasonOf(status));
}

}  // namespace sasq
