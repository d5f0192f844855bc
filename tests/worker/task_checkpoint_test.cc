#include "worker/task_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "quant/format/site_rule.h"
#include "quant/train/training_checkpoint.h"

namespace sasq {
namespace {

using ::testing::HasSubstr;
using worker::v1::TaskCheckpoint;

constexpr size_t kSiteCount = 2;

worker::v1::TaskInputs Inputs() {
  worker::v1::TaskInputs inputs;
  inputs.set_spec_sha256("abc");
  inputs.set_code_version("0.1.0");
  return inputs;
}

void AddSites(google::protobuf::RepeatedPtrField<worker::v1::MeasuredSite>* sites) {
  for (size_t i = 0; i < kSiteCount; ++i) {
    worker::v1::MeasuredSite& site = *sites->Add();
    site.set_precision(static_cast<int32_t>(SitePrecision::kStatic));
    site.set_scale(0.5f);
  }
}

std::string TrainerState(size_t site_count) {
  TrainingState state;
  state.theta.assign(site_count, 0.25);
  state.moments.first = state.moments.second = state.theta;
  state.gradient_squares = state.previous_theta = state.theta;
  return SerializeTrainingState(state);
}

TaskCheckpoint Sound() {
  TaskCheckpoint checkpoint;
  *checkpoint.mutable_inputs() = Inputs();
  worker::v1::MeasuredRow& measured = *checkpoint.add_measured_rows();
  AddSites(measured.mutable_sites());
  measured.add_other_texts();
  measured.mutable_row()->add_other_texts();
  AddSites(checkpoint.mutable_training()->mutable_initial_sites());
  checkpoint.mutable_training()->set_trainer_state(TrainerState(kSiteCount));
  return checkpoint;
}

TEST(TaskCheckpointTest, GivesBackWhatAnotherAttemptWrote) {
  const TaskCheckpoint sound = Sound();
  const auto read = ReadTaskCheckpoint(sound.SerializeAsString(), Inputs(), kSiteCount);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), sound.SerializeAsString());
  TaskCheckpoint at_the_start;
  *at_the_start.mutable_inputs() = Inputs();
  at_the_start.add_measured_rows();  // of a float model: without sites
  EXPECT_TRUE(ReadTaskCheckpoint(at_the_start.SerializeAsString(), Inputs(), kSiteCount).ok());
}

TEST(TaskCheckpointTest, SaysInWhatItDiffers) {
  const struct {
    std::string what;
    std::function<void(TaskCheckpoint&)> spoil;
  } cases[] = {
      {"code_version", [](auto& c) { c.mutable_inputs()->set_code_version("0.2.0"); }},
      {"device", [](auto& c) { c.mutable_inputs()->set_device("cuda"); }},
      {"measured_rows.sites", [](auto& c) { c.mutable_measured_rows(0)->add_sites(); }},
      {"measured_rows.sites",
       [](auto& c) { c.mutable_measured_rows(0)->mutable_sites(1)->set_precision(7); }},
      {"measured_rows.sites",
       [](auto& c) { c.mutable_measured_rows(0)->mutable_sites(1)->set_scale(0); }},
      {"measured_rows.other_texts",
       [](auto& c) { c.mutable_measured_rows(0)->mutable_row()->add_other_texts(); }},
      {"training.initial_sites",
       [](auto& c) { c.mutable_training()->mutable_initial_sites()->RemoveLast(); }},
      {"training.trainer_state",
       [](auto& c) { c.mutable_training()->mutable_initial_sites()->Clear(); }},
      {"training.trainer_state", [](auto& c) { c.mutable_training()->set_trainer_state("x"); }},
      {"training.trainer_state",
       [](auto& c) { c.mutable_training()->set_trainer_state(TrainerState(kSiteCount + 1)); }},
  };
  for (const auto& test : cases) {
    TaskCheckpoint checkpoint = Sound();
    test.spoil(checkpoint);
    const absl::Status status =
        ReadTaskCheckpoint(checkpoint.SerializeAsString(), Inputs(), kSiteCount).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << test.what;
    EXPECT_THAT(std::string(status.message()), HasSubstr("differs in " + test.what));
  }
  EXPECT_THAT(std::string(ReadTaskCheckpoint("\xff", Inputs(), kSiteCount).status().message()),
              HasSubstr("differs in its form"));
}

}  // namespace
}  // namespace sasq
