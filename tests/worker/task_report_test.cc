#include "worker/task_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace sasq {
namespace {

using dispatch::v1::HeartbeatRequest;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TaskReportTest : public testing::Test {
 protected:
  HeartbeatRequest Filled() {
    HeartbeatRequest request;
    report_.Fill(&request);
    return request;
  }

  ManualClock clock_{absl::FromUnixSeconds(0)};
  MetricRegistry registry_;
  WorkerMetrics metrics_{&registry_};
  TaskReport report_{&clock_, &metrics_};
};

TEST_F(TaskReportTest, SaysEverythingUntilItIsConfirmed) {
  report_.OnRow(v1::ReportRow());
  report_.OnLog("one\ntwo");
  report_.OnCheckpoint("c1");
  const HeartbeatRequest first = Filled();
  EXPECT_EQ(first.rows_size(), 1);
  EXPECT_EQ(first.log_data(), "1970-01-01T00:00:00.000Z one two\n");
  EXPECT_EQ(first.checkpoint(), "c1");

  report_.OnRow(v1::ReportRow());
  report_.OnLog("three");
  const HeartbeatRequest second = Filled();  // the first one got no answer
  EXPECT_EQ(second.rows_size(), 2);
  EXPECT_THAT(second.log_data(), StartsWith(first.log_data()));
  EXPECT_EQ(second.checkpoint(), "c1");
  report_.Confirm();

  const HeartbeatRequest third = Filled();
  EXPECT_EQ(third.rows_size(), 0);
  EXPECT_EQ(third.log_data(), "");
  EXPECT_EQ(third.checkpoint(), "");
}

TEST_F(TaskReportTest, WhatCameAfterTheFillIsNotConfirmed) {
  report_.OnLog("one");
  report_.OnCheckpoint("c1");
  Filled();
  report_.OnLog("two");
  report_.OnRow(v1::ReportRow());
  report_.OnCheckpoint("c2");
  report_.Confirm();
  EXPECT_EQ(report_.UnconfirmedCheckpoint(), "c2");
  const HeartbeatRequest next = Filled();
  EXPECT_THAT(next.log_data(), testing::EndsWith(" two\n"));
  EXPECT_THAT(next.log_data(), testing::Not(HasSubstr("one")));
  EXPECT_EQ(next.rows_size(), 1);
  EXPECT_EQ(next.checkpoint(), "c2");
}

TEST_F(TaskReportTest, ProgressIsTheLatestAndStays) {
  EXPECT_FALSE(Filled().has_progress());
  v1::Progress progress;
  for (int step : {1, 2}) {
    progress.set_step(step);
    report_.OnProgress(progress);
  }
  EXPECT_EQ(Filled().progress().step(), 2);
  report_.Confirm();
  EXPECT_EQ(Filled().progress().step(), 2);
}

TEST_F(TaskReportTest, MessagesHoldWholeLinesWithinTheLimit) {
  const std::string line(3000, 'x');
  for (int i = 0; i < 100; ++i) report_.OnLog(line);
  EXPECT_TRUE(report_.HasLongLog());
  size_t line_count = 0;
  int messages = 0;
  for (HeartbeatRequest request = Filled(); !request.log_data().empty(); request = Filled()) {
    EXPECT_LE(request.log_data().size(), kMaxLogBytesPerMessage);
    EXPECT_EQ(request.log_data().back(), '\n');
    line_count += std::count(request.log_data().begin(), request.log_data().end(), '\n');
    ++messages;
    report_.Confirm();
  }
  EXPECT_EQ(line_count, 100u);
  EXPECT_GT(messages, 4);
  EXPECT_FALSE(report_.HasLongLog());
}

TEST_F(TaskReportTest, LongLinesAreCutAndStrayBytesMarked) {
  report_.OnLog(absl::StrCat("\xff", std::string(2 * kMaxLogLineBytes, 'x')));
  const std::string log = report_.NextLog();
  EXPECT_THAT(log, HasSubstr("Z ?xxx"));
  EXPECT_LT(log.size(), kMaxLogLineBytes + 64);
}

TEST_F(TaskReportTest, OldestLinesAreDroppedAndCounted) {
  const std::string line(kMaxLogLineBytes, 'x');
  Filled();
  for (size_t i = 0; i < 2 * kMaxPendingLogBytes / kMaxLogLineBytes; ++i) report_.OnLog(line);
  Filled();  // sent, not answered; lines of it are dropped next
  for (int i = 0; i < 20; ++i) report_.OnLog(line);
  report_.OnLog("the newest");
  report_.Confirm();
  std::string log;
  for (HeartbeatRequest request = Filled(); !request.log_data().empty(); request = Filled()) {
    EXPECT_LE(request.log_data().size(), kMaxLogBytesPerMessage);
    log += request.log_data();
    report_.Confirm();
  }
  EXPECT_LE(log.size(), kMaxPendingLogBytes + 256);
  EXPECT_THAT(log, StartsWith("... "));
  EXPECT_THAT(log, HasSubstr(" lines dropped while the coordinator could not be reached\n"));
  EXPECT_THAT(log, testing::EndsWith(" the newest\n"));
}

TEST_F(TaskReportTest, AnOversizedCheckpointIsNotKept) {
  report_.OnCheckpoint("good");
  report_.OnCheckpoint(std::string(kMaxCheckpointBytes + 1, 'x'));
  EXPECT_EQ(report_.UnconfirmedCheckpoint(), "good");
  EXPECT_THAT(report_.NextLog(), HasSubstr("checkpoint of 1048577 bytes is not kept"));
}

}  // namespace
}  // namespace sasq
