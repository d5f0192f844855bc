#include "worker/quantize_task.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/clock.h"
#include "common/resource_usage.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "google/protobuf/util/message_differencer.h"
#include "quant/eval/perplexity.h"
#include "quant/methods/activation_statistics.h"
#include "quant/methods/recipe.h"
#include "quant/methods/static_scales.h"
#include "quant/model/quantized_weights.h"
#include "quant/text/windows.h"
#include "worker/job_inputs.h"
#include "worker/job_report.h"
#include "worker/progress_meter.h"
#include "worker/recipes.h"

namespace sasq {
namespace {

using google::protobuf::util::MessageDifferencer;
using worker::v1::TaskCheckpoint;

// Training steps between two checkpoints: what a kill can cost.
constexpr int64_t kCheckpointSteps = 5;

bool IsInt8(const v1::Recipe& recipe) { return recipe.method() != v1::METHOD_FP; }

double EvaluationCost(const v1::Recipe& recipe) {
  return IsInt8(recipe) ? ProgressMeter::kInt8Forward : ProgressMeter::kFloatForward;
}

int64_t TrainingSteps(const v1::Recipe& recipe) {
  return recipe.method() == v1::METHOD_SASQ ? recipe.training().step_count() : 0;
}

TrainingRecord MakeTrainingRecord(const v1::Recipe& recipe, const PreparedRecipe& prepared,
                                  absl::Span<const SiteId> sites) {
  TrainingRecord record;
  record.method = MethodName(recipe.method());
  record.first_token = FirstTokenName(recipe.first_token());
  for (const TrainingStep& step : prepared.history) record.step_loss.push_back(step.loss);
  for (size_t i = 0; i < sites.size(); ++i) {
    record.sites.push_back({sites[i], prepared.initial_scales[i], prepared.scales[i]});
  }
  return record;
}

// The window of each training step.
std::vector<TokenWindow> ShuffledWindows(TokenWindow tokens, const v1::TrainingOptions& training,
                                         uint64_t seed) {
  const int64_t window_tokens = training.window_tokens();
  WindowOrder order(static_cast<int64_t>(tokens.size()) / window_tokens, seed);
  std::vector<TokenWindow> windows;
  windows.reserve(static_cast<size_t>(training.step_count()));
  for (int i = 0; i < training.step_count(); ++i) {
    windows.push_back(WindowAt(tokens, order.Next(), window_tokens));
  }
  return windows;
}

// One attempt at one task. Its state is the checkpoint that another attempt would go on from.
class Attempt {
 public:
  Attempt(const QuantizeTaskOptions& options, const dispatch::v1::Task& task,
          TaskObserver& observer, std::stop_token stop)
      : options_(options),
        task_(task),
        spec_(task.spec()),
        observer_(observer),
        stop_(std::move(stop)),
        meter_(&observer),
        recipes_(RecipesOf(task.spec())) {}

  absl::StatusOr<TaskResult> Run() {
    SASQ_RETURN_IF_ERROR(Load());
    Resume();
    PlanWork();
    SASQ_RETURN_IF_ERROR(Calibrate());
    for (const v1::Recipe& recipe : recipes_) SASQ_RETURN_IF_ERROR(Measure(recipe));
    return Publish();
  }

 private:
  absl::Status Load();
  void Resume();
  void PlanWork();
  absl::Status Calibrate();
  absl::Status Measure(const v1::Recipe& recipe);
  absl::Status Evaluate(const v1::Recipe& recipe, SiteExecutor& executor,
                        double preparation_seconds);
  absl::StatusOr<PreparedRecipe> Prepare(const v1::Recipe& recipe);
  absl::StatusOr<TaskResult> Publish();

  // Scales that calibration gave for METHOD_STATIC_ABSMAX or METHOD_STATIC_MSE.
  std::vector<float> CalibratedScalesOf(v1::Method method, v1::FirstToken first_token) const;
  // The recipe's training in the state; made if there is none.
  worker::v1::Training& TrainingOf(const v1::Recipe& recipe);
  bool IsMeasured(const v1::Recipe& recipe) const;
  void SaveCheckpoint();
  void Log(absl::string_view line) { observer_.OnLog(line); }

  const QuantizeTaskOptions& options_;
  const dispatch::v1::Task& task_;
  const v1::JobSpec& spec_;
  TaskObserver& observer_;
  const std::stop_token stop_;
  const Stopwatch stopwatch_;
  const double cpu_seconds_at_start_ = ProcessCpuSeconds();
  double earlier_wall_seconds_ = 0;
  double earlier_cpu_seconds_ = 0;

  ProgressMeter meter_;
  const std::vector<v1::Recipe> recipes_;
  JobInputs inputs_;
  std::shared_ptr<const QuantizedWeights> weights_;  // null if nothing is INT8
  std::vector<TrainingRecord> trainings_;
  std::vector<float> recipe_scales_;  // those of spec_.recipe()
  TaskCheckpoint state_;
};

absl::Status Attempt::Load() {
  meter_.Begin(v1::STAGE_LOAD, "", {});
  SASQ_ASSIGN_OR_RETURN(inputs_,
                        LoadJobInputs(spec_, options_.device, options_.capabilities, stop_));
  if (std::any_of(recipes_.begin(), recipes_.end(), IsInt8)) {
    SASQ_ASSIGN_OR_RETURN(weights_, QuantizedWeights::Create(inputs_.model, stop_));
  }
  const ModelConfig& config = inputs_.model->config();
  Log(absl::StrCat("model: ", ArchitectureName(config.architecture), ", ", config.ParameterCount(),
                   " parameters, ", inputs_.model->sites().size(), " sites; ",
                   inputs_.training_tokens.size(), " training tokens, ",
                   inputs_.evaluation_tokens.size(), " evaluation tokens"));
  return absl::OkStatus();
}

void Attempt::Resume() {
  if (task_.checkpoint().empty()) {
    *state_.mutable_inputs() = inputs_.digests;
    return;
  }
  TaskCheckpoint checkpoint;
  const bool readable = checkpoint.ParseFromString(task_.checkpoint());
  const std::string difference =
      readable ? FirstDifference(checkpoint.inputs(), inputs_.digests) : "its form";
  if (difference.empty()) {
    state_ = std::move(checkpoint);
    earlier_wall_seconds_ = state_.wall_seconds();
    earlier_cpu_seconds_ = state_.cpu_seconds();
    Log(absl::StrCat("going on from a checkpoint with ", state_.measured_rows_size(), " of ",
                     recipes_.size(), " rows measured"));
    return;
  }
  Log(absl::StrCat("the checkpoint differs in ", difference, ": beginning anew"));
  *state_.mutable_inputs() = inputs_.digests;
}

void Attempt::PlanWork() {
  const int64_t calibration_tokens = static_cast<int64_t>(inputs_.calibration_windows.size()) *
                                     spec_.calibration().window_tokens();
  const int64_t evaluation_tokens =
      static_cast<int64_t>(inputs_.evaluation_windows.size()) * spec_.evaluation().window_tokens();
  if (std::any_of(recipes_.begin(), recipes_.end(),
                  [](const v1::Recipe& recipe) { return IsStaticMethod(recipe.method()); })) {
    meter_.Plan(calibration_tokens, ProgressMeter::kFloatForward);
    if (state_.calibrated_scales_size() > 0) {
      meter_.Skip(calibration_tokens, ProgressMeter::kFloatForward);
    }
  }
  for (const v1::Recipe& recipe : recipes_) {
    const int64_t training_tokens = TrainingSteps(recipe) * recipe.training().window_tokens();
    meter_.Plan(training_tokens, ProgressMeter::kTrainingStep);
    meter_.Plan(evaluation_tokens, EvaluationCost(recipe));
    if (IsMeasured(recipe)) meter_.Skip(evaluation_tokens, EvaluationCost(recipe));
  }
}

absl::Status Attempt::Calibrate() {
  if (state_.calibrated_scales_size() > 0 ||
      std::none_of(recipes_.begin(), recipes_.end(),
                   [](const v1::Recipe& recipe) { return IsStaticMethod(recipe.method()); })) {
    return absl::OkStatus();
  }
  const Stopwatch stopwatch;
  meter_.Begin(v1::STAGE_CALIBRATE, "",
               {.step_count = static_cast<int64_t>(inputs_.calibration_windows.size()),
                .tokens_per_step = spec_.calibration().window_tokens(),
                .cost_per_token = ProgressMeter::kFloatForward});
  SASQ_ASSIGN_OR_RETURN(
      const ActivationStatistics statistics,
      CollectActivationStatistics(inputs_.model, inputs_.calibration_windows, stop_,
                                  [this](int64_t done) { meter_.Advance(done); }));
  for (const v1::FirstToken first_token : {v1::FIRST_TOKEN_QUANTIZED, v1::FIRST_TOKEN_FLOAT}) {
    for (const v1::Method method : {v1::METHOD_STATIC_ABSMAX, v1::METHOD_STATIC_MSE}) {
      const bool without_first = first_token == v1::FIRST_TOKEN_FLOAT;
      const std::vector<float> scales = method == v1::METHOD_STATIC_MSE
                                            ? MseScales(statistics, without_first)
                                            : AbsmaxScales(statistics, without_first);
      worker::v1::CalibratedScales* calibrated = state_.add_calibrated_scales();
      calibrated->set_method(method);
      calibrated->set_first_token(first_token);
      calibrated->mutable_scales()->Assign(scales.begin(), scales.end());
    }
  }
  state_.set_calibration_seconds(stopwatch.Seconds());
  Log(absl::StrFormat("calibrated on %d windows in %.1f s", inputs_.calibration_windows.size(),
                      state_.calibration_seconds()));
  SaveCheckpoint();
  return absl::OkStatus();
}

std::vector<float> Attempt::CalibratedScalesOf(v1::Method method,
                                               v1::FirstToken first_token) const {
  for (const worker::v1::CalibratedScales& calibrated : state_.calibrated_scales()) {
    if (calibrated.method() == method && calibrated.first_token() == first_token) {
      return {calibrated.scales().begin(), calibrated.scales().end()};
    }
  }
  return {};
}

worker::v1::Training& Attempt::TrainingOf(const v1::Recipe& recipe) {
  for (worker::v1::Training& training : *state_.mutable_trainings()) {
    if (MessageDifferencer::Equals(training.recipe(), recipe)) return training;
  }
  worker::v1::Training& added = *state_.add_trainings();
  *added.mutable_recipe() = recipe;
  return added;
}

bool Attempt::IsMeasured(const v1::Recipe& recipe) const {
  return std::any_of(state_.measured_rows().begin(), state_.measured_rows().end(),
                     [&](const worker::v1::MeasuredRow& measured) {
                       return MessageDifferencer::Equals(measured.recipe(), recipe);
                     });
}

absl::StatusOr<PreparedRecipe> Attempt::Prepare(const v1::Recipe& recipe) {
  RecipeInputs inputs;
  inputs.model = inputs_.model;
  inputs.weights = weights_;
  inputs.calibrated_scales = [this](v1::Method method, v1::FirstToken first_token) {
    return CalibratedScalesOf(method, first_token);
  };
  inputs.stop = stop_;
  if (recipe.method() != v1::METHOD_SASQ) return PrepareRecipe(recipe, inputs);

  worker::v1::Training& training = TrainingOf(recipe);
  const std::vector<TokenWindow> windows = ShuffledWindows(
      inputs_.training_tokens, recipe.training(), static_cast<uint64_t>(spec_.seed()));
  inputs.training_window = [&](int64_t step) { return windows[static_cast<size_t>(step)]; };
  inputs.fingerprint = Sha256Hex(inputs_.digests.SerializeAsString() + recipe.SerializeAsString());
  inputs.checkpoint = training.trainer_state();
  const Stopwatch stopwatch;
  const double earlier_seconds = training.seconds();
  inputs.on_step = [&](const ScaleTrainer& trainer) {
    const TrainingStep& step = trainer.history().back();
    meter_.Advance(step.step, step.loss);
    if (step.step % kCheckpointSteps != 0 && step.step != recipe.training().step_count()) return;
    training.set_trainer_state(trainer.Checkpoint());
    training.set_step(step.step);
    training.set_seconds(earlier_seconds + stopwatch.Seconds());
    Log(absl::StrFormat("%s: step %d of %d, loss %.4f", RecipeName(recipe), step.step,
                        recipe.training().step_count(), step.loss));
    SaveCheckpoint();
  };
  meter_.Begin(v1::STAGE_TRAIN, RecipeName(recipe),
               {.step_count = recipe.training().step_count(),
                .tokens_per_step = recipe.training().window_tokens(),
                .cost_per_token = ProgressMeter::kTrainingStep,
                .skipped_steps = training.step()});
  return PrepareRecipe(recipe, inputs);
}

absl::Status Attempt::Measure(const v1::Recipe& recipe) {
  SASQ_ASSIGN_OR_RETURN(PreparedRecipe prepared, Prepare(recipe));
  double preparation_seconds = IsStaticMethod(recipe.method()) ? state_.calibration_seconds() : 0;
  if (recipe.method() == v1::METHOD_SASQ) {
    preparation_seconds += TrainingOf(recipe).seconds();
    trainings_.push_back(MakeTrainingRecord(recipe, prepared, inputs_.model->sites()));
  }
  if (MessageDifferencer::Equals(recipe, spec_.recipe())) recipe_scales_ = prepared.scales;
  if (IsMeasured(recipe)) return absl::OkStatus();
  return Evaluate(recipe, *prepared.executor, preparation_seconds);
}

absl::Status Attempt::Evaluate(const v1::Recipe& recipe, SiteExecutor& executor,
                               double preparation_seconds) {
  meter_.Begin(v1::STAGE_EVALUATE, RecipeName(recipe),
               {.step_count = static_cast<int64_t>(inputs_.evaluation_windows.size()),
                .tokens_per_step = spec_.evaluation().window_tokens(),
                .cost_per_token = EvaluationCost(recipe)});
  PerplexityOptions options;
  options.skip_first_prediction = recipe.first_token() == v1::FIRST_TOKEN_FLOAT;
  options.stop = stop_;
  options.on_window = [this](int64_t done) { meter_.Advance(done); };
  SASQ_ASSIGN_OR_RETURN(
      const PerplexityResult result,
      EvaluatePerplexity(*inputs_.model, executor, inputs_.evaluation_windows, options));

  worker::v1::MeasuredRow& measured = *state_.add_measured_rows();
  *measured.mutable_recipe() = recipe;
  for (const WindowLoss& window : result.windows) {
    measured.add_window_mean_losses(window.mean_nats);
  }
  v1::ReportRow& row = *measured.mutable_row();
  row.set_method(recipe.method());
  row.set_first_token(recipe.first_token());
  row.set_perplexity(result.perplexity);
  row.set_window_count(static_cast<int64_t>(result.windows.size()));
  row.set_token_count(result.token_count);
  row.set_evaluation_seconds(result.seconds);
  row.set_preparation_seconds(preparation_seconds);
  Log(absl::StrFormat("%s: perplexity %.3f on %d tokens in %.1f s", RecipeName(recipe),
                      result.perplexity, result.token_count, result.seconds));
  observer_.OnRow(row);
  SaveCheckpoint();
  return absl::OkStatus();
}

absl::StatusOr<TaskResult> Attempt::Publish() {
  meter_.Begin(v1::STAGE_PUBLISH, "", {});
  SaveCheckpoint();
  TaskResult result;
  for (const worker::v1::MeasuredRow& measured : state_.measured_rows()) {
    result.rows.push_back(measured.row());
  }
  SASQ_ASSIGN_OR_RETURN(
      result.files,
      MakeArtifactFiles(spec_, inputs_, state_, std::move(trainings_), recipe_scales_, options_));
  return result;
}

void Attempt::SaveCheckpoint() {
  state_.set_wall_seconds(earlier_wall_seconds_ + stopwatch_.Seconds());
  state_.set_cpu_seconds(earlier_cpu_seconds_ + ProcessCpuSeconds() - cpu_seconds_at_start_);
  observer_.OnCheckpoint(state_.SerializeAsString());
}

class QuantizeTask final : public TaskRunner {
 public:
  explicit QuantizeTask(QuantizeTaskOptions options) : options_(std::move(options)) {}

  absl::StatusOr<TaskResult> Run(const dispatch::v1::Task& task, TaskObserver& observer,
                                 std::stop_token stop) override {
    return Attempt(options_, task, observer, std::move(stop)).Run();
  }

 private:
  const QuantizeTaskOptions options_;
};

}  // namespace

std::unique_ptr<TaskRunner> MakeQuantizeTask(QuantizeTaskOptions options) {
  return std::make_unique<QuantizeTask>(std::move(options));
}

}  // namespace sasq
