// What is checked before anything is connected; tests/e2e/test_security.py does the rest with
// certificates.
#include "common/rpc_channel.h"

#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>
#include <gtest/gtest.h>

#include <string>

#include "common/file.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

absl::Status Make(const std::string& endpoint, const RpcSecurity& security) {
  return MakeRpcChannel(endpoint, security, grpc::ChannelArguments()).status();
}

TEST(RpcChannelTest, TokensStayOnThisMachineWithoutTls) {
  RpcSecurity security;
  security.token = "sasq_secret";
  EXPECT_TRUE(Make("127.0.0.1:1", security).ok());
  EXPECT_TRUE(Make("localhost:1", security).ok());
  for (const char* endpoint : {"10.0.0.1:1", "service:1", "0.0.0.0:1", "dns:///127.0.0.1:1"}) {
    const absl::Status status = Make(endpoint, security);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << endpoint << status;
    EXPECT_THAT(std::string(status.message()), testing::Not(testing::HasSubstr("secret")));
  }
  security.tls = true;
  EXPECT_TRUE(Make("service:1", security).ok());
}

TEST(RpcChannelTest, SaysWhichFileIsWrong) {
  RpcSecurity security;
  security.files.authorities = "/nowhere/ca.pem";
  EXPECT_THAT(std::string(Make("service:1", security).message()),
              testing::HasSubstr("/nowhere/ca.pem"));
  const TemporaryFolder folder;
  const std::string path = folder.Write("ca.pem", "no PEM");
  security.files.authorities = path;
  EXPECT_THAT(std::string(Make("service:1", security).message()),
              testing::HasSubstr("no certificate in PEM form"));
  security.files = TlsFiles();
  security.files.certificate = path;
  EXPECT_THAT(std::string(Make("service:1", security).message()), testing::HasSubstr("together"));
  security.files = TlsFiles();
  security.token_file = "/nowhere/token";
  EXPECT_TRUE(absl::IsNotFound(Make("127.0.0.1:1", security)));
}

}  // namespace
}  // namespace sasq
