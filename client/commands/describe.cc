#include "client/commands/describe.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/command.h"
#include "client/enum_names.h"
#include "client/exit_code.h"
#include "client/progress.h"
#include "client/text.h"
#include "quant/gates/gates.h"

namespace sasq {
namespace {

std::string DescribeText(const v1::TextSource& text) {
  if (text.layout() == v1::TEXT_LAYOUT_WIKITEXT_ROWS) return text.uri() + " (wikitext rows)";
  if (text.layout() == v1::TEXT_LAYOUT_JSON_LINES) {
    return absl::StrCat(text.uri(), " (JSON lines, field ",
                        text.json_field().empty() ? "text" : text.json_field(), ")");
  }
  return text.uri();
}

template <typename Enum>
void AddChoice(Enum value, Enum nothing, const google::protobuf::EnumDescriptor* type,
               absl::string_view what, std::vector<std::string>& parts) {
  if (value == nothing || static_cast<int>(value) == 0) return;
  parts.push_back(absl::StrCat(what, ShortEnumName(type, value)));
}

void DescribeTraining(const v1::TrainingOptions& training, std::vector<std::string>& parts) {
  if (training.step_count() > 0) parts.push_back(absl::StrCat(training.step_count(), " steps"));
  if (training.window_tokens() > 0) {
    parts.push_back(absl::StrCat(training.window_tokens(), " tokens each"));
  }
  if (training.learning_rate() > 0) {
    parts.push_back(absl::StrCat("learning rate ", training.learning_rate()));
  }
  AddChoice(training.loss(), v1::TRAINING_LOSS_CROSS_ENTROPY, v1::TrainingLoss_descriptor(),
            "loss ", parts);
}

std::string MethodText(const v1::Recipe& recipe) {
  return recipe.method() == v1::METHOD_UNSPECIFIED
             ? ShortEnumName(v1::Preset_descriptor(), recipe.preset())
             : ShortEnumName(v1::Method_descriptor(), recipe.method());
}

// What is not the usual, besides method and first token.
std::vector<std::string> RecipeOptions(const v1::Recipe& recipe) {
  std::vector<std::string> parts;
  AddChoice(recipe.activations(), v1::ACTIVATIONS_UNSPECIFIED, v1::Activations_descriptor(), "",
            parts);
  AddChoice(recipe.rotation(), v1::ROTATION_NONE, v1::Rotation_descriptor(), "rotation ", parts);
  if (recipe.has_smoothing()) parts.push_back("smoothed");
  AddChoice(recipe.scale_rule(), v1::SCALE_RULE_UNSPECIFIED, v1::ScaleRule_descriptor(), "scales ",
            parts);
  if (recipe.sites().max_float_flops() > 0) {
    parts.push_back(absl::StrCat("up to ", 100 * recipe.sites().max_float_flops(), "% in float"));
  }
  if (recipe.sites().max_dynamic_flops() > 0) {
    parts.push_back(absl::StrCat("up to ", 100 * recipe.sites().max_dynamic_flops(), "% dynamic"));
  }
  if (recipe.sites().float_sites_size() > 0) {
    parts.push_back(absl::StrCat("float: ", absl::StrJoin(recipe.sites().float_sites(), " ")));
  }
  if (recipe.sites().dynamic_sites_size() > 0) {
    parts.push_back(absl::StrCat("dynamic: ", absl::StrJoin(recipe.sites().dynamic_sites(), " ")));
  }
  if (recipe.activation_bits() > 0 && recipe.activation_bits() < 8) {
    parts.push_back(absl::StrCat(recipe.activation_bits(), "-bit activations"));
  }
  if (recipe.weight_bits() > 0 && recipe.weight_bits() < 8) {
    parts.push_back(absl::StrCat(recipe.weight_bits(), "-bit weights"));
  }
  if (recipe.has_training()) DescribeTraining(recipe.training(), parts);
  return parts;
}

// The name and what it stands for, as far as it is not the usual.
std::string DescribeRecipe(const v1::Recipe& recipe) {
  const std::string method = MethodText(recipe);
  std::vector<std::string> parts = {method};
  AddChoice(recipe.first_token(), v1::FIRST_TOKEN_QUANTIZED, v1::FirstToken_descriptor(),
            "first token ", parts);
  for (std::string& option : RecipeOptions(recipe)) parts.push_back(std::move(option));
  const bool is_named = !recipe.name().empty() && recipe.name() != method;
  return absl::StrCat(is_named ? recipe.name() + ": " : "", absl::StrJoin(parts, ", "));
}

std::string DescribeWindows(int windows, int tokens) {
  return absl::StrCat(windows == 0 ? "all windows" : absl::StrCat(windows), " x ", tokens,
                      " tokens");
}

std::string DescribeEvaluation(const v1::EvaluationOptions& evaluation) {
  std::string text = DescribeWindows(evaluation.window_count(), evaluation.window_tokens());
  if (evaluation.stride_tokens() > 0 && evaluation.stride_tokens() < evaluation.window_tokens()) {
    absl::StrAppend(&text, ", one every ", evaluation.stride_tokens());
  }
  if (evaluation.decode_window_count() > 0) {
    absl::StrAppend(&text, "; ", evaluation.decode_window_count(), " decoded");
  }
  if (evaluation.agreement_window_count() > 0) {
    absl::StrAppend(&text, "; ", evaluation.agreement_window_count(), " compared with fp");
  }
  return text;
}

std::string Ago(const google::protobuf::Timestamp& time, absl::Time now) {
  return absl::StrCat(TimeText(time), " (", DurationText(now - ToTime(time)), " ago)");
}

}  // namespace

KeyValues DescribeSpec(const v1::JobSpec& spec) {
  KeyValues pairs = DescribeInputs(spec);
  if (spec.has_recipe()) pairs.push_back({"recipe", DescribeRecipe(spec.recipe())});
  for (const v1::Recipe& baseline : spec.baselines()) {
    pairs.push_back(
        {pairs.back().first == "baselines" || pairs.back().first.empty() ? "" : "baselines",
         DescribeRecipe(baseline)});
  }
  for (auto& pair : DescribeMeasures(spec)) pairs.push_back(std::move(pair));
  return pairs;
}

Table RecipeTable(const v1::JobSpec& spec) {
  Table table({{"row"}, {"method"}, {"first token"}, {"options"}});
  const auto add = [&table](const v1::Recipe& recipe, TextColor color) {
    const std::string method = MethodText(recipe);
    table.AddRow({{recipe.name().empty() ? method : recipe.name(), color},
                  method,
                  recipe.first_token() == v1::FIRST_TOKEN_UNSPECIFIED
                      ? ""
                      : ShortEnumName(v1::FirstToken_descriptor(), recipe.first_token()),
                  absl::StrJoin(RecipeOptions(recipe), ", ")});
  };
  if (spec.has_recipe()) add(spec.recipe(), TextColor::kBold);
  for (const v1::Recipe& baseline : spec.baselines()) add(baseline, TextColor::kPlain);
  return table;
}

KeyValues DescribeInputs(const v1::JobSpec& spec) {
  KeyValues pairs;
  if (!spec.display_name().empty()) pairs.push_back({"name", spec.display_name()});
  if (spec.kind() == v1::JOB_KIND_COMPARE) pairs.push_back({"kind", std::string("comparison")});
  pairs.push_back({"model", spec.model().uri()});
  pairs.push_back({"training text", DescribeText(spec.training_text())});
  pairs.push_back({"evaluation text", DescribeText(spec.evaluation_text())});
  return pairs;
}

KeyValues DescribeMeasures(const v1::JobSpec& spec) {
  KeyValues pairs;
  if (spec.calibration().window_tokens() > 0) {
    pairs.push_back({"calibration", DescribeWindows(spec.calibration().window_count(),
                                                    spec.calibration().window_tokens())});
  }
  if (spec.evaluation().window_tokens() > 0) {
    pairs.push_back({"evaluation", DescribeEvaluation(spec.evaluation())});
  }
  for (const v1::NamedText& text : spec.evaluation().other_texts()) {
    pairs.push_back({"other text", absl::StrCat(text.name(), ": ", DescribeText(text.text()))});
  }
  for (const v1::NamedText& task : spec.evaluation().tasks()) {
    pairs.push_back({"task", absl::StrCat(task.name(), ": ", task.text().uri())});
  }
  if (spec.evaluation().has_prompts()) {
    pairs.push_back({"prompts", spec.evaluation().prompts().uri()});
  }
  for (const Gate& gate : GatesOf(spec.gates())) {
    pairs.push_back({"gate", absl::StrCat(GateName(gate), "=", gate.bound)});
  }
  if (spec.device_kind() != v1::DEVICE_KIND_UNSPECIFIED) {
    pairs.push_back({"device", ShortEnumName(v1::DeviceKind_descriptor(), spec.device_kind())});
  }
  return pairs;
}

KeyValues DescribeJob(const v1::Job& job, absl::Time now) {
  KeyValues pairs;
  pairs.push_back({"job", {job.name(), TextColor::kBold}});
  pairs.push_back(
      {"state", {ShortEnumName(v1::JobState_descriptor(), job.state()), ColorOf(job.state())}});
  if (!job.waiting_reason().empty()) pairs.push_back({"waits", job.waiting_reason()});
  if (job.has_error()) {
    pairs.push_back(
        {"error",
         {absl::StrCat(ShortEnumName(v1::JobFailureReason_descriptor(), job.error().reason()), ": ",
                       job.error().message()),
          TextColor::kRed}});
  }
  if (job.state() == v1::JOB_STATE_RUNNING) {
    ProgressTracker tracker;
    tracker.Update(job, now);
    pairs.push_back({"progress", RenderPlain(tracker, now)});
  }
  if (!job.worker().empty()) pairs.push_back({"worker", job.worker()});
  if (job.attempt_count() > 0) {
    pairs.push_back(
        {"attempt", absl::StrCat(job.attempt_count(), " of ", job.spec().max_attempts())});
  }
  if (!job.reused_from().empty()) {
    pairs.push_back({"computed", absl::StrCat("no: it is the result of ", job.reused_from())});
  }
  if (!job.tenant().empty()) pairs.push_back({"tenant", job.tenant()});
  pairs.push_back({"created", Ago(job.create_time(), now)});
  if (job.has_start_time()) pairs.push_back({"started", Ago(job.start_time(), now)});
  if (job.has_end_time()) pairs.push_back({"ended", Ago(job.end_time(), now)});
  if (!job.artifact().empty()) {
    pairs.push_back(
        {"artifact", absl::StrCat(job.artifact(), IsGateFailure(job) ? ", rejected" : "")});
  }
  for (const v1::GateResult& result : job.gate_results()) {
    pairs.push_back(
        {result.passed() ? "gate passed" : "gate failed",
         {DescribeGate(result), result.passed() ? TextColor::kGreen : TextColor::kRed}});
  }
  for (auto& pair : DescribeSpec(job.spec())) pairs.push_back(std::move(pair));
  return pairs;
}

}  // namespace sasq
