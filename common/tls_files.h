// Certificates and keys in PEM files: checked when a program starts, and afterwards read again by
// gRPC whenever they change.
#ifndef SASQ_COMMON_TLS_FILES_H_
#define SASQ_COMMON_TLS_FILES_H_

#include <string>

#include "absl/status/status.h"

namespace sasq {

struct TlsFiles {
  std::string certificate;  // chain, one's own first; empty: none
  std::string key;          // of that certificate, without a passphrase
  std::string authorities;  // certificates that the peer's one must lead to; empty: see its user
};

// How often the files are looked at. A certificate and its key are replaced together when the
// folder that both lie in is replaced (a link that is renamed); otherwise the pair is taken once it
// fits.
inline constexpr int kTlsReloadSeconds = 1;

// Reads the files. INVALID_ARGUMENT names the file: it cannot be read, is no PEM, the key is not
// the certificate's, or one of the two is missing; FAILED_PRECONDITION: the certificate has
// expired.
absl::Status CheckTlsFiles(const TlsFiles& files);

}  // namespace sasq

#endif  // SASQ_COMMON_TLS_FILES_H_
