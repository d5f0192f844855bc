#include "tests/support/key_pair.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "common/status_macros.h"

namespace sasq {
namespace {

using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
using Bio = std::unique_ptr<BIO, int (*)(BIO*)>;

std::string TextOf(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT(google-runtime-int): OpenSSL's
  return std::string(data, static_cast<size_t>(size));
}

KeyPair PemOf(const Key& key, const std::string& passphrase) {
  SASQ_CHECK(key != nullptr);
  const Bio private_bio(BIO_new(BIO_s_mem()), &BIO_free);
  const Bio public_bio(BIO_new(BIO_s_mem()), &BIO_free);
  const EVP_CIPHER* const cipher = passphrase.empty() ? nullptr : EVP_aes_256_cbc();
  SASQ_CHECK(PEM_write_bio_PKCS8PrivateKey(private_bio.get(), key.get(), cipher,
                                           passphrase.empty() ? nullptr : passphrase.data(),
                                           static_cast<int>(passphrase.size()), nullptr,
                                           nullptr) == 1);
  SASQ_CHECK(PEM_write_bio_PUBKEY(public_bio.get(), key.get()) == 1);
  return {TextOf(private_bio), TextOf(public_bio)};
}

}  // namespace

KeyPair NewKeyPair(const std::string& passphrase) {
  return PemOf(Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), &EVP_PKEY_free), passphrase);
}

KeyPair KeyPairOf(absl::string_view secret) {
  return PemOf(Key(EVP_PKEY_new_raw_private_key(
                       EVP_PKEY_ED25519, nullptr,
                       reinterpret_cast<const unsigned char*>(secret.data()), secret.size()),
                   &EVP_PKEY_free),
               "");
}

KeyPair NewOtherKeyPair() { return PemOf(Key(EVP_EC_gen("P-256"), &EVP_PKEY_free), ""); }

}  // namespace sasq
