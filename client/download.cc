#include "client/download.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "common/descriptor.h"
#include "common/file.h"
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

// The `.part` file of one download: locked while open, and digested as it grows.
class PartFile {
 public:
  static absl::StatusOr<std::unique_ptr<PartFile>> Open(const std::string& path,
                                                        int64_t max_bytes) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return LocalError(errno, "create", path);
    auto part = std::unique_ptr<PartFile>(new PartFile(path, fd));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return absl::AbortedError(
          absl::StrCat(path, " is being written by another download; wait for it to end"));
    }
    SASQ_ASSIGN_OR_RETURN(part->size_bytes_, DigestRest(fd, path, &*part->sha_));
    if (part->size_bytes_ > max_bytes) SASQ_RETURN_IF_ERROR(part->Restart());
    return part;
  }

  int64_t size_bytes() const { return size_bytes_; }

  absl::Status Append(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return LocalError(errno, "write", path_);
      sha_->Update(bytes.substr(0, static_cast<size_t>(written)));
      size_bytes_ += written;
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  // Throws away what is there.
  absl::Status Restart() {
    if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0) {
      return LocalError(errno, "truncate", path_);
    }
    sha_.emplace();
    size_bytes_ = 0;
    return absl::OkStatus();
  }

  // Of all bytes. Call once after the last Append or Restart.
  std::string FinishDigest() { return sha_->FinishHex(); }

  absl::Status MoveTo(const std::string& target) {
    if (::fsync(file_.get()) != 0) return LocalError(errno, "sync", path_);
    if (::rename(path_.c_str(), target.c_str()) != 0) return LocalError(errno, "rename to", target);
    const std::filesystem::path parent = std::filesystem::path(target).parent_path();
    const std::string folder = parent.empty() ? "." : parent.string();
    const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (opened.get() < 0 || ::fsync(opened.get()) != 0) return LocalError(errno, "sync", folder);
    return absl::OkStatus();
  }

  void Remove() { ::unlink(path_.c_str()); }

 private:
  PartFile(std::string path, int fd) : path_(std::move(path)), file_(fd) { sha_.emplace(); }

  const std::string path_;
  const Descriptor file_;
  int64_t size_bytes_ = 0;
  std::optional<Sha256> sha_;
};

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
          SASQ_RETURN_IF_ERROR(part.Append(response.data()));
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
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<PartFile> part,
                        PartFile::Open(path + ".part", blob.size_bytes()));
  bool was_resumed = part->size_bytes() > 0;
  while (true) {
    on_bytes(part->size_bytes());
    SASQ_RETURN_IF_ERROR(Fetch(client, blob, *part, reconnector, on_bytes));
    if (part->FinishDigest() == blob.sha256()) return part->MoveTo(path);
    if (!was_resumed) break;
    was_resumed = false;  // the earlier part may have been of another blob: once more, from nothing
    SASQ_RETURN_IF_ERROR(part->Restart());
  }
  part->Remove();
  return absl::DataLossError(absl::StrCat("the bytes of ", blob.file_name(),
                                          " do not match their SHA-256 ", blob.sha256(),
                                          "; nothing was kept. Try again, and tell the service's "
                                          "operator if it stays"));
}

}  // namespace sasq
