#include "worker/backoff.h"

#include <gtest/gtest.h>

#include <random>

namespace sasq {
namespace {

TEST(BackoffTest, DoublesUpToTheLimitWithJitterBelow) {
  std::mt19937 random(1);
  Backoff backoff({absl::Milliseconds(100), absl::Milliseconds(700)}, random);
  for (int round = 0; round < 2; ++round) {
    for (int milliseconds : {100, 200, 400, 700, 700}) {
      const absl::Duration delay = backoff.Next();
      EXPECT_GE(delay, absl::Milliseconds(milliseconds) / 2);
      EXPECT_LT(delay, absl::Milliseconds(milliseconds));
    }
    backoff.Reset();
  }
}

TEST(BackoffTest, OnlyFaultsOfTheWayAreTransient) {
  EXPECT_TRUE(IsTransient(absl::UnavailableError("")));
  EXPECT_TRUE(IsTransient(absl::DeadlineExceededError("")));
  EXPECT_TRUE(IsTransient(absl::ResourceExhaustedError("")));
  EXPECT_TRUE(IsTransient(absl::UnauthenticatedError(""))) << "a token can be replaced";
  EXPECT_FALSE(IsTransient(absl::PermissionDeniedError("")));
  EXPECT_FALSE(IsTransient(absl::AbortedError("")));
  EXPECT_FALSE(IsTransient(absl::InvalidArgumentError("")));
  EXPECT_FALSE(IsTransient(absl::NotFoundError("")));
  EXPECT_FALSE(IsTransient(absl::OkStatus()));
}

}  // namespace
}  // namespace sasq
