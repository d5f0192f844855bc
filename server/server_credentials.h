// What a client has to show before it can say anything, and what it is shown.
#ifndef SASQ_SERVER_SERVER_CREDENTIALS_H_
#define SASQ_SERVER_SERVER_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "common/tls_files.h"

namespace sasq {

// TLS with the certificate of `files`; where it names authorities, a client has to have a
// certificate of one of them (mutual TLS). Without a certificate: no TLS. Errors as of
// CheckTlsFiles.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsFiles& files);

}  // namespace sasq

#endif  // SASQ_SERVER_SERVER_CREDENTIALS_H_
