#include "worker/quantize_task.h"

#include <algorithm>
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
#include "quant/format/flop_count.h"
#include "quant/methods/recipe.h"
#include "quant/methods/site_policy.h"
#include "quant/methods/statistics_store.h"
#include "quant/model/quantized_weights.h"
#include "quant/text/windows.h"
#include "worker/job_inputs.h"
#include "worker/job_report.h"
#include "worker/progress_meter.h"
#include "worker/recipes.h"
#include "worker/row_bill.h"
#include "worker/row_measurement.h"
#include "worker/row_quality.h"
#include "worker/site_details.h"
#include "worker/task_checkpoint.h"

namespace sasq {
namespace {

using google::protobuf::util::MessageDifferencer;
using worker::v1::TaskCheckpoint;

// Training steps between two checkpoints: what a kill can cost.
constexpr int64_t kCheckpointSteps = 5;
constexpr size_t kMaxFailureBytes = 4096;  // of what a row says

bool IsFloat(const v1::Recipe& recipe) {
  return recipe.method() == v1::METHOD_FP || recipe.method() == v1::METHOD_FP_CLIPPED;
}

double EvaluationCost(const v1::Recipe& recipe) {
  return IsFloat(recipe) ? ProgressMeter::kFloatForward : ProgressMeter::kInt8Forward;
}

// LLM-QAT writes its text and trains weights: about three times the work of a step.
double TrainingCost(const v1::Recipe& recipe) {
  return recipe.method() == v1::METHOD_LLM_QAT ? 3 * ProgressMeter::kTrainingStep
                                               : ProgressMeter::kTrainingStep;
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

// What a row says before it is measured.
v1::ReportRow NewRow(const v1::Recipe& recipe) {
  v1::ReportRow row;
  row.set_name(recipe.name());
  row.set_method(recipe.method());
  row.set_first_token(recipe.first_token());
  return row;
}

// Errors that end a row and not the job: this method cannot do this model, or what it trains
// diverged before there was anything to measure.
bool EndsRowOnly(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == "UNSUPPORTED_MODEL" || reason == "DIVERGED";
}

// What recipes name in the model has to be there before anything is computed.
absl::Status CheckRecipes(absl::Span<const v1::Recipe> recipes, const Model& model) {
  for (const v1::Recipe& recipe : recipes) {
    QuantizationRules rules;
    rules.sites.resize(model.sites().size());
    SASQ_RETURN_IF_ERROR(ApplyNamedSites(recipe.sites(), model, rules));
    SASQ_RETURN_IF_ERROR(CheckPrefixTokens(recipe, model));
  }
  return absl::OkStatus();
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
    for (const v1::Recipe& recipe : recipes_) {
      if (!IsMeasured(recipe)) SASQ_RETURN_IF_ERROR(Measure(recipe));
    }
    return Publish();
  }

 private:
  absl::Status Load();
  void Resume();
  void PlanWork();
  absl::Status Measure(const v1::Recipe& recipe);
  absl::StatusOr<PreparedRecipe> Prepare(const v1::Recipe& recipe, RowBill& bill);
  void OnScaleStep(const v1::Recipe& recipe, const ScaleTrainer& trainer,
                   const QuantizationRules& initial, double earlier_seconds,
                   const Stopwatch& stopwatch);
  void ReportScales(const QuantizationRules& rules);
  absl::Status Evaluate(const v1::Recipe& recipe, const PreparedRecipe& prepared, RowBill& bill,
                        worker::v1::MeasuredRow& measured);
  void WriteBill(const PreparedRecipe& prepared, RowBill& bill, v1::ReportRow& row) const;
  void Finish(worker::v1::MeasuredRow measured);
  absl::StatusOr<TaskResult> Publish();

  bool IsMainRecipe(const v1::Recipe& recipe) const {
    return spec_.has_recipe() && recipe.name() == spec_.recipe().name();
  }
  bool IsMeasured(const v1::Recipe& recipe) const;
  int64_t EvaluationTokens() const {
    return row_meter_->window_count() * spec_.evaluation().window_tokens();
  }
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
  std::shared_ptr<const QuantizedWeights> weights_;  // of the model as it was loaded
  std::unique_ptr<StatisticsStore> store_;
  std::unique_ptr<RowMeter> row_meter_;
  TaskCheckpoint state_;
};

absl::Status Attempt::Load() {
  meter_.Begin(v1::STAGE_LOAD, "", {});
  JobSources sources(*options_.sources, [this](absl::string_view line) { Log(line); });
  SASQ_ASSIGN_OR_RETURN(
      inputs_, LoadJobInputs(spec_, options_.device, options_.capabilities, sources, stop_));
  SASQ_RETURN_IF_ERROR(CheckRecipes(recipes_, *inputs_.model));
  SASQ_ASSIGN_OR_RETURN(weights_, QuantizedWeights::Create(inputs_.model, stop_));
  store_ = std::make_unique<StatisticsStore>(inputs_.calibration_windows, [this](int64_t done) {
    if (done == 1) {
      meter_.Begin(v1::STAGE_CALIBRATE, "",
                   {.step_count = static_cast<int64_t>(inputs_.calibration_windows.size()),
                    .tokens_per_step = spec_.calibration().window_tokens(),
                    .cost_per_token = ProgressMeter::kFloatForward});
    }
    meter_.Advance(done);
  });
  row_meter_ = std::make_unique<RowMeter>(spec_, inputs_);
  const ModelConfig& config = inputs_.model->config();
  Log(absl::StrCat("model: ", ArchitectureName(config.architecture), ", ", config.ParameterCount(),
                   " parameters, ", inputs_.model->sites().size(), " sites; ",
                   inputs_.training_tokens.size(), " training tokens, ",
                   inputs_.texts.front().tokens.size(), " evaluation tokens"));
  for (const std::string& note : inputs_.notes) Log(note);
  observer_.OnContentKey(inputs_.content_key);
  return absl::OkStatus();
}

void Attempt::Resume() {
  if (task_.checkpoint().empty()) {
    *state_.mutable_inputs() = inputs_.digests;
    return;
  }
  absl::StatusOr<TaskCheckpoint> checkpoint =
      ReadTaskCheckpoint(task_.checkpoint(), inputs_.digests, inputs_.model->sites().size());
  if (checkpoint.ok()) {
    state_ = *std::move(checkpoint);
    earlier_wall_seconds_ = state_.wall_seconds();
    earlier_cpu_seconds_ = state_.cpu_seconds();
    Log(absl::StrCat("going on from a checkpoint with ", state_.measured_rows_size(), " of ",
                     recipes_.size(), " rows measured"));
    return;
  }
  Log(absl::StrCat(checkpoint.status().message(), ": beginning anew"));
  *state_.mutable_inputs() = inputs_.digests;
}

void Attempt::PlanWork() {
  const int64_t calibration_tokens = static_cast<int64_t>(inputs_.calibration_windows.size()) *
                                     spec_.calibration().window_tokens();
  bool calibrates = false;
  for (const v1::Recipe& recipe : recipes_) {
    const int64_t training_tokens =
        int64_t{recipe.training().step_count()} * recipe.training().window_tokens();
    meter_.Plan(training_tokens, TrainingCost(recipe));
    meter_.Plan(EvaluationTokens(), EvaluationCost(recipe));
    if (IsMeasured(recipe)) {
      meter_.Skip(training_tokens, TrainingCost(recipe));
      meter_.Skip(EvaluationTokens(), EvaluationCost(recipe));
    } else {
      calibrates = calibrates || recipe.activations() == v1::ACTIVATIONS_STATIC;
    }
  }
  if (calibrates) meter_.Plan(calibration_tokens, ProgressMeter::kFloatForward);
}

bool Attempt::IsMeasured(const v1::Recipe& recipe) const {
  return std::any_of(state_.measured_rows().begin(), state_.measured_rows().end(),
                     [&](const worker::v1::MeasuredRow& measured) {
                       return measured.row().name() == recipe.name();
                     });
}

absl::StatusOr<PreparedRecipe> Attempt::Prepare(const v1::Recipe& recipe, RowBill& bill) {
  RecipeInputs inputs;
  inputs.model = inputs_.model;
  inputs.weights = weights_;
  inputs.seed = static_cast<uint64_t>(spec_.seed());
  inputs.store = store_.get();
  inputs.stop = stop_;
  std::vector<TokenWindow> windows;
  const Stopwatch stopwatch;
  double earlier_seconds = 0;
  if (recipe.has_training()) {
    windows = ShuffledWindows(inputs_.training_tokens, recipe.training(), inputs.seed);
    inputs.training_window = [&](int64_t step) { return windows[static_cast<size_t>(step)]; };
    inputs.fingerprint =
        Sha256Hex(inputs_.digests.SerializeAsString() + recipe.SerializeAsString());
    const worker::v1::Training& training = state_.training();
    if (MessageDifferencer::Equals(training.recipe(), recipe)) {
      inputs.checkpoint = training.trainer_state();
      inputs.checkpoint_sites = LoadRules(training.initial_sites());
      earlier_seconds = training.seconds();
    }
    const auto begin = [this, &recipe](int64_t skipped_steps) {
      meter_.Begin(v1::STAGE_TRAIN, recipe.name(),
                   {.step_count = recipe.training().step_count(),
                    .tokens_per_step = recipe.training().window_tokens(),
                    .cost_per_token = TrainingCost(recipe),
                    .skipped_steps = skipped_steps});
    };
    const int64_t done_before = inputs.checkpoint.empty() ? 0 : training.step();
    inputs.on_scale_step = [&, begin, done_before](const ScaleTrainer& trainer,
                                                   const QuantizationRules& initial) {
      if (trainer.step() == done_before + 1) begin(done_before);
      bill.Touch();
      OnScaleStep(recipe, trainer, initial, earlier_seconds, stopwatch);
    };
    inputs.on_step = [&, begin](const MethodStep& step) {
      if (step.step == 1) begin(0);
      bill.Touch();
      meter_.Advance(step.step, step.loss);
      Log(absl::StrFormat("%s: step %d of %d, loss %.4f", recipe.name(), step.step,
                          recipe.training().step_count(), step.loss));
    };
  }
  return PrepareRecipe(recipe, inputs);
}

void Attempt::OnScaleStep(const v1::Recipe& recipe, const ScaleTrainer& trainer,
                          const QuantizationRules& initial, double earlier_seconds,
                          const Stopwatch& stopwatch) {
  const TrainingStep& step = trainer.history().back();
  const int32_t step_count = recipe.training().step_count();
  meter_.Advance(step.step, step.loss);
  if (step.step % kCheckpointSteps != 0 && step.step != step_count) return;
  worker::v1::Training& training = *state_.mutable_training();
  *training.mutable_recipe() = recipe;
  training.set_trainer_state(trainer.Checkpoint());
  training.set_step(step.step);
  training.set_seconds(earlier_seconds + stopwatch.Seconds());
  StoreRules(initial, *training.mutable_initial_sites());
  Log(absl::StrFormat("%s: step %d of %d, loss %.4f", recipe.name(), step.step, step_count,
                      step.loss));
  SaveCheckpoint();
  if (IsMainRecipe(recipe)) ReportScales(trainer.rules());
}

// A pack whose scales nobody has measured yet. The tokens of a prefix, and what smoothing made of
// the weights, are known when the row is measured.
void Attempt::ReportScales(const QuantizationRules& rules) {
  const v1::Recipe& recipe = spec_.recipe();
  if (recipe.first_token() == v1::FIRST_TOKEN_PREFIX || recipe.has_smoothing()) return;
  worker::v1::MeasuredRow so_far;
  StoreRules(rules, *so_far.mutable_sites());
  absl::StatusOr<std::string> pack = MakeScalePackFile(spec_, inputs_, so_far, options_);
  if (pack.ok()) observer_.OnBestScales(*std::move(pack));
}

absl::Status Attempt::Measure(const v1::Recipe& recipe) {
  RowBill bill(options_.device.is_cuda);
  const double calibrated_before = store_->wall_seconds();
  const bool resumed = MessageDifferencer::Equals(state_.training().recipe(), recipe);
  const double earlier_seconds = resumed ? state_.training().seconds() : 0;
  worker::v1::MeasuredRow measured;
  *measured.mutable_recipe() = recipe;
  *measured.mutable_row() = NewRow(recipe);
  absl::StatusOr<PreparedRecipe> prepared = Prepare(recipe, bill);
  const bool diverged =
      prepared.ok() ? !prepared->failure.empty() : ReasonOf(prepared.status()) == "DIVERGED";
  if (diverged) observer_.OnDivergence(recipe.method());
  if (!prepared.ok()) {
    if (!EndsRowOnly(prepared.status()) || IsMainRecipe(recipe)) return prepared.status();
    measured.mutable_row()->set_failure(
        std::string(prepared.status().message().substr(0, kMaxFailureBytes)));
    Finish(std::move(measured));
    return absl::OkStatus();
  }
  if (!prepared->failure.empty() && IsMainRecipe(recipe)) {
    return WithReason(absl::FailedPreconditionError(prepared->failure), "DIVERGED");
  }
  // A calibration counts for every row that needs it, whichever row it was made for.
  const double calibrated_now = store_->wall_seconds() - calibrated_before;
  measured.mutable_row()->set_preparation_seconds(
      std::max(0.0, bill.wall_seconds() - calibrated_now) + prepared->calibration_wall_seconds +
      earlier_seconds);
  SASQ_RETURN_IF_ERROR(Evaluate(recipe, *prepared, bill, measured));
  Finish(std::move(measured));
  return absl::OkStatus();
}

absl::Status Attempt::Evaluate(const v1::Recipe& recipe, const PreparedRecipe& prepared,
                               RowBill& bill, worker::v1::MeasuredRow& measured) {
  meter_.Begin(v1::STAGE_EVALUATE, recipe.name(),
               {.step_count = row_meter_->window_count(),
                .tokens_per_step = spec_.evaluation().window_tokens(),
                .cost_per_token = EvaluationCost(recipe)});
  v1::ReportRow& row = *measured.mutable_row();
  const double prepared_at = bill.wall_seconds();
  SASQ_RETURN_IF_ERROR(row_meter_->Measure(
      recipe, prepared, stop_,
      [&](int64_t done) {
        bill.Touch();
        meter_.Advance(done);
      },
      measured));
  row.set_evaluation_seconds(bill.wall_seconds() - prepared_at);
  row.set_float_flop_share(prepared.float_flop_share);
  row.set_dynamic_flop_share(prepared.dynamic_flop_share);
  row.set_failure(prepared.failure);
  for (const double loss : prepared.bill.step_losses) measured.add_step_losses(loss);
  for (const int32_t token : prepared.prefix_tokens) measured.add_prefix_tokens(token);
  for (const std::string& note : prepared.notes) measured.add_notes(note);
  AddSiteDetails(prepared, measured);
  if (IsMainRecipe(recipe)) AddSmoothingFactors(prepared, measured);  // of others there is no pack
  WriteBill(prepared, bill, row);
  return absl::OkStatus();
}

void Attempt::WriteBill(const PreparedRecipe& prepared, RowBill& bill, v1::ReportRow& row) const {
  const ModelConfig& config = inputs_.model->config();
  v1::RowCost& cost = *row.mutable_cost();
  bill.WriteTo(cost);
  cost.set_wall_seconds(row.preparation_seconds() + row.evaluation_seconds());
  cost.set_training_token_count(prepared.bill.token_count);
  cost.set_training_flop_count(prepared.bill.flop_count);
  cost.set_training_cpu_seconds(prepared.bill.cpu_seconds);
  cost.set_trained_bytes(prepared.bill.trained_bytes);
  const int64_t window = spec_.calibration().window_tokens();
  const int64_t calibration_window_count = prepared.calibration_token_count / window;
  const double calibration =
      static_cast<double>(calibration_window_count) * ForwardFlopCount(config, window);
  const double evaluation = static_cast<double>(row_meter_->window_count()) *
                            ForwardFlopCount(config, spec_.evaluation().window_tokens());
  cost.set_flop_count(calibration + prepared.bill.flop_count + evaluation);
}

void Attempt::Finish(worker::v1::MeasuredRow measured) {
  const v1::ReportRow& row = measured.row();
  if (row.perplexity() > 0) {
    Log(absl::StrFormat("%s: perplexity %.3f on %d tokens in %.1f s", row.name(), row.perplexity(),
                        row.token_count(), row.evaluation_seconds()));
  }
  if (!row.failure().empty()) Log(absl::StrCat(row.name(), ": ", row.failure()));
  observer_.OnRow(row);
  state_.clear_training();
  *state_.add_measured_rows() = std::move(measured);
  const auto& rows = state_.measured_rows();
  observer_.OnQuality(QualityOf(*rows.rbegin(), rows, spec_, inputs_.model->config().architecture));
  SaveCheckpoint();
}

absl::StatusOr<TaskResult> Attempt::Publish() {
  meter_.Begin(v1::STAGE_PUBLISH, "", {});
  SaveCheckpoint();
  TaskResult result;
  for (const worker::v1::MeasuredRow& measured : state_.measured_rows()) {
    result.rows.push_back(measured.row());
  }
  SASQ_ASSIGN_OR_RETURN(result.files, MakeArtifactFiles(spec_, inputs_, state_, options_));
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
    options_.uploads->UseLease(task.job(), task.lease_token());
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
