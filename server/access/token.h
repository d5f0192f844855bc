// A bearer token: `sasq_ID_SECRET`. The id finds the record, the secret proves it.
#ifndef SASQ_SERVER_ACCESS_TOKEN_H_
#define SASQ_SERVER_ACCESS_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

struct Token {
  std::string id;      // 16 lower-case hexadecimal digits; no secret
  std::string secret;  // 64 of them: 256 random bits

  std::string ToString() const;
};

// Random bits from the kernel.
Token NewToken();

// INVALID_ARGUMENT, without a word of `text`, for anything else than Token::ToString gives.
absl::StatusOr<Token> ParseToken(absl::string_view text);

// Argon2id (RFC 9106) with a random salt, by libsodium: 19 MiB and two passes, some 20 ms. A
// secret of 256 random bits needs no slow hash to be safe; one that somebody wrote into the file by
// hand does.
std::string HashSecret(absl::string_view secret);

// Whether `hash` is HashSecret of `secret`; compares in constant time. As slow as HashSecret.
bool VerifySecret(absl::string_view secret, const std::string& hash);

// Compares in a time that says nothing but whether the lengths are equal.
bool EqualSecrets(absl::string_view a, absl::string_view b);

// Whether `text` is a hash that VerifySecret can check.
bool IsSecretHash(const std::string& text);

}  // namespace sasq

#endif  // SASQ_SERVER_ACCESS_TOKEN_H_
