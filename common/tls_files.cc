#include "common/tls_files.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int64_t kMaxFileBytes = 4 << 20;  // a bundle of every public authority has 0.3 MiB

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

// The file as OpenSSL reads it.
absl::StatusOr<std::unique_ptr<BIO, Free>> OpenPem(const std::string& path, std::string& content) {
  absl::StatusOr<std::string> read = ReadFile(path, kMaxFileBytes);
  if (!read.ok()) return absl::InvalidArgumentError(read.status().message());
  content = *std::move(read);
  std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
  SASQ_CHECK(bio != nullptr);
  return bio;
}

absl::StatusOr<Certificate> ReadCertificate(const std::string& path) {
  std::string content;
  SASQ_ASSIGN_OR_RETURN(const auto bio, OpenPem(path, content));
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(path, " holds no certificate in PEM form"));
  }
  return certificate;
}

absl::StatusOr<Key> ReadKey(const std::string& path) {
  std::string content;
  SASQ_ASSIGN_OR_RETURN(const auto bio, OpenPem(path, content));
  // An empty passphrase: nobody is asked for one.
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, const_cast<char*>("")));
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds no private key in PEM form without a passphrase"));
  }
  return key;
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError(
        "a TLS certificate and its key are wanted together; only one of them is named");
  }
  if (!files.authorities.empty()) {
    SASQ_RETURN_IF_ERROR(ReadCertificate(files.authorities).status());
  }
  if (files.certificate.empty()) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(files.certificate));
  SASQ_ASSIGN_OR_RETURN(const Key key, ReadKey(files.key));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(files.key, " is not the key of the certificate in ", files.certificate));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the certificate in ", files.certificate, " has expired; renew it"));
  }
  return absl::OkStatus();
}

}  // namespace sasq
