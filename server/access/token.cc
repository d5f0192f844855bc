#include "server/access/token.h"

#include <sodium.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "common/uid.h"

namespace sasq {
namespace {

constexpr absl::string_view kPrefix = "sasq";
constexpr size_t kIdDigits = 16;
constexpr size_t kSecretDigits = 64;
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
constexpr unsigned long long kPasses = 2;  // NOLINT(google-runtime-int): libsodium's type
constexpr size_t kMemoryBytes = 19 << 20;

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Once in a process, before anything else of the library. Thread-safe.
void InitializeSodium() { SASQ_CHECK(sodium_init() >= 0); }

}  // namespace

std::string Token::ToString() const { return absl::StrCat(kPrefix, "_", id, "_", secret); }

Token NewToken() { return Token{NewUid().substr(0, kIdDigits), absl::StrCat(NewUid(), NewUid())}; }

absl::StatusOr<Token> ParseToken(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '_');
  if (parts.size() != 3 || parts[0] != kPrefix || !IsHex(parts[1], kIdDigits) ||
      !IsHex(parts[2], kSecretDigits)) {
    return absl::InvalidArgumentError("a token has the form sasq_ID_SECRET");
  }
  return Token{std::string(parts[1]), std::string(parts[2])};
}

std::string HashSecret(absl::string_view secret) {
  InitializeSodium();
  char hash[crypto_pwhash_STRBYTES] = {};
  // Fails only where there is no memory.
  SASQ_CHECK(crypto_pwhash_str_alg(hash, secret.data(), secret.size(), kPasses, kMemoryBytes,
                                   crypto_pwhash_ALG_ARGON2ID13) == 0);
  return hash;
}

bool VerifySecret(absl::string_view secret, const std::string& hash) {
  InitializeSodium();
  return crypto_pwhash_str_verify(hash.c_str(), secret.data(), secret.size()) == 0;
}

bool EqualSecrets(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool IsSecretHash(const std::string& text) {
  InitializeSodium();
  return text.size() < crypto_pwhash_STRBYTES &&
         crypto_pwhash_str_needs_rehash(text.c_str(), kPasses, kMemoryBytes) >= 0;
}

}  // namespace sasq
