#include "server/recipe_validation.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "kernels/hadamard_matrix.h"
#include "quant/format/site.h"
#include "quant/format/site_pattern.h"
#include "server/text_rules.h"

namespace sasq {
namespace {

constexpr size_t kMaxNameBytes = 48;
constexpr int kMaxSitePatterns = 256;
constexpr size_t kMaxSitePatternBytes = 64;
constexpr int kMaxPrefixTokens = 16;
constexpr int kDefaultBits = 8;
constexpr double kServeFloatFlops = 0.05;
constexpr double kServeDynamicFlops = 0.10;

// Which options a method knows, and what it does without them.
struct MethodOptions {
  v1::Activations activations = v1::ACTIVATIONS_UNSPECIFIED;
  bool either_activations = false;  // may be said
  v1::ScaleRule scale_rule = v1::SCALE_RULE_MSE;
  bool any_scale_rule = false;  // may be said
  v1::Rotation rotation = v1::ROTATION_UNSPECIFIED;
  bool any_rotation = false;  // may be said
  bool smooths = false;       // may be said
  bool trains = false;
  bool quantizes_weights = true;
  int32_t step_count = 60;
  double learning_rate = 0.08;
};

MethodOptions OptionsOf(v1::Method method) {
  switch (method) {
    case v1::METHOD_FP:
      return {.quantizes_weights = false};
    case v1::METHOD_RTN_DYNAMIC:
      return {.activations = v1::ACTIVATIONS_DYNAMIC};
    case v1::METHOD_STATIC_ABSMAX:
      return {.activations = v1::ACTIVATIONS_STATIC, .scale_rule = v1::SCALE_RULE_ABSMAX_MEAN};
    case v1::METHOD_STATIC_PERCENTILE:
      return {.activations = v1::ACTIVATIONS_STATIC, .scale_rule = v1::SCALE_RULE_PERCENTILE};
    case v1::METHOD_STATIC_MSE:
      return {.activations = v1::ACTIVATIONS_STATIC};
    case v1::METHOD_SMOOTHQUANT:
      return {.activations = v1::ACTIVATIONS_STATIC,
              .either_activations = true,
              .scale_rule = v1::SCALE_RULE_ABSMAX_MAX,
              .any_scale_rule = true,
              .smooths = true};
    case v1::METHOD_QUAROT:
      return {.activations = v1::ACTIVATIONS_DYNAMIC,
              .either_activations = true,
              .any_scale_rule = true,
              .rotation = v1::ROTATION_ONLINE,
              .any_rotation = true};
    case v1::METHOD_SPINQUANT:
      return {.activations = v1::ACTIVATIONS_DYNAMIC,
              .either_activations = true,
              .any_scale_rule = true,
              .rotation = v1::ROTATION_ONLINE,
              .any_rotation = true,
              .trains = true,
              .step_count = 30,
              .learning_rate = 1.5};
    case v1::METHOD_LLM_QAT:
      return {.activations = v1::ACTIVATIONS_DYNAMIC,
              .either_activations = true,
              .any_scale_rule = true,
              .trains = true,
              .step_count = 30,
              .learning_rate = 2e-5};
    case v1::METHOD_SASQ:
      return {.activations = v1::ACTIVATIONS_STATIC,
              .any_scale_rule = true,
              .rotation = v1::ROTATION_NONE,
              .any_rotation = true,
              .smooths = true,
              .trains = true};
    case v1::METHOD_FP_CLIPPED:
      return {.activations = v1::ACTIVATIONS_STATIC,
              .any_scale_rule = true,
              .rotation = v1::ROTATION_NONE,
              .any_rotation = true,
              .trains = true,
              .quantizes_weights = false};
    default:
      return {};
  }
}

// What a preset says, where the recipe says nothing itself.
void ApplyPreset(v1::Recipe& recipe) {
  if (recipe.preset() == v1::PRESET_UNSPECIFIED) return;
  if (recipe.method() == v1::METHOD_UNSPECIFIED) recipe.set_method(v1::METHOD_SASQ);
  const bool serve = recipe.preset() == v1::PRESET_SASQ_SERVE;
  if (recipe.first_token() == v1::FIRST_TOKEN_UNSPECIFIED && !serve) {
    recipe.set_first_token(v1::FIRST_TOKEN_PREFIX);
  }
  if (recipe.rotation() == v1::ROTATION_UNSPECIFIED) {
    recipe.set_rotation(serve ? v1::ROTATION_FOLDED : v1::ROTATION_ONLINE);
  }
  if (serve && !recipe.has_sites()) {
    recipe.mutable_sites()->set_max_float_flops(kServeFloatFlops);
    recipe.mutable_sites()->set_max_dynamic_flops(kServeDynamicFlops);
  }
  v1::TrainingOptions& training = *recipe.mutable_training();
  if (training.step_count() == 0) training.set_step_count(100);
  if (training.window_tokens() == 0) training.set_window_tokens(512);
  if (training.learning_rate() == 0) training.set_learning_rate(0.05);
  if (training.loss() == v1::TRAINING_LOSS_UNSPECIFIED) {
    training.set_loss(v1::TRAINING_LOSS_KL_DIVERGENCE);
  }
}

bool IsMixed(const v1::SitePolicy& sites) {
  return sites.float_sites_size() > 0 || sites.dynamic_sites_size() > 0 ||
         sites.max_float_flops() > 0 || sites.max_dynamic_flops() > 0;
}

std::string ShortName(absl::string_view enum_name, absl::string_view prefix, char separator) {
  std::string name = absl::AsciiStrToLower(absl::StripPrefix(enum_name, prefix));
  return absl::StrReplaceAll(name, {{"_", std::string(1, separator)}});
}

// What the preset or the method says by itself, as far as names tell it.
v1::Recipe Usual(const v1::Recipe& recipe, const MethodOptions& options) {
  v1::Recipe usual;
  usual.set_preset(recipe.preset());
  ApplyPreset(usual);
  if (usual.first_token() == v1::FIRST_TOKEN_UNSPECIFIED) {
    usual.set_first_token(v1::FIRST_TOKEN_QUANTIZED);
  }
  usual.set_activations(options.activations);
  if (usual.rotation() == v1::ROTATION_UNSPECIFIED) usual.set_rotation(options.rotation);
  usual.set_scale_rule(options.scale_rule);
  return usual;
}

// The preset or the method, and what differs from what it says by itself.
std::string DefaultName(const v1::Recipe& recipe, const v1::Recipe& usual) {
  std::string name = recipe.preset() != v1::PRESET_UNSPECIFIED
                         ? ShortName(v1::Preset_Name(recipe.preset()), "PRESET_", '-')
                         : ShortName(v1::Method_Name(recipe.method()), "METHOD_", '_');
  if (recipe.first_token() != usual.first_token()) {
    name += recipe.first_token() == v1::FIRST_TOKEN_FLOAT    ? "-first-token-float"
            : recipe.first_token() == v1::FIRST_TOKEN_PREFIX ? "-prefix"
                                                             : "-first-token-quantized";
  }
  if (recipe.activations() != usual.activations()) {
    absl::StrAppend(&name, "-",
                    ShortName(v1::Activations_Name(recipe.activations()), "ACTIVATIONS_", '-'));
  }
  if (recipe.rotation() != usual.rotation()) {
    name += recipe.rotation() == v1::ROTATION_ONLINE   ? "-hadamard"
            : recipe.rotation() == v1::ROTATION_FOLDED ? "-rotated"
                                                       : "-unrotated";
  }
  if (recipe.has_smoothing() && recipe.method() != v1::METHOD_SMOOTHQUANT) name += "-smoothed";
  if (recipe.scale_rule() != usual.scale_rule() && recipe.activations() == v1::ACTIVATIONS_STATIC) {
    absl::StrAppend(&name, "-",
                    ShortName(v1::ScaleRule_Name(recipe.scale_rule()), "SCALE_RULE_", '-'));
  }
  if (recipe.sites().SerializeAsString() != usual.sites().SerializeAsString()) {
    name += IsMixed(recipe.sites()) ? "-mixed" : "-all-static";
  }
  if (recipe.activation_bits() != kDefaultBits) {
    absl::StrAppend(&name, "-a", recipe.activation_bits());
  }
  if (recipe.weight_bits() != kDefaultBits) absl::StrAppend(&name, "-w", recipe.weight_bits());
  return name;
}

// One recipe at one field.
class RecipeChecker {
 public:
  RecipeChecker(absl::string_view field, v1::Recipe& recipe, FieldChecker& check)
      : field_(field), recipe_(recipe), check_(check) {}

  void Complete() {
    if (!v1::Preset_IsValid(recipe_.preset())) {
      check_.Add(Field("preset"),
                 absl::StrCat("is ", static_cast<int>(recipe_.preset()), ", which is not known"));
      return;
    }
    ApplyPreset(recipe_);
    if (!CheckMethod()) return;
    if (recipe_.preset() != v1::PRESET_UNSPECIFIED && recipe_.method() != v1::METHOD_SASQ) {
      check_.Add(Field("method"), absl::StrCat("is ", v1::Method_Name(recipe_.method()), ", but ",
                                               v1::Preset_Name(recipe_.preset()),
                                               " stands for METHOD_SASQ; leave one of them out"));
      return;
    }
    options_ = OptionsOf(recipe_.method());
    CompleteFirstToken();
    CompleteActivations();
    CompleteScaleRule();
    CompleteTransforms();
    CompleteSites();
    CompleteBits();
    CompleteTraining();
    CompleteName();
  }

 private:
  std::string Field(absl::string_view name) const { return absl::StrCat(field_, ".", name); }

  void Refuse(absl::string_view name) {
    check_.Add(Field(name), absl::StrCat("is set, but ", v1::Method_Name(recipe_.method()),
                                         " does not know it; leave it out"));
  }

  bool CheckMethod() {
    if (recipe_.method() == v1::METHOD_UNSPECIFIED) {
      check_.Add(Field("method"), "is required");
      return false;
    }
    if (v1::Method_IsValid(recipe_.method())) return true;
    check_.Add(Field("method"),
               absl::StrCat("is ", static_cast<int>(recipe_.method()), ", which is not known"));
    return false;
  }

  bool is_static() const { return recipe_.activations() == v1::ACTIVATIONS_STATIC; }

  void CompleteFirstToken() {
    recipe_.set_first_token(check_.Choice(Field("first_token"), recipe_.first_token(),
                                          v1::FIRST_TOKEN_QUANTIZED,
                                          v1::FirstToken_IsValid(recipe_.first_token())));
    if (recipe_.prefix_tokens_size() == 0) return;
    if (recipe_.first_token() != v1::FIRST_TOKEN_PREFIX) {
      check_.Add(Field("prefix_tokens"), "is set, but only FIRST_TOKEN_PREFIX has a prefix");
    }
    if (recipe_.prefix_tokens_size() > kMaxPrefixTokens) {
      check_.Add(Field("prefix_tokens"), absl::StrCat("has ", recipe_.prefix_tokens_size(),
                                                      " entries, want at most ", kMaxPrefixTokens));
    }
    for (const int32_t token : recipe_.prefix_tokens()) {
      if (token < 0)
        check_.Add(Field("prefix_tokens"), absl::StrCat("has ", token, ", want 0 or more"));
    }
  }

  void CompleteActivations() {
    if (recipe_.activations() != v1::ACTIVATIONS_UNSPECIFIED && !options_.either_activations &&
        recipe_.activations() != options_.activations) {
      Refuse("activations");
    }
    recipe_.set_activations(check_.Choice(Field("activations"), recipe_.activations(),
                                          options_.activations,
                                          v1::Activations_IsValid(recipe_.activations())));
  }

  void CompleteScaleRule() {
    const v1::ScaleRule said = recipe_.scale_rule();
    if (!is_static()) {
      if (said != v1::SCALE_RULE_UNSPECIFIED) Refuse("scale_rule");
      if (recipe_.percentile() != 0) Refuse("percentile");
      return;
    }
    const bool known = v1::ScaleRule_IsValid(said);
    const bool fits =
        options_.any_scale_rule || said == options_.scale_rule ||
        (recipe_.method() == v1::METHOD_STATIC_ABSMAX && said == v1::SCALE_RULE_ABSMAX_MAX);
    if (known && said != v1::SCALE_RULE_UNSPECIFIED && !fits) Refuse("scale_rule");
    recipe_.set_scale_rule(check_.Choice(Field("scale_rule"), said, options_.scale_rule, known));
    if (recipe_.scale_rule() == v1::SCALE_RULE_PERCENTILE) {
      recipe_.set_percentile(
          check_.Number<double>(Field("percentile"), recipe_.percentile(), 50, 100, 99.99));
    } else if (recipe_.percentile() != 0) {
      check_.Add(Field("percentile"), "is set, but only SCALE_RULE_PERCENTILE has one");
    }
  }

  void CompleteTransforms() {
    if (options_.any_rotation) {
      recipe_.set_rotation(check_.Choice(Field("rotation"), recipe_.rotation(), options_.rotation,
                                         v1::Rotation_IsValid(recipe_.rotation())));
      const bool rotates_by_itself = options_.rotation == v1::ROTATION_ONLINE;
      if (rotates_by_itself && recipe_.rotation() == v1::ROTATION_NONE) Refuse("rotation");
    } else if (recipe_.rotation() != v1::ROTATION_UNSPECIFIED) {
      Refuse("rotation");
    }
    if (recipe_.method() == v1::METHOD_SMOOTHQUANT) recipe_.mutable_smoothing();
    if (!recipe_.has_smoothing()) return;
    if (!options_.smooths) Refuse("smoothing");
    if (recipe_.smoothing().has_alpha()) {
      check_.Range<double>(Field("smoothing.alpha"), recipe_.smoothing().alpha(), 0, 1);
    }
    if (recipe_.smoothing().include_down() && recipe_.rotation() == v1::ROTATION_ONLINE) {
      check_.Add(Field("smoothing.include_down"),
                 "is set, but with ROTATION_ONLINE a transform stands before down_proj");
    }
  }

  void CheckPatterns(absl::string_view name,
                     const google::protobuf::RepeatedPtrField<std::string>& patterns) {
    if (patterns.size() > kMaxSitePatterns) {
      check_.Add(Field(name), absl::StrCat("has ", patterns.size(), " entries, want at most ",
                                           kMaxSitePatterns));
      return;
    }
    for (const std::string& pattern : patterns) {
      if (pattern.empty()) check_.Add(Field(name), "has an empty entry, want names of sites");
      check_.Text(Field(name), pattern, kMaxSitePatternBytes);
    }
  }

  void CompleteSites() {
    if (!recipe_.has_sites()) return;
    if (!is_static() || recipe_.method() == v1::METHOD_FP_CLIPPED) Refuse("sites");
    CheckPatterns("sites.float_sites", recipe_.sites().float_sites());
    CheckPatterns("sites.dynamic_sites", recipe_.sites().dynamic_sites());
    check_.Range<double>(Field("sites.max_float_flops"), recipe_.sites().max_float_flops(), 0, 1);
    check_.Range<double>(Field("sites.max_dynamic_flops"), recipe_.sites().max_dynamic_flops(), 0,
                         1);
  }

  void CompleteBits() {
    if (!options_.quantizes_weights && recipe_.weight_bits() != 0 &&
        recipe_.weight_bits() != kDefaultBits) {
      Refuse("weight_bits");
    }
    if (recipe_.method() == v1::METHOD_FP && recipe_.activation_bits() != 0 &&
        recipe_.activation_bits() != kDefaultBits) {
      Refuse("activation_bits");
    }
    recipe_.set_activation_bits(check_.Number<int32_t>(
        Field("activation_bits"), recipe_.activation_bits(), 4, 8, kDefaultBits));
    recipe_.set_weight_bits(
        check_.Number<int32_t>(Field("weight_bits"), recipe_.weight_bits(), 4, 8, kDefaultBits));
  }

  void CompleteTraining() {
    if (!options_.trains) {
      if (recipe_.has_training()) Refuse("training");
      return;
    }
    v1::TrainingOptions& training = *recipe_.mutable_training();
    const bool trains_scales =
        recipe_.method() == v1::METHOD_SASQ || recipe_.method() == v1::METHOD_FP_CLIPPED;
    const bool calm = recipe_.first_token() != v1::FIRST_TOKEN_QUANTIZED;
    const bool rotated =
        recipe_.rotation() == v1::ROTATION_FOLDED || recipe_.rotation() == v1::ROTATION_ONLINE;
    training.set_step_count(
        check_.Number<int32_t>(Field("training.step_count"), training.step_count(), 1, 100'000,
                               trains_scales && calm ? 100 : options_.step_count));
    training.set_window_tokens(check_.Number<int32_t>(Field("training.window_tokens"),
                                                      training.window_tokens(), 8, 32'768, 256));
    const double rate = training.learning_rate();
    const double highest = trains_scales ? 1 : 10;
    if (rate == 0) {
      training.set_learning_rate(trains_scales && (calm || rotated) ? 0.02
                                                                    : options_.learning_rate);
    } else if (!(rate > 0 && rate <= highest)) {
      check_.Add(Field("training.learning_rate"),
                 absl::StrCat("is ", rate, ", want more than 0 and at most ", highest));
    }
    const int32_t steps = std::max<int32_t>(training.step_count(), 0);
    training.set_warmup_step_count(training.has_warmup_step_count()
                                       ? check_.Range<int32_t>(Field("training.warmup_step_count"),
                                                               training.warmup_step_count(), 0,
                                                               steps)
                                       : std::min<int32_t>(5, steps));
    if (!trains_scales) {
      if (training.loss() != v1::TRAINING_LOSS_UNSPECIFIED) Refuse("training.loss");
      return;
    }
    training.set_loss(check_.Choice(Field("training.loss"), training.loss(),
                                    v1::TRAINING_LOSS_CROSS_ENTROPY,
                                    v1::TrainingLoss_IsValid(training.loss())));
  }

  void CompleteName() {
    if (recipe_.name().empty()) {
      recipe_.set_name(DefaultName(recipe_, Usual(recipe_, options_)));
      if (recipe_.name().size() > kMaxNameBytes) {
        check_.Add(Field("name"),
                   absl::StrCat("is empty, which stands for \"", recipe_.name(), "\", longer than ",
                                kMaxNameBytes, " bytes; name the row"));
      }
    } else if (!IsRowName(recipe_.name(), kMaxNameBytes)) {
      check_.Add(Field("name"), absl::StrCat("is \"", recipe_.name(), "\", want 1..", kMaxNameBytes,
                                             " of a-z, 0-9, `_`, `-` and `.`, the first of them a "
                                             "letter or digit"));
    }
  }

  const absl::string_view field_;
  v1::Recipe& recipe_;
  FieldChecker& check_;
  MethodOptions options_;
};

}  // namespace

void CompleteRecipe(absl::string_view field, v1::Recipe& recipe, FieldChecker& check) {
  RecipeChecker(field, recipe, check).Complete();
}

void CheckAgainstModel(absl::string_view field, const v1::Recipe& recipe, const ModelConfig& config,
                       FieldChecker& check) {
  for (const int32_t token : recipe.prefix_tokens()) {
    if (token < config.vocab_size) continue;
    check.Add(absl::StrCat(field, ".prefix_tokens"),
              absl::StrCat("has ", token, ", want 0..", config.vocab_size - 1,
                           ", the model's vocabulary"));
  }
  const std::vector<SiteId> sites = AllSites(static_cast<int>(config.layer_count));
  const auto check_patterns = [&](absl::string_view name, const auto& patterns) {
    for (const std::string& pattern : patterns) {
      const bool matches = std::any_of(sites.begin(), sites.end(), [&](const SiteId& site) {
        return MatchesPattern(pattern, SiteName(site));
      });
      if (matches) continue;
      check.Add(absl::StrCat(field, ".sites.", name),
                absl::StrCat("has \"", pattern,
                             "\", which is no site of the model; want names "
                             "such as `",
                             SiteName(sites.front()), "` or `", SiteName(sites.back()),
                             "`, with `*` for any text"));
    }
  };
  check_patterns("float_sites", recipe.sites().float_sites());
  check_patterns("dynamic_sites", recipe.sites().dynamic_sites());
}

void CheckRotation(absl::string_view field, const v1::Recipe& recipe, const ModelConfig& config,
                   FieldChecker& check) {
  const auto check_size = [&](absl::string_view name, int64_t size) {
    if (kernels::FactorHadamard(size).has_value()) return;
    check.Add(absl::StrCat(field, ".rotation"),
              absl::StrCat("is ", v1::Rotation_Name(recipe.rotation()), ", but the model's ", name,
                           " is ", size,
                           ", and no Hadamard matrix of that order is known; want "
                           "another rotation or method"));
  };
  const bool online = recipe.rotation() == v1::ROTATION_ONLINE;
  if (online || recipe.rotation() == v1::ROTATION_FOLDED) {
    check_size("hidden_size", config.hidden_size);
    check_size("head_dim", config.head_dim);
  }
  if (online) check_size("intermediate_size", config.intermediate_size);
}

bool HasStaticScales(const v1::Recipe& recipe) {
  return recipe.activations() == v1::ACTIVATIONS_STATIC && recipe.method() != v1::METHOD_FP_CLIPPED;
}

bool Trains(const v1::Recipe& recipe) { return OptionsOf(recipe.method()).trains; }

}  // namespace sasq
