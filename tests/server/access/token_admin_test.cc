#include "server/access/token_admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <thread>
#include <vector>

#include "common/file.h"
#include "server/access/token.h"
#include "server/access/token_book.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

class TokenAdminTest : public testing::Test {
 protected:
  std::string Add(absl::Duration lifetime = absl::InfiniteDuration()) {
    const absl::StatusOr<std::string> token =
        AddToken(path_, {"acme", server::v1::ROLE_VIEWER, "for CI", lifetime}, now_);
    EXPECT_TRUE(token.ok()) << token.status();
    return token.ok() ? *token : "";
  }
  static std::string IdOf(const std::string& token) { return ParseToken(token)->id; }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/tokens.json";
  const absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

TEST_F(TokenAdminTest, AddedTokensCanBeVerifiedAndAreNotInTheFile) {
  const std::string token = Add();
  const absl::StatusOr<server::v1::TokenFile> file = ReadTokenFile(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->tokens_size(), 1);
  const server::v1::TokenRecord& record = file->tokens(0);
  EXPECT_EQ(record.id(), IdOf(token));
  EXPECT_EQ(record.tenant(), "acme");
  EXPECT_EQ(record.role(), server::v1::ROLE_VIEWER);
  EXPECT_TRUE(VerifySecret(ParseToken(token)->secret, record.secret_hash()));
  EXPECT_THAT(*ReadFile(path_, 1 << 20),
              testing::Not(testing::HasSubstr(ParseToken(token)->secret)));
  struct stat info = {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(TokenAdminTest, ListShowsAllButTheSecret) {
  const std::string first = Add();
  const std::string second = Add(absl::Hours(24));
  ASSERT_TRUE(ExpireToken(path_, IdOf(first), now_).ok());
  const std::string list = *ListTokens(path_, now_);
  EXPECT_THAT(list, testing::HasSubstr(IdOf(first)));
  EXPECT_THAT(list, testing::HasSubstr("refused"));
  EXPECT_THAT(list, testing::HasSubstr("2023-11-15T22:13Z"));
  EXPECT_THAT(list, testing::HasSubstr("viewer"));
  EXPECT_THAT(list, testing::HasSubstr("for CI"));
  EXPECT_THAT(list, testing::Not(testing::HasSubstr(ParseToken(second)->secret)));
}

TEST_F(TokenAdminTest, RotatesWithAGracePeriod) {
  const std::string old = Add(absl::Hours(24));
  const absl::Time later = now_ + absl::Hours(12);
  const absl::StatusOr<std::string> fresh = RotateToken(path_, IdOf(old), absl::Hours(1), later);
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  const server::v1::TokenFile file = *ReadTokenFile(path_);
  ASSERT_EQ(file.tokens_size(), 2);
  EXPECT_EQ(file.tokens(0).expire_time().seconds(), absl::ToUnixSeconds(later + absl::Hours(1)));
  EXPECT_EQ(file.tokens(1).id(), IdOf(*fresh));
  EXPECT_EQ(file.tokens(1).expire_time().seconds(), absl::ToUnixSeconds(later + absl::Hours(24)));
  EXPECT_EQ(file.tokens(1).tenant(), "acme");
  EXPECT_NE(file.tokens(1).secret_hash(), file.tokens(0).secret_hash());
  EXPECT_TRUE(absl::IsFailedPrecondition(
      RotateToken(path_, IdOf(old), absl::Hours(1), later + absl::Hours(2)).status()));
}

TEST_F(TokenAdminTest, RotatesWhatNeverExpires) {
  const std::string old = Add();
  const absl::Time later = now_ + absl::Hours(12);
  ASSERT_TRUE(RotateToken(path_, IdOf(old), absl::Hours(1), later).ok());
  const server::v1::TokenFile file = *ReadTokenFile(path_);
  EXPECT_EQ(file.tokens(0).expire_time().seconds(), absl::ToUnixSeconds(later + absl::Hours(1)));
  EXPECT_FALSE(file.tokens(1).has_expire_time());
}

TEST_F(TokenAdminTest, SaysWhatIsWrong) {
  EXPECT_TRUE(absl::IsNotFound(ListTokens(path_, now_).status()));
  EXPECT_TRUE(absl::IsNotFound(ExpireToken(path_, "0123456789abcdef", now_)));
  const auto add = [this](const std::string& tenant, Role role) {
    return AddToken(path_, {tenant, role, "", absl::InfiniteDuration()}, now_).status();
  };
  for (const char* tenant : {"", "Acme", "a b", "../x", "-a"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(add(tenant, server::v1::ROLE_ADMIN))) << tenant;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(add("acme", server::v1::ROLE_UNSPECIFIED)));
  EXPECT_TRUE(absl::IsNotFound(ListTokens(path_, now_).status())) << "nothing was written";
}

TEST_F(TokenAdminTest, RefusesFilesThatAreNotItsOwn) {
  Add();
  const std::string good = *ReadFile(path_, 1 << 20);
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string("{\"tokens\": [{}]}"),
        std::string("{\"more\": 1}"), good.substr(0, good.size() / 2), std::string("\0\xff", 2)}) {
    ASSERT_TRUE(WriteFileDurably(path_, text).ok());
    EXPECT_TRUE(absl::IsInvalidArgument(ReadTokenFile(path_).status())) << text;
  }
  ASSERT_TRUE(WriteFileDurably(path_, good).ok());
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(ReadTokenFile(path_).status()));
}

TEST_F(TokenAdminTest, ChangesOfSeveralProcessesAreAllKept) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([this] { Add(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ReadTokenFile(path_)->tokens_size(), 4);
}

TEST_F(TokenAdminTest, TheBookFollowsTheFile) {
  const std::string first = Add();
  const absl::StatusOr<std::unique_ptr<TokenBook>> book = TokenBook::Open(path_);
  ASSERT_TRUE(book.ok()) << book.status();
  EXPECT_TRUE((*book)->Find(IdOf(first)).has_value());
  const std::string second = Add();
  EXPECT_FALSE((*book)->Find(IdOf(second)).has_value());
  ASSERT_TRUE((*book)->Reload().ok());
  EXPECT_TRUE((*book)->Find(IdOf(second)).has_value());
  ASSERT_TRUE(WriteFileDurably(path_, "no JSON").ok());
  EXPECT_TRUE(absl::IsInvalidArgument((*book)->Reload()));
  EXPECT_TRUE((*book)->Reload().ok()) << "said once";
  EXPECT_TRUE((*book)->Find(IdOf(first)).has_value()) << "what it said before stays";
}

}  // namespace
}  // namespace sasq
