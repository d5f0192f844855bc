// Files of an artifact on the local disk: resumed, verified, and put in place whole or not at all.
#ifndef SASQ_CLIENT_DOWNLOAD_H_
#define SASQ_CLIENT_DOWNLOAD_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "client/reconnect.h"
#include "client/service_client.h"

namespace sasq {

enum class LocalFile {
  kAbsent,
  kSame,       // the blob's bytes
  kDifferent,  // something else
};

// Checks what the service says of a blob before anything is written: the file name is plain (no
// folder, no leading dot, no control character, not one of our own `.part` files), the digest is
// one, the size is not negative. DATA_LOSS otherwise.
absl::Status CheckBlob(const v1::Blob& blob);

// What lies at `path`, compared with the blob by size and digest. FAILED_PRECONDITION if it is not
// a regular file or cannot be read.
absl::StatusOr<LocalFile> CompareLocalFile(const std::string& path, const v1::Blob& blob);

// Downloads the blob to `path`.part, from the size that an earlier attempt left there, checks the
// digest, and renames the file to `path`, replacing what was there. A broken connection is resumed
// as `reconnector` allows. `on_bytes` gets the bytes that are there, now and then.
// DATA_LOSS if the bytes do not match the digest (nothing is left behind), FAILED_PRECONDITION if
// the local disk refuses, ABORTED if another download writes the same file.
absl::Status DownloadFile(ServiceClient& client, const v1::Blob& blob, const std::string& path,
                          Reconnector& reconnector, absl::FunctionRef<void(int64_t)> on_bytes);

}  // namespace sasq

#endif  // SASQ_CLIENT_DOWNLOAD_H_
