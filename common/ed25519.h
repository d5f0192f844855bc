// Ed25519 signatures (RFC 8032), by OpenSSL. Keys come as PEM; nothing here writes or prints one.
#ifndef SASQ_COMMON_ED25519_H_
#define SASQ_COMMON_ED25519_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct evp_pkey_st;  // OpenSSL's

namespace sasq {

inline constexpr size_t kEd25519SignatureBytes = 64;

// Immutable, so thread-safe; copies share the key.
class Ed25519PublicKey {
 public:
  // PEM `PUBLIC KEY` (SubjectPublicKeyInfo, RFC 8410). INVALID_ARGUMENT for anything else, naming
  // `what`.
  static absl::StatusOr<Ed25519PublicKey> FromPem(absl::string_view pem, absl::string_view what);

  bool Verify(absl::string_view message, absl::string_view signature) const;
  // SHA-256 of the SubjectPublicKeyInfo in DER, 64 lower-case hexadecimal digits.
  std::string KeyId() const;

 private:
  friend class Ed25519PrivateKey;
  explicit Ed25519PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

  std::shared_ptr<evp_pkey_st> key_;
};

// Immutable, so thread-safe; copies share the key.
class Ed25519PrivateKey {
 public:
  // PEM `PRIVATE KEY`, or `ENCRYPTED PRIVATE KEY` that `passphrase` opens (PKCS #8).
  // INVALID_ARGUMENT for anything else and for a passphrase that is missing or wrong, naming
  // `what`.
  static absl::StatusOr<Ed25519PrivateKey> FromPem(absl::string_view pem,
                                                   const std::optional<std::string>& passphrase,
                                                   absl::string_view what);

  // kEd25519SignatureBytes bytes; the same message gives the same ones.
  std::string Sign(absl::string_view message) const;
  Ed25519PublicKey public_key() const { return Ed25519PublicKey(key_); }

 private:
  explicit Ed25519PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace sasq

#endif  // SASQ_COMMON_ED25519_H_
