#include "common/ed25519.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

struct Passphrase {
  const std::optional<std::string>& given;
  bool refused = false;  // asked for, and it opened nothing
};

// OpenSSL's pem_password_cb. Never asks a terminal.
int GivePassphrase(char* buffer, int size, int /*writing*/, void* context) {
  Passphrase& passphrase = *static_cast<Passphrase*>(context);
  passphrase.refused = true;
  if (!passphrase.given.has_value() || passphrase.given->size() > static_cast<size_t>(size)) {
    return -1;
  }
  passphrase.given->copy(buffer, passphrase.given->size());
  return static_cast<int>(passphrase.given->size());
}

using KeyReader = EVP_PKEY* (*)(BIO*, EVP_PKEY**, pem_password_cb*, void*);

// Null if `pem` holds no Ed25519 key of the kind that `read` reads.
std::shared_ptr<EVP_PKEY> ReadKey(absl::string_view pem, KeyReader read, Passphrase& passphrase) {
  const std::unique_ptr<BIO, int (*)(BIO*)> bytes(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  SASQ_CHECK(bytes != nullptr);
  std::shared_ptr<EVP_PKEY> key(read(bytes.get(), nullptr, &GivePassphrase, &passphrase),
                                &EVP_PKEY_free);
  ERR_clear_error();  // what is wrong is told in our own words
  if (key == nullptr) return nullptr;
  passphrase.refused = false;
  return EVP_PKEY_get_id(key.get()) == EVP_PKEY_ED25519 ? key : nullptr;
}

using DigestContext = std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)>;

DigestContext NewContext() { return {EVP_MD_CTX_new(), &EVP_MD_CTX_free}; }

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

absl::StatusOr<Ed25519PublicKey> Ed25519PublicKey::FromPem(absl::string_view pem,
                                                           absl::string_view what) {
  const std::optional<std::string> none;
  Passphrase passphrase{none};
  std::shared_ptr<EVP_PKEY> key = ReadKey(pem, &PEM_read_bio_PUBKEY, passphrase);
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(what,
                     " is not an Ed25519 public key in PEM; `openssl pkey -in KEY.pem -pubout` "
                     "writes that of a private key"));
  }
  return Ed25519PublicKey(std::move(key));
}

bool Ed25519PublicKey::Verify(absl::string_view message, absl::string_view signature) const {
  const DigestContext context = NewContext();
  SASQ_CHECK(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
  const int result = EVP_DigestVerify(context.get(), Bytes(signature), signature.size(),
                                      Bytes(message), message.size());
  ERR_clear_error();
  return result == 1;
}

std::string Ed25519PublicKey::KeyId() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &der);
  SASQ_CHECK(size > 0);
  std::string id = Sha256Hex({reinterpret_cast<const char*>(der), static_cast<size_t>(size)});
  OPENSSL_free(der);
  return id;
}

absl::StatusOr<Ed25519PrivateKey> Ed25519PrivateKey::FromPem(
    absl::string_view pem, const std::optional<std::string>& given, absl::string_view what) {
  Passphrase passphrase{given};
  std::shared_ptr<EVP_PKEY> key = ReadKey(pem, &PEM_read_bio_PrivateKey, passphrase);
  if (key != nullptr) return Ed25519PrivateKey(std::move(key));
  if (passphrase.refused) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, " is encrypted, and ",
        given.has_value() ? "the passphrase does not open it" : "there is no passphrase for it"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(what,
                   " is not an Ed25519 private key in PEM; `openssl genpkey -algorithm ed25519` "
                   "makes one"));
}

std::string Ed25519PrivateKey::Sign(absl::string_view message) const {
  const DigestContext context = NewContext();
  SASQ_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
  std::string signature(kEd25519SignatureBytes, '\0');
  size_t size = signature.size();
  SASQ_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                            &size, Bytes(message), message.size()) == 1);
  SASQ_CHECK(size == signature.size());
  return signature;
}

}  // namespace sasq
