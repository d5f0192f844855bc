#include "server/job_state.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

namespace sasq {
namespace {

// Every way that there is. What is not listed must be refused.
const std::map<std::pair<v1::JobState, JobEvent>, v1::JobState>& Ways() {
  static const auto& ways = *new std::map<std::pair<v1::JobState, JobEvent>, v1::JobState>{
      {{v1::JOB_STATE_QUEUED, JobEvent::kLeased}, v1::JOB_STATE_RUNNING},
      {{v1::JOB_STATE_QUEUED, JobEvent::kCancelRequested}, v1::JOB_STATE_CANCELLED},
      {{v1::JOB_STATE_QUEUED, JobEvent::kSucceeded}, v1::JOB_STATE_SUCCEEDED},
      {{v1::JOB_STATE_QUEUED, JobEvent::kFailed}, v1::JOB_STATE_FAILED},
      {{v1::JOB_STATE_RUNNING, JobEvent::kSucceeded}, v1::JOB_STATE_SUCCEEDED},
      {{v1::JOB_STATE_RUNNING, JobEvent::kFailed}, v1::JOB_STATE_FAILED},
      {{v1::JOB_STATE_RUNNING, JobEvent::kAttemptLost}, v1::JOB_STATE_QUEUED},
      {{v1::JOB_STATE_RUNNING, JobEvent::kCancelRequested}, v1::JOB_STATE_CANCELLING},
      {{v1::JOB_STATE_CANCELLING, JobEvent::kSucceeded}, v1::JOB_STATE_CANCELLED},
      {{v1::JOB_STATE_CANCELLING, JobEvent::kFailed}, v1::JOB_STATE_CANCELLED},
      {{v1::JOB_STATE_CANCELLING, JobEvent::kAttemptLost}, v1::JOB_STATE_CANCELLED},
      {{v1::JOB_STATE_CANCELLING, JobEvent::kCancelConfirmed}, v1::JOB_STATE_CANCELLED},
      {{v1::JOB_STATE_CANCELLING, JobEvent::kCancelRequested}, v1::JOB_STATE_CANCELLING},
      {{v1::JOB_STATE_CANCELLED, JobEvent::kCancelRequested}, v1::JOB_STATE_CANCELLED},
  };
  return ways;
}

TEST(JobStateTest, TableIsAsWrittenForEveryPair) {
  for (int i = v1::JobState_MIN; i <= v1::JobState_MAX; ++i) {
    const auto state = static_cast<v1::JobState>(i);
    for (JobEvent event : kAllJobEvents) {
      SCOPED_TRACE(testing::Message() << JobStateName(state) << " x " << JobEventName(event));
      const auto way = Ways().find({state, event});
      const std::optional<v1::JobState> next = NextJobState(state, event);
      ASSERT_EQ(next.has_value(), way != Ways().end());
      if (next.has_value()) {
        EXPECT_EQ(*next, way->second);
      }
    }
  }
}

TEST(JobStateTest, OnlyRunningGoesBackToTheQueue) {
  for (const auto& [from, to] : Ways()) {
    if (to == v1::JOB_STATE_QUEUED) {
      EXPECT_EQ(from.first, v1::JOB_STATE_RUNNING);
    }
  }
}

TEST(JobStateTest, NothingLeadsOutOfAnEndedState) {
  for (const auto& [from, to] : Ways()) {
    if (IsEndedState(from.first)) {
      EXPECT_EQ(to, from.first);
    }
  }
}

TEST(JobStateTest, EveryStateHasAName) {
  for (int i = v1::JobState_MIN + 1; i <= v1::JobState_MAX; ++i) {
    EXPECT_NE(JobStateName(static_cast<v1::JobState>(i)), "unknown");
  }
  for (JobEvent event : kAllJobEvents) EXPECT_NE(JobEventName(event), "unknown");
}

}  // namespace
}  // namespace sasq
