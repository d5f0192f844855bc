#include "server/access/authenticator.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "server/access/token_admin.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

class AuthenticatorTest : public testing::Test {
 protected:
  AuthenticatorTest() {
    options_.tokens_file = folder_.path() + "/tokens.json";
    options_.clock = &clock_;
    options_.max_wrong_tokens = 3;
    token_ = Add();
    authenticator_ = *Authenticator::Create(options_);
  }

  std::string Add() {
    return *AddToken(options_.tokens_file,
                     {"acme", server::v1::ROLE_SUBMITTER, "", absl::InfiniteDuration()},
                     clock_.Now());
  }
  static std::string IdOf(const std::string& token) { return ParseToken(token)->id; }
  // The token of the same id with another secret.
  static std::string Wrong(const std::string& token) {
    Token wrong = *ParseToken(token);
    wrong.secret = NewToken().secret;
    return wrong.ToString();
  }

  absl::StatusOr<Principal> Ask(const std::string& authorization,
                                const std::string& address = "ipv4:10.0.0.1") {
    std::promise<absl::StatusOr<Principal>> told;
    authenticator_->Authenticate(authorization, address,
                                 [&](absl::StatusOr<Principal> who) { told.set_value(who); });
    return told.get_future().get();
  }
  void ExpectRefused(const std::string& authorization, const std::string& reason) {
    const absl::Status status = Ask(authorization).status();
    EXPECT_EQ(ReasonOf(status), reason) << status;
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(status.message().find(ParseToken(token_)->secret), std::string::npos);
  }

  const TemporaryFolder folder_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  Authenticator::Options options_;
  std::string token_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, KnowsWhoHasAToken) {
  for (int i = 0; i < 2; ++i) {  // hashed, then remembered
    const absl::StatusOr<Principal> who = Ask("Bearer " + token_);
    ASSERT_TRUE(who.ok()) << who.status();
    EXPECT_EQ(who->token_id, IdOf(token_));
    EXPECT_EQ(who->tenant, "acme");
    EXPECT_EQ(who->role, server::v1::ROLE_SUBMITTER);
  }
}

TEST_F(AuthenticatorTest, RefusesWhatIsNoToken) {
  ExpectRefused("", "TOKEN_MISSING");
  ExpectRefused(token_, "TOKEN_INVALID");
  ExpectRefused("Basic " + token_, "TOKEN_INVALID");
  ExpectRefused("Bearer ", "TOKEN_INVALID");
  ExpectRefused("Bearer " + NewToken().ToString(), "TOKEN_INVALID");
  ExpectRefused("Bearer " + Wrong(token_), "TOKEN_INVALID");
}

TEST_F(AuthenticatorTest, RevokedTokensAreRefusedAlthoughRemembered) {
  ASSERT_TRUE(Ask("Bearer " + token_).ok());
  ASSERT_TRUE(ExpireToken(options_.tokens_file, IdOf(token_), clock_.Now()).ok());
  ASSERT_TRUE(authenticator_->Reload().ok());
  ExpectRefused("Bearer " + token_, "TOKEN_EXPIRED");
}

TEST_F(AuthenticatorTest, TokensExpireAlthoughRemembered) {
  const std::string id = IdOf(token_);
  ASSERT_TRUE(ExpireToken(options_.tokens_file, id, clock_.Now() + absl::Minutes(1)).ok());
  ASSERT_TRUE(authenticator_->Reload().ok());
  ASSERT_TRUE(Ask("Bearer " + token_).ok());
  clock_.Advance(absl::Minutes(1));
  ExpectRefused("Bearer " + token_, "TOKEN_EXPIRED");
}

TEST_F(AuthenticatorTest, RotationChangesWhatIsRemembered) {
  ASSERT_TRUE(Ask("Bearer " + token_).ok());
  const std::string fresh =
      *RotateToken(options_.tokens_file, IdOf(token_), absl::ZeroDuration(), clock_.Now());
  ASSERT_TRUE(authenticator_->Reload().ok());
  EXPECT_TRUE(Ask("Bearer " + fresh).ok());
  ExpectRefused("Bearer " + token_, "TOKEN_EXPIRED");
}

TEST_F(AuthenticatorTest, AddressesWithWrongTokensAreShutOutForAWhile) {
  ASSERT_TRUE(Ask("Bearer " + token_).ok());
  const std::string other = Add();
  ASSERT_TRUE(authenticator_->Reload().ok());
  for (int i = 0; i < 3; ++i) ExpectRefused("Bearer " + Wrong(token_), "TOKEN_INVALID");
  const absl::Status status = Ask("Bearer " + Wrong(token_)).status();
  EXPECT_EQ(ReasonOf(status), "TOO_MANY_WRONG_TOKENS");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Ask("Bearer " + token_).ok()) << "who is remembered is not shut out";
  EXPECT_TRUE(Ask("Bearer " + other, "ipv4:10.0.0.2").ok()) << "nor are other addresses";
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(ReasonOf(Ask("Bearer " + Wrong(token_)).status()), "TOKEN_INVALID");
}

TEST_F(AuthenticatorTest, WhatWaitsForTheHashIsBounded) {
  options_.max_waiting = 1;
  options_.max_wrong_tokens = 1'000'000;
  authenticator_ = *Authenticator::Create(options_);
  // A hash takes milliseconds and there is one thread for it, so most of these find it taken.
  constexpr int kCount = 20;
  std::vector<std::promise<absl::Status>> told(kCount);
  for (std::promise<absl::Status>& promise : told) {
    authenticator_->Authenticate(
        "Bearer " + Wrong(token_), "ipv4:10.0.0.1",
        [&promise](const absl::StatusOr<Principal>& who) { promise.set_value(who.status()); });
  }
  int busy_count = 0;
  for (std::promise<absl::Status>& promise : told) {
    const std::string reason = ReasonOf(promise.get_future().get());
    busy_count += reason == "SERVER_BUSY";
    EXPECT_TRUE(reason == "SERVER_BUSY" || reason == "TOKEN_INVALID") << reason;
  }
  EXPECT_GT(busy_count, 0);
}

TEST_F(AuthenticatorTest, CallsWithOneTokenShareOneHash) {
  options_.max_waiting = 1;
  authenticator_ = *Authenticator::Create(options_);
  std::vector<std::promise<absl::Status>> told(20);
  for (std::promise<absl::Status>& promise : told) {
    authenticator_->Authenticate(
        "Bearer " + token_, "ipv4:10.0.0.1",
        [&promise](const absl::StatusOr<Principal>& who) { promise.set_value(who.status()); });
  }
  for (std::promise<absl::Status>& promise : told) {
    const absl::Status status = promise.get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }
}

}  // namespace
}  // namespace sasq
