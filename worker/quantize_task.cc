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
#include "quant/methods/statistics_store.h"
#include "quant/model/quantized_weights.h"
#include "quant/text/windows.h"
#include "worker/job_inputs.h"
#include "worker/job_report.h"
#include "worker/progress_meter.h"
#include "worker/recipes.h"
#include "worker/row_measurement.h"
#include "worker/row_meter.h"
#include "worker/site_details.h"

namespace sasq {
namespace {

using google::protobuf::util::MessageDifferencer;
using worker::v1::TaskCheckpoint;

// Training steps between two checkpoints: what a kill can cost.
constexpr int64_t kCheckpointSteps = 5;

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
