#include "server/spec_validation.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/sha256.h"
#include "quant/gates/gates.h"
#include "server/blob_store.h"
#include "server/field_checker.h"
#include "server/gate_validation.h"
#include "server/recipe_validation.h"
#include "server/text_rules.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

constexpr size_t kMaxDisplayNameBytes = 128;
constexpr size_t kMaxTextNameBytes = 32;
constexpr int kMaxBaselines = 32;
constexpr int kMaxOtherTexts = 8;
constexpr int kMaxTasks = 16;
constexpr size_t kMaxJsonFieldBytes = 128;
constexpr int kMaxModelFiles = 1024;
constexpr int64_t kMaxUploadedBytes = int64_t{1} << 40;  // of a model
// Whose decoding and predictions a comparison measures; predictions also where gates bound them.
constexpr int kComparedWindows = 2;

bool IsUpload(absl::string_view uri) { return absl::StartsWith(uri, "upload:"); }

void CheckUploadedFile(const std::string& field, const v1::UploadedFile& file,
                       FieldChecker& check) {
  if (!IsFileName(file.path())) {
    check.Add(field + ".path", absl::StrCat("is \"", file.path(),
                                            "\", want a file name of 1..128 letters, digits, `.`, "
                                            "`_` and `-`, without a folder"));
  }
  if (!IsSha256Hex(file.sha256())) {
    check.Add(field + ".sha256", "is not 64 lower-case hexadecimal digits");
  }
  check.Range<int64_t>(field + ".size_bytes", file.size_bytes(), 0, kMaxUploadBytes);
}

void CheckModel(const v1::ModelSource& model, FieldChecker& check) {
  check.Uri("spec.model.uri", model.uri(), SourceKind::kModel);
  const int count = model.files_size();
  if (IsUpload(model.uri()) != (count > 0) || count > kMaxModelFiles) {
    check.Add("spec.model.files", absl::StrCat("has ", count, " entries, want 1..", kMaxModelFiles,
                                               " with `upload:` and none otherwise"));
    return;
  }
  std::set<std::string> names;
  int64_t total_bytes = 0;
  for (int i = 0; i < count; ++i) {
    const std::string field = absl::StrCat("spec.model.files[", i, "]");
    const size_t before = check.violations().size();
    CheckUploadedFile(field, model.files(i), check);
    if (check.violations().size() != before) continue;
    total_bytes += model.files(i).size_bytes();
    if (!names.insert(model.files(i).path()).second) {
      check.Add(field + ".path", absl::StrCat("is ", model.files(i).path(), " a second time"));
    }
  }
  if (total_bytes > kMaxUploadedBytes) {
    check.Add("spec.model.files",
              absl::StrCat("have ", total_bytes, " bytes, want at most ", kMaxUploadedBytes));
  }
}

void CompleteJsonField(absl::string_view field, v1::TextSource& text, FieldChecker& check) {
  const std::string name = absl::StrCat(field, ".json_field");
  if (text.layout() == v1::TEXT_LAYOUT_JSON_LINES) {
    if (text.json_field().empty()) text.set_json_field("text");
    check.Text(name, text.json_field(), kMaxJsonFieldBytes);
  } else if (!text.json_field().empty()) {
    check.Add(name, "is set, but only TEXT_LAYOUT_JSON_LINES has fields");
  }
}

void CompleteText(absl::string_view field, v1::TextSource& text, FieldChecker& check) {
  check.Uri(absl::StrCat(field, ".uri"), text.uri(), SourceKind::kText);
  if (IsUpload(text.uri()) != text.has_file()) {
    check.Add(absl::StrCat(field, ".file"), "is wanted with `upload:` and refused otherwise");
  } else if (text.has_file()) {
    CheckUploadedFile(absl::StrCat(field, ".file"), text.file(), check);
  }
  text.set_layout(check.Choice(absl::StrCat(field, ".layout"), text.layout(), v1::TEXT_LAYOUT_PLAIN,
                               v1::TextLayout_IsValid(text.layout())));
  CompleteJsonField(field, text, check);
}

bool IsComparison(const v1::JobSpec& spec) { return spec.kind() == v1::JOB_KIND_COMPARE; }

// A row that treats the first token as `like` does.
v1::Recipe LikeFirstToken(v1::Method method, const v1::Recipe& like) {
  v1::Recipe recipe;
  recipe.set_method(method);
  recipe.set_first_token(like.first_token());
  *recipe.mutable_prefix_tokens() = like.prefix_tokens();
  return recipe;
}

// What is measured where the spec names nothing.
void AddDefaultBaselines(v1::JobSpec& spec) {
  if (!IsComparison(spec)) {
    for (v1::Method method :
         {v1::METHOD_FP, v1::METHOD_RTN_DYNAMIC, v1::METHOD_STATIC_ABSMAX, v1::METHOD_STATIC_MSE}) {
      *spec.add_baselines() = LikeFirstToken(method, spec.recipe());
    }
    return;
  }
  for (v1::Method method : {v1::METHOD_FP, v1::METHOD_RTN_DYNAMIC, v1::METHOD_STATIC_ABSMAX,
                            v1::METHOD_STATIC_PERCENTILE, v1::METHOD_STATIC_MSE,
                            v1::METHOD_SMOOTHQUANT, v1::METHOD_QUAROT, v1::METHOD_SPINQUANT,
                            v1::METHOD_LLM_QAT, v1::METHOD_SASQ, v1::METHOD_FP_CLIPPED}) {
    spec.add_baselines()->set_method(method);
  }
  spec.add_baselines()->set_preset(v1::PRESET_SASQ_SERVE);
  spec.add_baselines()->set_preset(v1::PRESET_SASQ_MAX);
}

// Rows after a prefix share one float row, and so its tokens: those that the first of them says.
void SharePrefix(v1::JobSpec& spec, FieldChecker& check) {
  std::vector<std::pair<std::string, v1::Recipe*>> after_prefix;
  const auto look = [&](std::string field, v1::Recipe* recipe) {
    if (recipe->first_token() != v1::FIRST_TOKEN_PREFIX) return;
    after_prefix.emplace_back(std::move(field), recipe);
  };
  if (spec.has_recipe()) look("spec.recipe", spec.mutable_recipe());
  for (int i = 0; i < spec.baselines_size(); ++i) {
    look(absl::StrCat("spec.baselines[", i, "]"), spec.mutable_baselines(i));
  }
  google::protobuf::RepeatedField<int32_t> shared;
  for (const auto& [field, recipe] : after_prefix) {
    if (shared.empty()) shared = recipe->prefix_tokens();
  }
  for (const auto& [field, recipe] : after_prefix) {
    google::protobuf::RepeatedField<int32_t>& tokens = *recipe->mutable_prefix_tokens();
    if (tokens.empty()) tokens = shared;
    if (!std::equal(tokens.begin(), tokens.end(), shared.begin(), shared.end())) {
      check.Add(absl::StrCat(field, ".prefix_tokens"),
                "differ from those of an earlier recipe; a job has one prefix");
    }
  }
}

// Adds a row that others are compared with. `names`: of the rows so far. `what`: its kind.
void AddReference(v1::Recipe added, absl::string_view what, std::set<std::string>& names,
                  v1::JobSpec& spec, FieldChecker& check) {
  CompleteRecipe(absl::StrCat("spec.baselines[", spec.baselines_size(), "]"), added, check);
  if (!names.insert(added.name()).second) {
    check.Add("spec.baselines", absl::StrCat("need a ", what, " row called \"", added.name(),
                                             "\", as another row is; rename that one"));
  }
  *spec.add_baselines() = std::move(added);
}

// Gates that compare with scales for each token have a row that is measured as the recipe is.
void AddDynamicRow(std::set<std::string>& names, v1::JobSpec& spec, FieldChecker& check) {
  if (IsComparison(spec) || !NeedsDynamicRow(spec.gates()) ||
      DynamicBaseline(spec, spec.recipe()) != nullptr) {
    return;
  }
  v1::Recipe added = LikeFirstToken(v1::METHOD_RTN_DYNAMIC, spec.recipe());
  added.set_activation_bits(spec.recipe().activation_bits());
  added.set_weight_bits(spec.recipe().weight_bits());
  AddReference(std::move(added), "dynamic", names, spec, check);
}

// Every row has a float row that is scored on the same tokens.
void AddFloatRows(std::set<std::string>& names, v1::JobSpec& spec, FieldChecker& check) {
  std::map<v1::FirstToken, v1::Recipe> used;
  std::set<v1::FirstToken> has_float_row;
  const auto note = [&](const v1::Recipe& recipe) {
    used.emplace(recipe.first_token(), recipe);
    if (recipe.method() == v1::METHOD_FP) has_float_row.insert(recipe.first_token());
  };
  if (spec.has_recipe()) note(spec.recipe());
  for (const v1::Recipe& recipe : spec.baselines()) note(recipe);
  for (const auto& [first_token, recipe] : used) {
    if (has_float_row.count(first_token) > 0) continue;
    AddReference(LikeFirstToken(v1::METHOD_FP, recipe), "float", names, spec, check);
  }
  if (spec.baselines_size() > kMaxBaselines) {
    check.Add("spec.baselines",
              absl::StrCat("have ", spec.baselines_size(),
                           " entries with the rows that they are compared with, want at most ",
                           kMaxBaselines));
  }
}

// Rows of the report are told apart by name.
void CompleteBaselines(v1::JobSpec& spec, FieldChecker& check) {
  if (spec.baselines_size() > kMaxBaselines) {
    check.Add("spec.baselines", absl::StrCat("has ", spec.baselines_size(),
                                             " entries, want at most ", kMaxBaselines));
    return;
  }
  const bool said = spec.baselines_size() > 0;
  if (!said) {
    if (!check.violations().empty()) return;  // they would repeat what is wrong with the recipe
    AddDefaultBaselines(spec);
  }
  std::set<std::string> names;
  if (spec.has_recipe()) names.insert(spec.recipe().name());
  google::protobuf::RepeatedPtrField<v1::Recipe> kept;
  for (int i = 0; i < spec.baselines_size(); ++i) {
    const std::string field = absl::StrCat("spec.baselines[", i, "]");
    v1::Recipe& baseline = *spec.mutable_baselines(i);
    const size_t before = check.violations().size();
    CompleteRecipe(field, baseline, check);
    const bool is_new = names.insert(baseline.name()).second;
    if (said && !is_new && check.violations().size() == before) {
      check.Add(field, absl::StrCat("is called \"", baseline.name(),
                                    "\", as the recipe or an earlier baseline is; leave it out, or "
                                    "give it another name"));
    }
    if (said || is_new) *kept.Add() = baseline;
  }
  *spec.mutable_baselines() = std::move(kept);
  if (!check.violations().empty()) return;
  SharePrefix(spec, check);
  AddDynamicRow(names, spec, check);
  AddFloatRows(names, spec, check);
}

void CompleteNamedTexts(absl::string_view field, int max_count,
                        google::protobuf::RepeatedPtrField<v1::NamedText>& texts,
                        FieldChecker& check) {
  if (texts.size() > max_count) {
    check.Add(field, absl::StrCat("has ", texts.size(), " entries, want at most ", max_count));
    return;
  }
  std::set<std::string> names;
  for (int i = 0; i < texts.size(); ++i) {
    const std::string entry = absl::StrCat(field, "[", i, "]");
    v1::NamedText& text = texts[i];
    if (!IsRowName(text.name(), kMaxTextNameBytes)) {
      check.Add(
          absl::StrCat(entry, ".name"),
          absl::StrCat("is \"", text.name(), "\", want 1..", kMaxTextNameBytes,
                       " of a-z, 0-9, `_`, `-` and `.`, the first of them a letter or digit"));
    } else if (!names.insert(text.name()).second) {
      check.Add(absl::StrCat(entry, ".name"), absl::StrCat("is ", text.name(), " a second time"));
    }
    CompleteText(absl::StrCat(entry, ".text"), *text.mutable_text(), check);
  }
}

void CompleteMeasuring(v1::JobSpec& spec, FieldChecker& check) {
  v1::CalibrationOptions& calibration = *spec.mutable_calibration();
  calibration.set_window_count(check.Number<int32_t>("spec.calibration.window_count",
                                                     calibration.window_count(), 1, 4096, 32));
  calibration.set_window_tokens(check.Number<int32_t>("spec.calibration.window_tokens",
                                                      calibration.window_tokens(), 8, 32'768, 512));
  v1::EvaluationOptions& evaluation = *spec.mutable_evaluation();
  evaluation.set_window_count(evaluation.has_window_count()
                                  ? check.Range<int32_t>("spec.evaluation.window_count",
                                                         evaluation.window_count(), 0, 1'000'000)
                                  : 4);
  evaluation.set_window_tokens(check.Number<int32_t>("spec.evaluation.window_tokens",
                                                     evaluation.window_tokens(), 8, 32'768, 2048));
  evaluation.set_stride_tokens(
      check.Number<int32_t>("spec.evaluation.stride_tokens", evaluation.stride_tokens(), 1,
                            evaluation.window_tokens(), evaluation.window_tokens()));
  CompleteNamedTexts("spec.evaluation.other_texts", kMaxOtherTexts,
                     *evaluation.mutable_other_texts(), check);
  CompleteNamedTexts("spec.evaluation.tasks", kMaxTasks, *evaluation.mutable_tasks(), check);
  // All windows of a text are more than any count.
  const int32_t windows = evaluation.window_count() == 0 ? 1'000'000 : evaluation.window_count();
  const int32_t compared = std::min(kComparedWindows, windows);
  const int32_t preset = IsComparison(spec) ? compared : 0;
  evaluation.set_decode_window_count(
      evaluation.has_decode_window_count()
          ? check.Range<int32_t>("spec.evaluation.decode_window_count",
                                 evaluation.decode_window_count(), 0, windows)
          : preset);
  evaluation.set_agreement_window_count(
      evaluation.has_agreement_window_count()
          ? check.Range<int32_t>("spec.evaluation.agreement_window_count",
                                 evaluation.agreement_window_count(), 0, windows)
          : (NeedsAgreement(spec.gates()) ? compared : preset));
  if (NeedsAgreement(spec.gates()) && evaluation.agreement_window_count() == 0) {
    check.Add("spec.evaluation.agreement_window_count",
              "is 0, but spec.gates bound the agreement with the float model; want 1 or more");
  }
  if (evaluation.has_prompts()) {
    CompleteText("spec.evaluation.prompts", *evaluation.mutable_prompts(), check);
  }
  evaluation.set_generated_tokens(check.Number<int32_t>(
      "spec.evaluation.generated_tokens", evaluation.generated_tokens(), 1, 1024, 32));
}

// The tokens that stand before every sequence of a recipe.
int64_t PrefixTokenCount(const v1::Recipe& recipe) {
  if (recipe.first_token() != v1::FIRST_TOKEN_PREFIX) return 0;
  return std::max(recipe.prefix_tokens_size(), 1);  // BOS where none is named
}

void CheckWindow(absl::string_view field, int64_t window_tokens, int64_t prefix_tokens,
                 const ModelConfig& config, FieldChecker& check) {
  if (window_tokens <= config.max_tokens() - prefix_tokens) return;
  const std::string prefix =
      prefix_tokens == 0 ? "" : absl::StrCat(" less a prefix of ", prefix_tokens);
  check.Add(field,
            absl::StrCat("is ", window_tokens, ", want at most ",
                         config.max_tokens() - prefix_tokens, ", the model's context", prefix));
}

// The recipe whose scales the artifact holds; a comparison has none.
void CompleteMainRecipe(v1::JobSpec& spec, FieldChecker& check) {
  if (IsComparison(spec)) {
    if (spec.has_recipe()) {
      check.Add("spec.recipe",
                "is set, but JOB_KIND_COMPARE has baselines only; put it among them");
    }
    return;
  }
  if (!spec.has_recipe()) spec.mutable_recipe()->set_method(v1::METHOD_SASQ);
  const size_t before = check.violations().size();
  CompleteRecipe("spec.recipe", *spec.mutable_recipe(), check);
  if (check.violations().size() == before && !HasStaticScales(spec.recipe())) {
    check.Add("spec.recipe.method",
              absl::StrCat("is ", v1::Method_Name(spec.recipe().method()),
                           " without static scales; want METHOD_STATIC_ABSMAX, "
                           "METHOD_STATIC_PERCENTILE, METHOD_STATIC_MSE, METHOD_SASQ, or another "
                           "method with ACTIVATIONS_STATIC"));
  }
}

// `value` within the bounds, or `preset` where it is not set.
void CompleteDuration(absl::string_view field, absl::Duration low, absl::Duration high,
                      absl::Duration preset, bool said, google::protobuf::Duration* value,
                      FieldChecker& check) {
  if (!said) {
    SetDuration(preset, value);
    return;
  }
  const absl::Duration duration = ToDuration(*value);
  if (duration >= low && duration <= high) return;
  check.Add(field, absl::StrCat("is ", absl::FormatDuration(duration), ", want ",
                                absl::FormatDuration(low), "..", absl::FormatDuration(high)));
}

// When, where and how often the job is run.
void CompleteRunning(v1::JobSpec& spec, FieldChecker& check) {
  spec.set_max_attempts(check.Number<int32_t>("spec.max_attempts", spec.max_attempts(), 1, 10, 3));
  spec.set_priority(
      spec.has_priority() ? check.Range<int32_t>("spec.priority", spec.priority(), 0, 1000) : 500);
  v1::RetryPolicy& retry = *spec.mutable_retry();
  const bool first_said = retry.has_initial_backoff();
  CompleteDuration("spec.retry.initial_backoff", absl::ZeroDuration(), absl::Hours(24),
                   absl::Seconds(1), first_said, retry.mutable_initial_backoff(), check);
  const absl::Duration first = ToDuration(retry.initial_backoff());
  const bool longest_said = retry.has_max_backoff();
  CompleteDuration("spec.retry.max_backoff", first, absl::Hours(24),
                   std::max(first, absl::Duration(absl::Minutes(1))), longest_said,
                   retry.mutable_max_backoff(), check);
  const bool timeout_said = spec.has_attempt_timeout();
  CompleteDuration("spec.attempt_timeout", absl::Seconds(1), absl::Hours(24 * 30), absl::Hours(24),
                   timeout_said, spec.mutable_attempt_timeout(), check);
  check.Range<int64_t>("spec.min_worker_memory_bytes", spec.min_worker_memory_bytes(), 0,
                       int64_t{1} << 50);
}

}  // namespace

absl::StatusOr<v1::JobSpec> CompleteSpec(v1::JobSpec spec) {
  FieldChecker check;
  check.Text("spec.display_name", spec.display_name(), kMaxDisplayNameBytes);
  CheckModel(spec.model(), check);
  CompleteText("spec.training_text", *spec.mutable_training_text(), check);
  CompleteText("spec.evaluation_text", *spec.mutable_evaluation_text(), check);

  spec.set_kind(check.Choice("spec.kind", spec.kind(), v1::JOB_KIND_QUANTIZE,
                             v1::JobKind_IsValid(spec.kind())));
  CompleteMainRecipe(spec, check);
  CompleteBaselines(spec, check);
  CompleteMeasuring(spec, check);
  CompleteGates(spec, check);

  CompleteRunning(spec, check);
  check.Choice("spec.device_kind", spec.device_kind(), v1::DEVICE_KIND_UNSPECIFIED,
               v1::DeviceKind_IsValid(spec.device_kind()));
  check.Range<int64_t>("spec.seed", spec.seed(), 0, INT64_MAX);

  if (!check.violations().empty()) {
    return FieldViolationsStatus(check.violations(), "INVALID_SPEC");
  }
  return spec;
}

std::vector<FieldViolation> CheckAgainstModel(const v1::JobSpec& spec, const ModelConfig& config) {
  FieldChecker check;
  // All rows read the same windows.
  int64_t longest_prefix = PrefixTokenCount(spec.recipe());
  for (const v1::Recipe& baseline : spec.baselines()) {
    longest_prefix = std::max(longest_prefix, PrefixTokenCount(baseline));
  }
  CheckWindow("spec.calibration.window_tokens", spec.calibration().window_tokens(), longest_prefix,
              config, check);
  CheckWindow("spec.evaluation.window_tokens", spec.evaluation().window_tokens(), longest_prefix,
              config, check);
  const auto check_recipe = [&](absl::string_view field, const v1::Recipe& recipe) {
    CheckWindow(absl::StrCat(field, ".training.window_tokens"), recipe.training().window_tokens(),
                PrefixTokenCount(recipe), config, check);
    CheckAgainstModel(field, recipe, config, check);
  };
  check_recipe("spec.recipe", spec.recipe());
  // A baseline that the model cannot have ends its row and not the job.
  if (spec.has_recipe()) CheckRotation("spec.recipe", spec.recipe(), config, check);
  for (int i = 0; i < spec.baselines_size(); ++i) {
    check_recipe(absl::StrCat("spec.baselines[", i, "]"), spec.baselines(i));
  }
  return check.violations();
}

std::string SpecFingerprint(const v1::JobSpec& spec) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    spec.SerializeToCodedStream(&coded);
  }
  return Sha256Hex(bytes);
}

}  // namespace sasq
