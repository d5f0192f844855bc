#include "quant/methods/recipe.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/resource_usage.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "quant/format/flop_count.h"
#include "quant/methods/methods.h"
#include "quant/methods/site_policy.h"
#include "quant/methods/static_scales.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"

namespace sasq {
namespace {

constexpr int kDefaultBits = 8;

int BitsOr8(int bits) { return bits == 0 ? kDefaultBits : bits; }

// Carries out one recipe, step by step.
class Preparation {
 public:
  Preparation(const v1::Recipe& recipe, const RecipeInputs& inputs)
      : recipe_(recipe), inputs_(inputs) {}

  absl::StatusOr<PreparedRecipe> Run() {
    SASQ_ASSIGN_OR_RETURN(method_, MakeMethod(recipe_));
    SASQ_RETURN_IF_ERROR(PrepareModel());
    if (recipe_.first_token() == v1::FIRST_TOKEN_PREFIX) SASQ_RETURN_IF_ERROR(ComputePrefix());
    if (!method_->precision().has_value()) {
      result_.executor = MakeFloatExecutor(result_.model);
      result_.decode_executor = MakeFloatExecutor(result_.model);
      return std::move(result_);
    }
    SASQ_RETURN_IF_ERROR(PrepareWeights());
    SASQ_RETURN_IF_ERROR(ChooseRules());
    if (method_->trains_scales()) SASQ_RETURN_IF_ERROR(TrainScales());
    SASQ_RETURN_IF_ERROR(MakeExecutors());
    return std::move(result_);
  }

 private:
  absl::Status PrepareModel() {
    MethodInputs inputs;
    inputs.model = inputs_.model;
    inputs.seed = inputs_.seed;
    if (inputs_.store != nullptr) inputs.calibration_windows = inputs_.store->windows();
    inputs.statistics = [this](const PreparedModel& prepared) {
      return Statistics(prepared.key, prepared.model);
    };
    inputs.training_window = inputs_.training_window;
    inputs.on_step = inputs_.on_step;
    inputs.stop = inputs_.stop;
    SASQ_ASSIGN_OR_RETURN(PreparedModel prepared, method_->PrepareModel(inputs));
    result_.model = std::move(prepared.model);
    result_.smoothing_factors = std::move(prepared.smoothing_factors);
    result_.bill = std::move(prepared.bill);
    result_.notes = std::move(prepared.notes);
    key_ = std::move(prepared.key);
    return absl::OkStatus();
  }

  absl::Status ComputePrefix() {
    result_.prefix_tokens = PrefixTokens(recipe_, *result_.model);
    SASQ_RETURN_IF_ERROR(CheckPrefixTokens(recipe_, *result_.model));
    SASQ_ASSIGN_OR_RETURN(result_.prefix,
                          sasq::ComputePrefix(result_.model, result_.prefix_tokens, inputs_.stop));
    return absl::OkStatus();
  }

  absl::Status PrepareWeights() {
    const int bits = BitsOr8(recipe_.weight_bits());
    if (result_.model == inputs_.model && bits == kDefaultBits && inputs_.weights != nullptr) {
      result_.weights = inputs_.weights;
      return absl::OkStatus();
    }
    SASQ_ASSIGN_OR_RETURN(result_.weights,
                          QuantizedWeights::Create(result_.model, inputs_.stop, bits));
    return absl::OkStatus();
  }

  // The rules before training.
  absl::Status ChooseRules() {
    QuantizationRules& rules = result_.rules;
    rules.activation_bits = BitsOr8(recipe_.activation_bits());
    rules.leading_tokens_float = recipe_.first_token() == v1::FIRST_TOKEN_FLOAT;
    const SitePrecision precision = *method_->precision();
    rules.sites.assign(result_.model->sites().size(), {precision, 0});
    if (precision == SitePrecision::kDynamic) return absl::OkStatus();
    SASQ_ASSIGN_OR_RETURN(result_.statistics, Statistics(key_, result_.model, result_.prefix_tokens,
                                                         result_.prefix.get()));
    if (!inputs_.checkpoint_sites.empty()) {
      rules.sites = inputs_.checkpoint_sites;
      return absl::OkStatus();
    }
    const std::vector<float> scales =
        StaticScales(*result_.statistics, {.rule = recipe_.scale_rule(),
                                           .percentile = recipe_.percentile(),
                                           .bits = rules.activation_bits,
                                           .without_first = rules.leading_tokens_float});
    for (size_t i = 0; i < scales.size(); ++i) rules.sites[i].scale = scales[i];
    SASQ_RETURN_IF_ERROR(ApplyNamedSites(recipe_.sites(), *result_.model, rules));
    if (recipe_.sites().max_float_flops() <= 0 && recipe_.sites().max_dynamic_flops() <= 0) {
      return absl::OkStatus();
    }
    SiteSearch search;
    search.statistics = result_.statistics.get();
    search.windows = inputs_.store->windows();
    search.prefix = result_.prefix.get();
    search.max_float_flops = recipe_.sites().max_float_flops();
    search.max_dynamic_flops = recipe_.sites().max_dynamic_flops();
    search.stop = inputs_.stop;
    SASQ_ASSIGN_OR_RETURN(result_.float_gains, ApplyBudgets(result_.weights, search, rules));
    return absl::OkStatus();
  }

  absl::Status TrainScales() {
    const double cpu_seconds_before = ProcessCpuSeconds();
    result_.initial_rules = result_.rules;
    ScaleTrainerOptions options;
    options.step_count = recipe_.training().step_count();
    options.learning_rate = recipe_.training().learning_rate();
    options.warmup_step_count = recipe_.training().warmup_step_count();
    options.loss = recipe_.training().loss() == v1::TRAINING_LOSS_KL_DIVERGENCE
                       ? ScaleLoss::kDivergence
                       : ScaleLoss::kCrossEntropy;
    options.prefix = result_.prefix;
    options.fingerprint = inputs_.fingerprint;
    SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<ScaleTrainer> trainer,
                          ScaleTrainer::Create(result_.weights, result_.initial_rules, options));
    if (!inputs_.checkpoint.empty()) SASQ_RETURN_IF_ERROR(trainer->Restore(inputs_.checkpoint));
    while (trainer->step() < options.step_count) {
      const absl::Span<const int32_t> window = inputs_.training_window(trainer->step());
      const absl::Status status = trainer->Step(window, inputs_.stop).status();
      if (ReasonOf(status) == "DIVERGED") {
        result_.failure = std::string(status.message());
        break;
      }
      SASQ_RETURN_IF_ERROR(status);
      if (inputs_.on_scale_step) inputs_.on_scale_step(*trainer, result_.initial_rules);
    }
    result_.rules = trainer->rules();
    result_.gradient_shares = trainer->gradient_shares();
    result_.history.assign(trainer->history().begin(), trainer->history().end());
    AddToBill(ProcessCpuSeconds() - cpu_seconds_before);
    return absl::OkStatus();
  }

  void AddToBill(double cpu_seconds) {
    TrainingBill& bill = result_.bill;
    for (const TrainingStep& step : result_.history) {
      bill.step_losses.push_back(step.loss);
      bill.token_count += step.token_count;
      bill.flop_count += TrainingStepFlopCount(result_.model->config(), step.token_count);
    }
    bill.cpu_seconds += cpu_seconds;
    for (const SiteRule& rule : result_.rules.sites) {
      if (rule.scale > 0) bill.trained_bytes += static_cast<int64_t>(sizeof(float));
    }
  }

  absl::Status MakeExecutors() {
    result_.float_flop_share = FlopShare(*result_.model, result_.rules, SitePrecision::kFloat);
    result_.dynamic_flop_share = FlopShare(*result_.model, result_.rules, SitePrecision::kDynamic);
    SASQ_ASSIGN_OR_RETURN(result_.executor, MakeQuantizedExecutor(result_.weights, result_.rules));
    QuantizationRules decode_rules = result_.rules;
    for (SiteRule& rule : decode_rules.sites) {
      if (rule.precision == SitePrecision::kStatic) rule = {SitePrecision::kDynamic, 0};
    }
    SASQ_ASSIGN_OR_RETURN(result_.decode_executor,
                          MakeQuantizedExecutor(result_.weights, std::move(decode_rules)));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<const ActivationStatistics>> Statistics(
      const std::string& key, const std::shared_ptr<const Model>& model,
      absl::Span<const int32_t> prefix_tokens = {}, const KvCache* prefix = nullptr) {
    SASQ_CHECK(inputs_.store != nullptr);
    SASQ_ASSIGN_OR_RETURN(std::shared_ptr<const ActivationStatistics> statistics,
                          inputs_.store->Get(key, model, prefix_tokens, prefix, inputs_.stop));
    result_.calibration_wall_seconds += statistics->wall_seconds;
    result_.calibration_cpu_seconds += statistics->cpu_seconds;
    result_.calibration_token_count += statistics->token_count;
    return statistics;
  }

  const v1::Recipe& recipe_;
  const RecipeInputs& inputs_;
  std::unique_ptr<const Method> method_;
  std::string key_;  // names the prepared model
  PreparedRecipe result_;
};

}  // namespace

absl::StatusOr<PreparedRecipe> PrepareRecipe(const v1::Recipe& recipe, const RecipeInputs& inputs) {
  SASQ_CHECK(inputs.model != nullptr);
  return Preparation(recipe, inputs).Run();
}

std::vector<int32_t> PrefixTokens(const v1::Recipe& recipe, const Model& model) {
  if (recipe.first_token() != v1::FIRST_TOKEN_PREFIX) return {};
  if (recipe.prefix_tokens().empty()) {
    return {static_cast<int32_t>(model.config().bos_token_id.value_or(0))};
  }
  return {recipe.prefix_tokens().begin(), recipe.prefix_tokens().end()};
}

absl::Status CheckPrefixTokens(const v1::Recipe& recipe, const Model& model) {
  const int64_t vocab_size = model.config().vocab_size;
  for (const int32_t token : recipe.prefix_tokens()) {
    if (token >= 0 && token < vocab_size) continue;
    return WithReason(
        absl::InvalidArgumentError(absl::StrCat("prefix_tokens has ", token,
                                                ", want tokens of the model, 0..", vocab_size - 1)),
        "INVALID_SPEC");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const KvCache>> ComputePrefix(std::shared_ptr<const Model> model,
                                                             absl::Span<const int32_t> tokens,
                                                             std::stop_token stop) {
  const auto prefix = std::make_shared<KvCache>();
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  SASQ_RETURN_IF_ERROR(
      Forward(*model, tokens, *executor, {.kept = prefix.get(), .stop = std::move(stop)}).status());
  return prefix;
}

bool SkipsFirstPrediction(const v1::Recipe& recipe) {
  return recipe.first_token() == v1::FIRST_TOKEN_FLOAT;
}

}  // namespace sasq
