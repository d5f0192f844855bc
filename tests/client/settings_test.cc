#include "client/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "common/file.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

// The environment holds nothing but a config file, which is empty at first.
class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    for (const char* name : {"SASQ_ENDPOINT", "SASQ_TLS", "SASQ_TLS_CA", "SASQ_TLS_CERT",
                             "SASQ_TLS_KEY", "SASQ_TOKEN", "SASQ_TOKEN_FILE"}) {
      ::unsetenv(name);
    }
    Set("SASQ_CONFIG", path_);
    Write("");
  }
  ~SettingsTest() override { ::unsetenv("SASQ_CONFIG"); }

  static void Set(const char* name, const std::string& value) {
    ::setenv(name, value.c_str(), /*overwrite=*/1);
  }
  void Write(const std::string& config) { ASSERT_TRUE(WriteFileDurably(path_, config).ok()); }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.Path("config.yaml");
};

TEST_F(SettingsTest, DefaultsAreLoopbackWithoutTlsAndToken) {
  const absl::StatusOr<ConnectionSettings> found = ResolveConnection({});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->endpoint, "127.0.0.1:7433");
  EXPECT_FALSE(found->security.uses_tls());
  EXPECT_EQ(found->security.token + found->security.token_file, "");
}

TEST_F(SettingsTest, FlagsGoBeforeEnvironmentBeforeConfig) {
  Write("endpoint: service\ntls_ca: config.pem\ntls_cert: config.crt\ntls_key: config.key\n");
  ConnectionSettings flags;
  EXPECT_EQ(ResolveConnection(flags)->endpoint, "service:7433");
  EXPECT_EQ(ResolveConnection(flags)->security.files.authorities, "config.pem");
  EXPECT_EQ(ResolveConnection(flags)->security.files.key, "config.key");
  EXPECT_TRUE(ResolveConnection(flags)->security.uses_tls());
  Set("SASQ_TLS_CA", "environment.pem");
  EXPECT_EQ(ResolveConnection(flags)->security.files.authorities, "environment.pem");
  flags.security.files.authorities = "flag.pem";
  EXPECT_EQ(ResolveConnection(flags)->security.files.authorities, "flag.pem");
}

TEST_F(SettingsTest, TokensComeFromOnePlace) {
  Write("token: in-config\n");
  ConnectionSettings flags;
  EXPECT_EQ(ResolveConnection(flags)->security.token, "in-config");
  Set("SASQ_TOKEN_FILE", "environment.token");
  EXPECT_EQ(ResolveConnection(flags)->security.token, "");
  EXPECT_EQ(ResolveConnection(flags)->security.token_file, "environment.token");
  Set("SASQ_TOKEN", "in-environment");
  EXPECT_EQ(ResolveConnection(flags)->security.token, "in-environment");
  EXPECT_EQ(ResolveConnection(flags)->security.token_file, "");
  flags.security.token_file = "flag.token";
  EXPECT_EQ(ResolveConnection(flags)->security.token, "");
  EXPECT_EQ(ResolveConnection(flags)->security.token_file, "flag.token");
}

TEST_F(SettingsTest, TheConfigsTokenIsForItsEndpoint) {
  Write("endpoint: service:1\ntoken: in-config\ntoken_file: config.token\n");
  ConnectionSettings flags;
  EXPECT_EQ(ResolveConnection(flags)->security.token, "in-config");
  flags.endpoint = "service:1";
  EXPECT_EQ(ResolveConnection(flags)->security.token, "in-config");
  flags.endpoint = "elsewhere:1";
  EXPECT_EQ(ResolveConnection(flags)->security.token, "");
  EXPECT_EQ(ResolveConnection(flags)->security.token_file, "");
}

TEST_F(SettingsTest, SaysWhatIsWrong) {
  for (const char* config : {"tokens: x", "[1]", "token: [1]", "tls: perhaps", "a: b: c"}) {
    Write(config);
    EXPECT_TRUE(absl::IsInvalidArgument(ResolveConnection({}).status())) << config;
  }
  Write("tls: true");
  EXPECT_TRUE(ResolveConnection({})->security.tls);
  Set("SASQ_TLS", "yes");
  EXPECT_THAT(std::string(ResolveConnection({}).status().message()),
              testing::HasSubstr("SASQ_TLS is \"yes\", want true or false"));
}

}  // namespace
}  // namespace sasq
