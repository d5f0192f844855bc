#include "quant/source/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace sasq {
namespace {

class RecordedPause final : public Pause {
 public:
  void For(absl::Duration duration, const std::stop_token&) override {
    waits.push_back(duration);
    if (during) during();
  }
  std::vector<absl::Duration> waits;
  std::function<void()> during;
};

class RetryTest : public testing::Test {
 protected:
  Retrier Make(RetryOptions options = {}) {
    return Retrier(options, pause_, [this](absl::string_view line) { log_.emplace_back(line); });
  }
  RecordedPause pause_;
  std::vector<std::string> log_;
  std::stop_source stop_;
};

TEST_F(RetryTest, WaitsTwiceAsLongEachTimeAndGivesUp) {
  Retrier retrier = Make({.max_idle_tries = 5, .max = absl::Seconds(4)});
  const absl::Status status = absl::UnavailableError("no answer");
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(retrier.OnFailure(status, stop_.get_token()).ok());
  const absl::Status last = retrier.OnFailure(status, stop_.get_token());
  EXPECT_TRUE(absl::IsUnavailable(last));
  EXPECT_THAT(std::string(last.message()), testing::HasSubstr("no answer; gave up after 5 tries"));
  ASSERT_EQ(pause_.waits.size(), 4U);
  const double longest[] = {1, 2, 4, 4};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_GE(pause_.waits[i], absl::Seconds(longest[i] / 2));
    EXPECT_LE(pause_.waits[i], absl::Seconds(longest[i]));
  }
  EXPECT_EQ(log_.size(), 4U);
}

TEST_F(RetryTest, ProgressBeginsAnewUpToALimit) {
  Retrier retrier = Make({.max_idle_tries = 2, .max_tries = 10});
  for (int i = 0; i < 9; ++i) {
    retrier.OnProgress();
    EXPECT_TRUE(retrier.OnFailure(absl::UnavailableError("cut"), stop_.get_token()).ok());
  }
  retrier.OnProgress();
  EXPECT_FALSE(retrier.OnFailure(absl::UnavailableError("cut"), stop_.get_token()).ok());
}

TEST_F(RetryTest, WaitsAsTheServerAsks) {
  Retrier retrier = Make();
  EXPECT_TRUE(retrier.OnFailure(RetryAfter("busy", absl::Seconds(90)), stop_.get_token()).ok());
  EXPECT_THAT(pause_.waits, testing::ElementsAre(absl::Seconds(90)));
  const absl::Status later =
      retrier.OnFailure(RetryAfter("busy", absl::Hours(2)), stop_.get_token());
  EXPECT_TRUE(absl::IsUnavailable(later));
  EXPECT_THAT(std::string(later.message()), testing::HasSubstr("come back in 2h"));
}

TEST_F(RetryTest, FinalErrorsAreNotTriedAgain) {
  Retrier retrier = Make();
  EXPECT_TRUE(absl::IsNotFound(retrier.OnFailure(absl::NotFoundError("gone"), stop_.get_token())));
  EXPECT_TRUE(pause_.waits.empty());
}

TEST_F(RetryTest, AStopEndsTheWait) {
  Retrier retrier = Make();
  pause_.during = [this] { stop_.request_stop(); };
  EXPECT_TRUE(absl::IsCancelled(retrier.OnFailure(absl::UnavailableError("x"), stop_.get_token())));
  Pause::Real()->For(absl::Hours(1), stop_.get_token());  // returns at once
}

}  // namespace
}  // namespace sasq
