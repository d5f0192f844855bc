#include "server/access/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/file.h"
#include "common/rpc_status.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

Call CancelCall() {
  Call call;
  call.rpc = Rpc::kCancelJob;
  call.principal = {"0123456789abcdef", "acme", server::v1::ROLE_SUBMITTER};
  call.peer = "ipv4:10.0.0.1:50000";
  call.resource = "jobs/1 \"\n2";
  call.request_id = "r-1";
  return call;
}

TEST(AuditLogTest, WritesALineForEachChange) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/audit.log";
  const ManualClock clock(absl::FromUnixMillis(1'700'000'000'123));
  const std::unique_ptr<AuditLog> log = *AuditLog::Create(path, clock);
  log->Write(CancelCall(), absl::OkStatus());
  EXPECT_EQ(*ReadFile(path, 4096),
            "ts=2023-11-14T22:13:20.123Z event=audit token=0123456789abcdef tenant=acme "
            "role=submitter method=sasq.v1.QuantizationService/CancelJob "
            "resource=\"jobs/1 \\\"\\n2\" outcome=OK reason=\"\" peer=ipv4:10.0.0.1:50000 "
            "request=r-1 trace=\"\"\n");
  struct stat info = {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(AuditLogTest, GoesOnInANewFileWhenTheOldOneWasMovedAway) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/audit.log";
  const std::unique_ptr<AuditLog> log = *AuditLog::Create(path, *Clock::Real());
  log->Write(CancelCall(), absl::OkStatus());
  std::filesystem::rename(path, path + ".1");
  log->Write(CancelCall(), WithReason(absl::NotFoundError("no"), "JOB_NOT_FOUND"));
  EXPECT_THAT(*ReadFile(path, 4096), testing::HasSubstr("outcome=NOT_FOUND reason=JOB_NOT_FOUND"));
  EXPECT_THAT(*ReadFile(path + ".1", 4096), testing::HasSubstr("outcome=OK"));
}

TEST(AuditLogTest, SaysThatItCannotWrite) {
  EXPECT_TRUE(absl::IsNotFound(AuditLog::Create("/nowhere/audit.log", *Clock::Real()).status()));
}

}  // namespace
}  // namespace sasq
