#include "server/spec_validation.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/sha256.h"
#include "server/text_rules.h"

namespace sasq {
namespace {

constexpr absl::string_view kFileScheme = "file:";
constexpr size_t kMaxDisplayNameBytes = 128;
constexpr size_t kMaxUriBytes = 4096;
constexpr int kMaxBaselines = 32;

// Collects violations and fills in defaults, one field at a time.
class Checker {
 public:
  std::vector<FieldViolation> violations;

  void Add(absl::string_view field, absl::string_view description) {
    violations.push_back({std::string(field), std::string(description)});
  }

  // `value`, or `preset` where it is 0, which means: not said.
  template <typename Int>
  Int Number(absl::string_view field, Int value, Int low, Int high, Int preset) {
    return value == 0 ? preset : Range(field, value, low, high);
  }

  template <typename Int>
  Int Range(absl::string_view field, Int value, Int low, Int high) {
    if (value < low || value > high) {
      Add(field, absl::StrCat("is ", value, ", want ", low, "..", high));
    }
    return value;
  }

  // `value`, or `preset` where it is unspecified.
  template <typename Enum>
  Enum Choice(absl::string_view field, Enum value, Enum preset, bool known) {
    if (!known) Add(field, absl::StrCat("is ", static_cast<int>(value), ", which is not known"));
    return static_cast<int>(value) == 0 ? preset : value;
  }

  void Text(absl::string_view field, absl::string_view text, size_t max_bytes) {
    if (text.size() > max_bytes) {
      Add(field, absl::StrCat("has ", text.size(), " bytes, want at most ", max_bytes));
    } else if (!IsPlainText(text)) {
      Add(field, "holds bytes that are not UTF-8, or control characters; want plain text");
    }
  }

  void Uri(absl::string_view field, absl::string_view uri) {
    if (uri.empty()) {
      Add(field, "is required; want `file:` and an absolute path");
      return;
    }
    const size_t before = violations.size();
    Text(field, uri, kMaxUriBytes);
    if (violations.size() != before) return;
    absl::string_view path = uri;
    if (!absl::ConsumePrefix(&path, kFileScheme) || !absl::StartsWith(path, "/")) {
      Add(field, absl::StrCat("is \"", uri,
                              "\", want `file:` and an absolute path, such as "
                              "`file:/data/model`"));
    }
  }
};

void CompleteText(absl::string_view field, v1::TextSource& text, Checker& check) {
  check.Uri(absl::StrCat(field, ".uri"), text.uri());
  text.set_layout(check.Choice(absl::StrCat(field, ".layout"), text.layout(), v1::TEXT_LAYOUT_PLAIN,
                               v1::TextLayout_IsValid(text.layout())));
}

void CompleteTraining(absl::string_view field, v1::FirstToken first_token,
                      v1::TrainingOptions& training, Checker& check) {
  const bool first_token_float = first_token == v1::FIRST_TOKEN_FLOAT;
  training.set_step_count(check.Number<int32_t>(absl::StrCat(field, ".step_count"),
                                                training.step_count(), 1, 100'000,
                                                first_token_float ? 100 : 60));
  training.set_window_tokens(check.Number<int32_t>(absl::StrCat(field, ".window_tokens"),
                                                   training.window_tokens(), 8, 32'768, 256));
  const double rate = training.learning_rate();
  if (rate == 0) {
    training.set_learning_rate(first_token_float ? 0.02 : 0.08);
  } else if (!(rate > 0 && rate <= 1)) {
    check.Add(absl::StrCat(field, ".learning_rate"),
              absl::StrCat("is ", rate, ", want more than 0 and at most 1"));
  }
  const int32_t steps = std::max<int32_t>(training.step_count(), 0);
  training.set_warmup_step_count(
      training.has_warmup_step_count()
          ? check.Range<int32_t>(absl::StrCat(field, ".warmup_step_count"),
                                 training.warmup_step_count(), 0, steps)
          : std::min<int32_t>(5, steps));
  training.set_initial_scales(check.Choice(absl::StrCat(field, ".initial_scales"),
                                           training.initial_scales(), v1::INITIAL_SCALES_MSE,
                                           v1::InitialScales_IsValid(training.initial_scales())));
}

void CompleteRecipe(absl::string_view field, v1::Recipe& recipe, Checker& check) {
  const std::string method_field = absl::StrCat(field, ".method");
  if (recipe.method() == v1::METHOD_UNSPECIFIED) {
    check.Add(method_field, "is required");
  } else if (!v1::Method_IsValid(recipe.method())) {
    check.Add(method_field,
              absl::StrCat("is ", static_cast<int>(recipe.method()), ", which is not known"));
  }
  recipe.set_first_token(check.Choice(absl::StrCat(field, ".first_token"), recipe.first_token(),
                                      v1::FIRST_TOKEN_QUANTIZED,
                                      v1::FirstToken_IsValid(recipe.first_token())));
  const std::string training_field = absl::StrCat(field, ".training");
  if (recipe.method() == v1::METHOD_SASQ) {
    CompleteTraining(training_field, recipe.first_token(), *recipe.mutable_training(), check);
  } else if (recipe.has_training()) {
    check.Add(training_field, "is set, but only METHOD_SASQ trains; leave it out");
  }
}

using RecipeKey = std::pair<v1::Method, v1::FirstToken>;

RecipeKey KeyOf(const v1::Recipe& recipe) { return {recipe.method(), recipe.first_token()}; }

void AddBaseline(v1::Method method, v1::FirstToken first_token, v1::JobSpec& spec) {
  v1::Recipe* added = spec.add_baselines();
  added->set_method(method);
  added->set_first_token(first_token);
}

// Rows of the comparison are told apart by method and first token, so each pair stands once.
void CompleteBaselines(v1::JobSpec& spec, Checker& check) {
  if (spec.baselines_size() > kMaxBaselines) {
    check.Add("spec.baselines", absl::StrCat("has ", spec.baselines_size(),
                                             " entries, want at most ", kMaxBaselines));
    return;
  }
  std::set<RecipeKey> keys = {KeyOf(spec.recipe())};
  for (int i = 0; i < spec.baselines_size(); ++i) {
    const std::string field = absl::StrCat("spec.baselines[", i, "]");
    const size_t before = check.violations.size();
    CompleteRecipe(field, *spec.mutable_baselines(i), check);
    if (check.violations.size() == before && !keys.insert(KeyOf(spec.baselines(i))).second) {
      check.Add(field, absl::StrCat("is ", v1::Method_Name(spec.baselines(i).method()), " with ",
                                    v1::FirstToken_Name(spec.baselines(i).first_token()),
                                    ", which is the recipe or an earlier baseline; leave it out"));
    }
  }
  if (spec.baselines_size() == 0) {
    for (v1::Method method :
         {v1::METHOD_FP, v1::METHOD_RTN_DYNAMIC, v1::METHOD_STATIC_ABSMAX, v1::METHOD_STATIC_MSE}) {
      if (!keys.insert({method, spec.recipe().first_token()}).second) continue;
      AddBaseline(method, spec.recipe().first_token(), spec);
    }
  }
  for (v1::FirstToken first_token : {v1::FIRST_TOKEN_QUANTIZED, v1::FIRST_TOKEN_FLOAT}) {
    const bool used = std::any_of(keys.begin(), keys.end(), [first_token](const RecipeKey& key) {
      return key.second == first_token;
    });
    if (used && keys.insert({v1::METHOD_FP, first_token}).second) {
      AddBaseline(v1::METHOD_FP, first_token, spec);
    }
  }
}

void CompleteMeasuring(v1::JobSpec& spec, Checker& check) {
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
}

void CheckWindow(absl::string_view field, int64_t window_tokens, int64_t max_position_count,
                 std::vector<FieldViolation>& violations) {
  if (window_tokens > max_position_count) {
    violations.push_back(
        {std::string(field), absl::StrCat("is ", window_tokens, ", want at most ",
                                          max_position_count, ", the model's context")});
  }
}

}  // namespace

bool HasStaticScales(v1::Method method) {
  return method == v1::METHOD_STATIC_ABSMAX || method == v1::METHOD_STATIC_MSE ||
         method == v1::METHOD_SASQ;
}

absl::StatusOr<v1::JobSpec> CompleteSpec(v1::JobSpec spec) {
  Checker check;
  check.Text("spec.display_name", spec.display_name(), kMaxDisplayNameBytes);
  check.Uri("spec.model.uri", spec.model().uri());
  CompleteText("spec.training_text", *spec.mutable_training_text(), check);
  CompleteText("spec.evaluation_text", *spec.mutable_evaluation_text(), check);

  if (!spec.has_recipe()) spec.mutable_recipe()->set_method(v1::METHOD_SASQ);
  CompleteRecipe("spec.recipe", *spec.mutable_recipe(), check);
  const v1::Method method = spec.recipe().method();
  if (method != v1::METHOD_UNSPECIFIED && v1::Method_IsValid(method) && !HasStaticScales(method)) {
    check.Add("spec.recipe.method",
              absl::StrCat("is ", v1::Method_Name(method),
                           ", want one with static scales: METHOD_STATIC_ABSMAX, METHOD_STATIC_MSE "
                           "or METHOD_SASQ"));
  }
  CompleteBaselines(spec, check);
  CompleteMeasuring(spec, check);

  spec.set_max_attempts(check.Number<int32_t>("spec.max_attempts", spec.max_attempts(), 1, 10, 3));
  check.Choice("spec.device_kind", spec.device_kind(), v1::DEVICE_KIND_UNSPECIFIED,
               v1::DeviceKind_IsValid(spec.device_kind()));
  check.Range<int64_t>("spec.seed", spec.seed(), 0, INT64_MAX);

  if (!check.violations.empty()) return FieldViolationsStatus(check.violations, "INVALID_SPEC");
  return spec;
}

std::vector<FieldViolation> CheckWindows(const v1::JobSpec& spec, int64_t max_position_count) {
  std::vector<FieldViolation> violations;
  CheckWindow("spec.calibration.window_tokens", spec.calibration().window_tokens(),
              max_position_count, violations);
  CheckWindow("spec.evaluation.window_tokens", spec.evaluation().window_tokens(),
              max_position_count, violations);
  CheckWindow("spec.recipe.training.window_tokens", spec.recipe().training().window_tokens(),
              max_position_count, violations);
  for (int i = 0; i < spec.baselines_size(); ++i) {
    CheckWindow(absl::StrCat("spec.baselines[", i, "].training.window_tokens"),
                spec.baselines(i).training().window_tokens(), max_position_count, violations);
  }
  return violations;
}

std::string PathOfUri(absl::string_view uri) {
  absl::ConsumePrefix(&uri, kFileScheme);
  return std::string(uri);
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
