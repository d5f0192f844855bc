#include "client/commands/describe.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/command.h"
#include "client/enum_names.h"
#include "client/progress.h"
#include "client/text.h"

namespace sasq {
namespace {

std::string DescribeText(const v1::TextSource& text) {
  if (text.layout() == v1::TEXT_LAYOUT_WIKITEXT_ROWS) return text.uri() + " (wikitext rows)";
  return text.uri();
}

std::string DescribeRecipe(const v1::Recipe& recipe) {
  std::vector<std::string> parts = {ShortEnumName(v1::Method_descriptor(), recipe.method())};
  if (recipe.first_token() == v1::FIRST_TOKEN_FLOAT) parts.push_back("first token float");
  if (recipe.has_training()) {
    const v1::TrainingOptions& training = recipe.training();
    if (training.step_count() > 0) parts.push_back(absl::StrCat(training.step_count(), " steps"));
    if (training.window_tokens() > 0) {
      parts.push_back(absl::StrCat(training.window_tokens(), " tokens each"));
    }
    if (training.learning_rate() > 0) {
      parts.push_back(absl::StrCat("learning rate ", training.learning_rate()));
    }
    if (training.initial_scales() != v1::INITIAL_SCALES_UNSPECIFIED) {
      parts.push_back(absl::StrCat(
          "from ", ShortEnumName(v1::InitialScales_descriptor(), training.initial_scales())));
    }
  }
  return absl::StrJoin(parts, ", ");
}

std::string DescribeWindows(int windows, int tokens) {
  return absl::StrCat(windows == 0 ? "all windows" : absl::StrCat(windows), " x ", tokens,
                      " tokens");
}

std::string Ago(const google::protobuf::Timestamp& time, absl::Time now) {
  return absl::StrCat(TimeText(time), " (", DurationText(now - ToTime(time)), " ago)");
}

}  // namespace

KeyValues DescribeSpec(const v1::JobSpec& spec) {
  KeyValues pairs;
  if (!spec.display_name().empty()) pairs.push_back({"name", spec.display_name()});
  pairs.push_back({"model", spec.model().uri()});
  pairs.push_back({"training text", DescribeText(spec.training_text())});
  pairs.push_back({"evaluation text", DescribeText(spec.evaluation_text())});
  if (spec.has_recipe()) pairs.push_back({"recipe", DescribeRecipe(spec.recipe())});
  for (const v1::Recipe& baseline : spec.baselines()) {
    pairs.push_back(
        {pairs.back().first == "baselines" || pairs.back().first.empty() ? "" : "baselines",
         DescribeRecipe(baseline)});
  }
  if (spec.calibration().window_tokens() > 0) {
    pairs.push_back({"calibration", DescribeWindows(spec.calibration().window_count(),
                                                    spec.calibration().window_tokens())});
  }
  if (spec.evaluation().window_tokens() > 0) {
    pairs.push_back({"evaluation", DescribeWindows(spec.evaluation().window_count(),
                                                   spec.evaluation().window_tokens())});
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
  pairs.push_back({"created", Ago(job.create_time(), now)});
  if (job.has_start_time()) pairs.push_back({"started", Ago(job.start_time(), now)});
  if (job.has_end_time()) pairs.push_back({"ended", Ago(job.end_time(), now)});
  if (!job.artifact().empty()) pairs.push_back({"artifact", job.artifact()});
  for (auto& pair : DescribeSpec(job.spec())) pairs.push_back(std::move(pair));
  return pairs;
}

}  // namespace sasq
