#include "server/access/token.h"

#include <gtest/gtest.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace sasq {
namespace {

TEST(TokenTest, IsReadAsItWasWritten) {
  const Token token = NewToken();
  const absl::StatusOr<Token> read = ParseToken(token.ToString());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, token.id);
  EXPECT_EQ(read->secret, token.secret);
  EXPECT_NE(NewToken().ToString(), token.ToString());
}

TEST(TokenTest, RefusesOtherForms) {
  const std::string text = NewToken().ToString();
  for (const std::string& wrong :
       {std::string(), std::string("sasq__"), text + "0", text.substr(1), " " + text,
        absl::AsciiStrToUpper(text), text + "_", text.substr(0, text.size() - 1),
        absl::StrCat(text, "\n"), std::string(100'000, '_')}) {
    const absl::Status status = ParseToken(wrong).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << wrong.size();
    EXPECT_LT(status.message().size(), 100u) << "it does not repeat what may be a secret";
  }
}

TEST(TokenTest, HashesArePasswordHashes) {
  const std::string hash = HashSecret("secret");
  EXPECT_EQ(hash.rfind("$argon2id$v=19$m=19456,t=2,p=1$", 0), 0u) << hash;
  EXPECT_NE(hash, HashSecret("secret")) << "salted";
  EXPECT_TRUE(IsSecretHash(hash));
  EXPECT_TRUE(VerifySecret("secret", hash));
  EXPECT_FALSE(VerifySecret("Secret", hash));
  EXPECT_FALSE(VerifySecret("", hash));
  for (const char* wrong :
       {"", "secret", "$argon2id$", "$argon2id$v=19$m=9999999999,t=2,p=1$a$b"}) {
    EXPECT_FALSE(IsSecretHash(wrong)) << wrong;
    EXPECT_FALSE(VerifySecret("secret", wrong)) << wrong;
  }
}

TEST(TokenTest, ComparesSecrets) {
  EXPECT_TRUE(EqualSecrets("abc", "abc"));
  EXPECT_TRUE(EqualSecrets("", ""));
  EXPECT_FALSE(EqualSecrets("abc", "abd"));
  EXPECT_FALSE(EqualSecrets("abc", "ab"));
}

}  // namespace
}  // namespace sasq
