// Uploads of local files: only what the service lacks, and from where an earlier attempt broke off.
#ifndef SASQ_CLIENT_UPLOAD_H_
#define SASQ_CLIENT_UPLOAD_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/reconnect.h"
#include "client/service_client.h"
#include "client/spec_uploads.h"

namespace sasq {

// Those of the files that the service lacks, each content once.
absl::StatusOr<std::vector<UploadFile>> FindMissing(ServiceClient& client,
                                                    const std::vector<UploadFile>& files);

// Uploads a file; a broken connection is resumed as `reconnector` allows. `on_bytes` gets the bytes
// that were sent, now and then. FAILED_PRECONDITION if the file cannot be read any more,
// INVALID_ARGUMENT (DIGEST_MISMATCH) if it changed, else the service's own errors.
absl::Status SendFile(ServiceClient& client, const UploadFile& file, Reconnector& reconnector,
                      absl::FunctionRef<void(int64_t)> on_bytes);

}  // namespace sasq

#endif  // SASQ_CLIENT_UPLOAD_H_
