#include "client/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "common/descriptor.h"
#include "common/file.h"
#include "common/part_file.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr size_t kMaxFileNameBytes = 200;  // leaves room for `.part` in a file system's 255

// What the local disk says is never about the service: one code for all of it.
absl::Status LocalError(int error_number, absl::string_view action, const std::string& path) {
  return absl::FailedPreconditionError(SystemError(error_number, action, path).message());
}

// The same of a status.
absl::Status Local(const absl::Status& status) {
  if (status.ok() || absl::IsAborted(status)) return status;
  return absl::FailedPreconditionError(status.message());
}

// Feeds a file from its present position to its end into `sha` and returns how much that was.
absl::StatusOr<int64_t> DigestRest(int fd, const std::string& path, Sha256* sha) {
  const auto buffer = std::make_unique<char[]>(kReadBytes);
  int64_t total = 0;
  while (true) {
    const ssize_t count = ::read(fd, buffer.get(), kReadBytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return LocalError(errno, "read", path);
    if (count == 0) return total;
    sha->Update(absl::string_view(buffer.get(), static_cast<size_t>(count)));
    total += count;
  }
}

// Appends what the service has from the part's size on until the part is whole.
absl::Status Fetch(ServiceClient& client, const v1::Blob& blob, PartFile& part,
                   Reconnector& reconnector, absl::FunctionRef<void(int64_t)> on_bytes) {
  while (part.size_bytes() < blob.size_bytes()) {
    v1::DownloadBlobRequest request;
    request.set_sha256(blob.sha256());
    request.set_offset(part.size_bytes());
    absl::Status status =
        client.DownloadBlob(request, [&](const v1::DownloadBlobResponse& response) -> absl::Status {
          reconnector.OnMessage();
          const int64_t left = blob.size_bytes() - part.size_bytes();
          if (response.offset() != part.size_bytes() ||
              static_cast<int64_t>(response.data().size()) > left) {
            return absl::DataLossError(absl::StrCat(
                "the service sent ", response.data().size(), " bytes of ", blob.file_name(),
                " from ", response.offset(), ", want at most ", left, " from ", part.size_bytes(),
                "; try again, and tell its operator if it stays"));
          }
          SASQ_RETURN_IF_ERROR(Local(part.Append(response.data())));
          on_bytes(part.size_bytes());
          return absl::OkStatus();
        });
    if (part.size_bytes() == blob.size_bytes() && !absl::IsDataLoss(status)) break;
    if (status.ok()) status = absl::UnavailableError("the stream ended before the file did");
    SASQ_RETURN_IF_ERROR(reconnector.OnBreak(status));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckBlob(const v1::Blob& blob) {
  const std::string& name = blob.file_name();
  const bool is_plain = !name.empty() && name.size() <= kMaxFileNameBytes && name[0] != '.' &&
                        !absl::StrContains(name, '/') && CleanLine(name) == name &&
                        !absl::StrContains(name, '\t') && !absl::StrContains(name, '\n') &&
                        !absl::EndsWith(name, ".part");
  if (!is_plain) {
    return absl::DataLossError(absl::StrCat("the service names a file \"", CleanLine(name),
                                            "\", want a plain file name; nothing was written"));
  }
  if (!IsSha256Hex(blob.sha256()) || blob.size_bytes() < 0) {
    return absl::DataLossError(absl::StrCat("the service describes ", name, " by the digest \"",
                                            CleanLine(blob.sha256()), "\" and ", blob.size_bytes(),
                                            " bytes, want a SHA-256 and a size"));
  }
  return absl::OkStatus();
}

absl::StatusOr<LocalFile> CompareLocalFile(const std::string& path, const v1::Blob& blob) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return LocalFile::kAbsent;
    return LocalError(errno, "look at", path);
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " is there and is not a regular file; move it, or choose another --dir"));
  }
  if (info.st_size != blob.size_bytes()) return LocalFile::kDifferent;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return LocalError(errno, "open", path);
  Sha256 sha;
  SASQ_RETURN_IF_ERROR(DigestRest(file.get(), path, &sha).status());
  return sha.FinishHex() == blob.sha256() ? LocalFile::kSame : LocalFile::kDifferent;
}

absl::Status DownloadFile(ServiceClient& client, const v1::Blob& blob, const std::string& path,
                          Reconnector& reconnector, absl::FunctionRef<void(int64_t)> on_bytes) {
  absl::StatusOr<std::unique_ptr<PartFile>> opened =
      PartFile::Open(path + ".part", blob.size_bytes());
  if (!opened.ok()) return Local(opened.status());
  PartFile* const part = opened->get();
  bool was_resumed = part->size_bytes() > 0;
  while (true) {
    on_bytes(part->size_bytes());
    SASQ_RETURN_IF_ERROR(Fetch(client, blob, *part, reconnector, on_bytes));
    const absl::StatusOr<std::string> digest = part->FinishDigest();
    if (!digest.ok()) return Local(digest.status());
    if (*digest == blob.sha256()) return Local(part->MoveTo(path));
    if (!was_resumed) break;
    was_resumed = false;  // the earlier part may have been of another blob: once more, from nothing
    SASQ_RETURN_IF_ERROR(Local(part->Restart()));
  }
  part->Remove();
  return absl::DataLossError(absl::StrCat("the bytes of ", blob.file_name(),
                                          " do not match their SHA-256 ", blob.sha256(),
                                          "; nothing was kept. Try again, and tell the service's "
                                          "operator if it stays"));
}

}  // namespace sasq
