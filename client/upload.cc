#include "client/upload.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/descriptor.h"
#include "common/file.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr size_t kPieceBytes = 1 << 20;
constexpr int kMaxDigests = 4096;  // of one FindMissingBlobs
// Another upload of the same content may move the offset: then one looks again.
constexpr int kMaxOffsetMismatches = 20;

absl::StatusOr<std::string> ReadPiece(int fd, const std::string& path, int64_t offset) {
  std::string piece(kPieceBytes, '\0');
  while (true) {
    const ssize_t count = ::pread(fd, piece.data(), piece.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::FailedPreconditionError(SystemError(errno, "read", path).message());
    }
    piece.resize(static_cast<size_t>(count));
    return piece;
  }
}

// One call, from where the service is. OK: the blob is there.
absl::Status SendRest(ServiceClient& client, const UploadFile& file, int fd,
                      Reconnector& reconnector, absl::FunctionRef<void(int64_t)> on_bytes) {
  v1::FindMissingBlobsRequest request;
  request.add_sha256(file.content.sha256());
  SASQ_ASSIGN_OR_RETURN(const v1::FindMissingBlobsResponse found, client.FindMissingBlobs(request));
  reconnector.OnMessage();
  if (found.missing_size() == 0) return absl::OkStatus();
  int64_t offset = found.missing(0).received_bytes();
  on_bytes(offset);
  v1::UploadStart start;
  start.set_sha256(file.content.sha256());
  start.set_size_bytes(file.content.size_bytes());
  start.set_offset(offset);
  return client.UploadBlob(start, [&]() -> absl::StatusOr<std::string> {
    SASQ_ASSIGN_OR_RETURN(std::string piece, ReadPiece(fd, file.local_path, offset));
    offset += static_cast<int64_t>(piece.size());
    on_bytes(offset);
    return piece;
  });
}

}  // namespace

absl::StatusOr<std::vector<UploadFile>> FindMissing(ServiceClient& client,
                                                    const std::vector<UploadFile>& files) {
  std::vector<UploadFile> missing;
  std::set<std::string> asked;
  std::set<std::string> lacking;
  v1::FindMissingBlobsRequest request;
  const auto ask = [&]() -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(const v1::FindMissingBlobsResponse response,
                          client.FindMissingBlobs(request));
    for (const v1::MissingBlob& blob : response.missing()) lacking.insert(blob.sha256());
    request.Clear();
    return absl::OkStatus();
  };
  for (const UploadFile& file : files) {
    if (asked.insert(file.content.sha256()).second) request.add_sha256(file.content.sha256());
    if (request.sha256_size() == kMaxDigests) SASQ_RETURN_IF_ERROR(ask());
  }
  if (request.sha256_size() > 0) SASQ_RETURN_IF_ERROR(ask());
  for (const UploadFile& file : files) {
    if (lacking.erase(file.content.sha256()) > 0) missing.push_back(file);
  }
  return missing;
}

absl::Status SendFile(ServiceClient& client, const UploadFile& file, Reconnector& reconnector,
                      absl::FunctionRef<void(int64_t)> on_bytes) {
  const Descriptor local(::open(file.local_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (local.get() < 0) {
    return absl::FailedPreconditionError(SystemError(errno, "open", file.local_path).message());
  }
  int mismatches = 0;
  while (true) {
    absl::Status status = SendRest(client, file, local.get(), reconnector, on_bytes);
    if (status.ok()) return status;
    const std::string reason = ReasonOf(status);
    if (reason == "STORAGE_FULL") return status;
    if (reason == "OFFSET_MISMATCH" && ++mismatches < kMaxOffsetMismatches) continue;
    SASQ_RETURN_IF_ERROR(reconnector.OnBreak(status));
  }
}

}  // namespace sasq
