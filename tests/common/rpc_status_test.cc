#include "common/rpc_status.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

namespace sasq {
namespace {

TEST(RpcStatusTest, EveryDetailSurvivesTheWire) {
  const absl::Status sent = FieldViolationsStatus(
      {{"spec.seed", "is -1, want 0 or more"}, {"spec.model.uri", "is empty"}}, "INVALID_SPEC");
  const absl::Status received = FromGrpcStatus(ToGrpcStatus(sent));
  EXPECT_EQ(received, sent);
  EXPECT_EQ(ReasonOf(received), "INVALID_SPEC");
  const std::vector<FieldViolation> violations = FieldViolationsOf(received);
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[1].field, "spec.model.uri");
  EXPECT_EQ(violations[1].description, "is empty");
  EXPECT_EQ(received.message(), "spec.seed is -1, want 0 or more; spec.model.uri is empty");
}

TEST(RpcStatusTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
  EXPECT_TRUE(FieldViolationsStatus({}, "INVALID_SPEC").ok());
}

TEST(RpcStatusTest, StatusesWithoutDetailsHaveNoReason) {
  const absl::Status plain = FromGrpcStatus(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  EXPECT_EQ(plain, absl::UnavailableError("gone"));
  EXPECT_EQ(ReasonOf(plain), "");
  EXPECT_TRUE(FieldViolationsOf(plain).empty());
}

TEST(RpcStatusTest, GarbledDetailsAreIgnored) {
  const grpc::Status garbled(grpc::StatusCode::ABORTED, "no", "\xff\xff not a message");
  EXPECT_EQ(FromGrpcStatus(garbled), absl::AbortedError("no"));
}

}  // namespace
}  // namespace sasq
