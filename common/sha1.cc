#include "common/sha1.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq {

struct GitBlobSha1::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

GitBlobSha1::GitBlobSha1(int64_t size_bytes) : impl_(std::make_unique<Impl>()) {
  SASQ_CHECK(EVP_DigestInit_ex(impl_->context, EVP_sha1(), nullptr) == 1);
  Update(absl::StrCat("blob ", size_bytes, absl::string_view("\0", 1)));
}

GitBlobSha1::~GitBlobSha1() = default;

void GitBlobSha1::Update(absl::string_view bytes) {
  SASQ_CHECK(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1);
}

std::string GitBlobSha1::FinishHex() {
  std::string digest(20, '\0');
  SASQ_CHECK(EVP_DigestFinal_ex(impl_->context, reinterpret_cast<unsigned char*>(digest.data()),
                                nullptr) == 1);
  return absl::BytesToHexString(digest);
}

}  // namespace sasq
