#include "server/blob_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int64_t kDigestPieceBytes = 1 << 20;

}  // namespace

absl::Status BlobStoreError(absl::Status status) {
  const bool full = absl::IsResourceExhausted(status);
  if (!full) status = absl::UnavailableError(status.message());
  return WithReason(std::move(status), full ? "STORAGE_FULL" : "STORE_UNAVAILABLE");
}

absl::Status BlobDamaged(absl::string_view sha256, absl::string_view found) {
  return WithReason(absl::DataLossError(absl::StrCat(
                        "blob ", sha256, " is damaged: its stored bytes have the ", "digest ",
                        found, "; restore it from a backup, or run the job again")),
                    "BLOB_DAMAGED");
}

absl::StatusOr<std::unique_ptr<const FileBlobReader>> FileBlobReader::Open(
    const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return nullptr;
  if (fd < 0) return BlobStoreError(SystemError(errno, "open", path));
  std::unique_ptr<FileBlobReader> reader(new FileBlobReader(fd, path));
  struct stat info;
  if (::fstat(fd, &info) != 0) return BlobStoreError(SystemError(errno, "stat", path));
  reader->size_bytes_ = info.st_size;
  reader->stamp_ = {info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, info.st_ino};
  return reader;
}

absl::StatusOr<std::string> FileBlobReader::Read(int64_t offset, int64_t max_bytes) const {
  const int64_t wanted = std::clamp<int64_t>(size_bytes_ - offset, 0, max_bytes);
  std::string data(static_cast<size_t>(wanted), '\0');
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t count = ::pread(file_.get(), data.data() + done, data.size() - done,
                                  static_cast<off_t>(offset + static_cast<int64_t>(done)));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return BlobStoreError(SystemError(errno, "read", path_));
    if (count == 0) break;  // the file was cut: the digest tells
    done += static_cast<size_t>(count);
  }
  data.resize(done);
  return data;
}

absl::StatusOr<std::string> FileBlobReader::Digest() const {
  Sha256 digest;
  for (int64_t offset = 0; offset < size_bytes_; offset += kDigestPieceBytes) {
    SASQ_ASSIGN_OR_RETURN(const std::string piece, Read(offset, kDigestPieceBytes));
    digest.Update(piece);
  }
  return digest.FinishHex();
}

}  // namespace sasq
