#include "worker/task_checkpoint.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/site_rule.h"
#include "quant/train/training_checkpoint.h"

namespace sasq {
namespace {

using worker::v1::TaskCheckpoint;

using Sites = google::protobuf::RepeatedPtrField<worker::v1::MeasuredSite>;

absl::Status DiffersIn(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the checkpoint differs in ", what));
}

// The first field in which two attempts' inputs differ; empty if none.
std::string FirstDifference(const worker::v1::TaskInputs& a, const worker::v1::TaskInputs& b) {
  const google::protobuf::Descriptor* descriptor = a.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = descriptor->field(i);
    if (a.GetReflection()->GetString(a, field) != b.GetReflection()->GetString(b, field)) {
      return field->name();
    }
  }
  return "";
}

bool IsRule(const worker::v1::MeasuredSite& site) {
  switch (static_cast<SitePrecision>(site.precision())) {
    case SitePrecision::kStatic:
    case SitePrecision::kClipped:
      return std::isfinite(site.scale()) && site.scale() > 0;
    case SitePrecision::kDynamic:
    case SitePrecision::kFloat:
      return true;
  }
  return false;
}

// Of every site of the model, or none.
bool AreRules(const Sites& sites, size_t site_count) {
  if (sites.empty()) return true;
  if (static_cast<size_t>(sites.size()) != site_count) return false;
  for (const worker::v1::MeasuredSite& site : sites) {
    if (!IsRule(site)) return false;
  }
  return true;
}

absl::Status CheckTraining(const worker::v1::Training& training, size_t site_count) {
  if (!AreRules(training.initial_sites(), site_count)) return DiffersIn("training.initial_sites");
  if (training.trainer_state().empty()) return absl::OkStatus();
  const absl::StatusOr<TrainingState> state = ParseTrainingState(training.trainer_state());
  if (!state.ok() || state->theta.size() != site_count || training.initial_sites().empty()) {
    return DiffersIn("training.trainer_state");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TaskCheckpoint> ReadTaskCheckpoint(absl::string_view bytes,
                                                  const worker::v1::TaskInputs& inputs,
                                                  size_t site_count) {
  TaskCheckpoint checkpoint;
  if (!checkpoint.ParseFromString(std::string(bytes))) return DiffersIn("its form");
  const std::string difference = FirstDifference(checkpoint.inputs(), inputs);
  if (!difference.empty()) return DiffersIn(difference);
  for (const worker::v1::MeasuredRow& measured : checkpoint.measured_rows()) {
    if (!AreRules(measured.sites(), site_count)) return DiffersIn("measured_rows.sites");
    if (measured.other_texts_size() != measured.row().other_texts_size()) {
      return DiffersIn("measured_rows.other_texts");
    }
  }
  SASQ_RETURN_IF_ERROR(CheckTraining(checkpoint.training(), site_count));
  return checkpoint;
}

}  // namespace sasq
