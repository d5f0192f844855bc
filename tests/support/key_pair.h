// Key pairs for tests of signatures, made by OpenSSL.
#ifndef SASQ_TESTS_SUPPORT_KEY_PAIR_H_
#define SASQ_TESTS_SUPPORT_KEY_PAIR_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sasq {

// Both in PEM.
struct KeyPair {
  std::string private_pem;
  std::string public_pem;
};

// A new Ed25519 pair; the private key is encrypted if there is a passphrase.
KeyPair NewKeyPair(const std::string& passphrase = "");

// The Ed25519 pair of a secret of 32 bytes.
KeyPair KeyPairOf(absl::string_view secret);

// A pair of another algorithm: P-256.
KeyPair NewOtherKeyPair();

}  // namespace sasq

#endif  // SASQ_TESTS_SUPPORT_KEY_PAIR_H_
