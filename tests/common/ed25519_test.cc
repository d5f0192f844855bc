#include "common/ed25519.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "tests/support/key_pair.h"

namespace sasq {
namespace {

using ::testing::HasSubstr;

Ed25519PrivateKey PrivateKey(const KeyPair& pair) {
  return Ed25519PrivateKey::FromPem(pair.private_pem, std::nullopt, "key.pem").value();
}

// RFC 8032, section 7.1, test 2.
TEST(Ed25519Test, KnownAnswer) {
  const KeyPair pair = KeyPairOf(
      absl::HexStringToBytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  const std::string message = absl::HexStringToBytes("72");
  const std::string signature = PrivateKey(pair).Sign(message);
  EXPECT_EQ(absl::BytesToHexString(signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  const auto key = Ed25519PublicKey::FromPem(pair.public_pem, "key.pem");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_TRUE(key->Verify(message, signature));
}

TEST(Ed25519Test, EveryOtherBitIsRefused) {
  const Ed25519PrivateKey key = PrivateKey(NewKeyPair());
  const std::string message = "scales";
  const std::string signature = key.Sign(message);
  const Ed25519PublicKey public_key = key.public_key();
  EXPECT_TRUE(public_key.Verify(message, signature));
  EXPECT_FALSE(PrivateKey(NewKeyPair()).public_key().Verify(message, signature));
  EXPECT_FALSE(public_key.Verify("scale", signature));
  EXPECT_FALSE(public_key.Verify(message, ""));
  EXPECT_FALSE(public_key.Verify(message, signature.substr(1)));
  EXPECT_FALSE(public_key.Verify(message, signature + "x"));
  for (size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    std::string flipped = signature;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(public_key.Verify(message, flipped)) << "bit " << bit;
  }
}

TEST(Ed25519Test, BothHalvesHaveOneKeyId) {
  const KeyPair pair = NewKeyPair();
  const auto key = Ed25519PublicKey::FromPem(pair.public_pem, "key.pem");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->KeyId(), PrivateKey(pair).public_key().KeyId());
  EXPECT_EQ(key->KeyId().size(), 64u);
  EXPECT_NE(key->KeyId(), PrivateKey(NewKeyPair()).public_key().KeyId());
}

TEST(Ed25519Test, AnEncryptedKeyWantsItsPassphrase) {
  const KeyPair pair = NewKeyPair("open sesame");
  const auto read = [&](const std::optional<std::string>& passphrase) {
    return Ed25519PrivateKey::FromPem(pair.private_pem, passphrase, "key.pem").status();
  };
  EXPECT_TRUE(read("open sesame").ok());
  EXPECT_THAT(std::string(read(std::nullopt).message()),
              HasSubstr("key.pem is encrypted, and there is no passphrase"));
  EXPECT_THAT(std::string(read("wrong").message()), HasSubstr("the passphrase does not open it"));
  EXPECT_EQ(read("").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read(std::string(100'000, 'x')).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Ed25519Test, OtherKeysAreRefused) {
  const KeyPair pair = NewKeyPair();
  const KeyPair other = NewOtherKeyPair();
  for (const std::string& pem : {std::string(), std::string("no key"), pair.public_pem,
                                 other.private_pem, pair.private_pem.substr(0, 60)}) {
    const auto key = Ed25519PrivateKey::FromPem(pem, std::nullopt, "key.pem");
    EXPECT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument) << pem;
    EXPECT_THAT(std::string(key.status().message()),
                HasSubstr("key.pem is not an Ed25519 private key"));
  }
  for (const std::string& pem : {std::string(), pair.private_pem, other.public_pem}) {
    const auto key = Ed25519PublicKey::FromPem(pem, "key.pem");
    EXPECT_THAT(std::string(key.status().message()),
                HasSubstr("key.pem is not an Ed25519 public key"));
  }
}

}  // namespace
}  // namespace sasq
