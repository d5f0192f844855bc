#include "common/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/sha1.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr size_t kReadBytes = 1 << 20;

// Whether `path` still leads to the open file: it does not once another writer moved it away.
bool IsAt(const struct stat& opened, const std::string& path) {
  struct stat there;
  return ::lstat(path.c_str(), &there) == 0 && there.st_ino == opened.st_ino &&
         there.st_dev == opened.st_dev;
}

}  // namespace

PartFile::PartFile(std::string path, int fd)
    : path_(std::move(path)), file_(fd), sha_(std::make_unique<Sha256>()) {}

absl::StatusOr<std::unique_ptr<PartFile>> PartFile::Open(const std::string& path,
                                                         int64_t max_bytes) {
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return SystemError(errno, "create", path);
    auto part = std::unique_ptr<PartFile>(new PartFile(path, fd));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return absl::AbortedError(
          absl::StrCat(path, " is being written by another download; wait for it to end"));
    }
    struct stat info;
    if (::fstat(fd, &info) != 0) return SystemError(errno, "stat", path);
    if (!IsAt(info, path)) continue;
    part->size_bytes_ = info.st_size;
    if (info.st_size > max_bytes) SASQ_RETURN_IF_ERROR(part->Restart());
    return part;
  }
}

absl::Status PartFile::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), size_bytes_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError(errno, "write", path_);
    if (digested_bytes_ == size_bytes_) {
      sha_->Update(bytes.substr(0, static_cast<size_t>(written)));
      digested_bytes_ += written;
    }
    size_bytes_ += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status PartFile::Restart() {
  if (::ftruncate(file_.get(), 0) != 0) return SystemError(errno, "truncate", path_);
  sha_ = std::make_unique<Sha256>();
  size_bytes_ = 0;
  digested_bytes_ = 0;
  return absl::OkStatus();
}

// Gives `take` the bytes from `offset` to the end.
absl::Status PartFile::ReadFrom(int64_t offset,
                                absl::FunctionRef<void(absl::string_view)> take) const {
  const auto buffer = std::make_unique<char[]>(kReadBytes);
  while (offset < size_bytes_) {
    const ssize_t count = ::pread(file_.get(), buffer.get(), kReadBytes, offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "read", path_);
    if (count == 0) {
      return absl::UnavailableError(absl::StrCat(path_, " was cut while it was written"));
    }
    take(absl::string_view(buffer.get(), static_cast<size_t>(count)));
    offset += count;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> PartFile::FinishDigest() {
  SASQ_RETURN_IF_ERROR(
      ReadFrom(digested_bytes_, [this](absl::string_view bytes) { sha_->Update(bytes); }));
  return sha_->FinishHex();
}

absl::StatusOr<std::string> PartFile::GitBlobSha1Hex() const {
  GitBlobSha1 sha(size_bytes_);
  SASQ_RETURN_IF_ERROR(ReadFrom(0, [&sha](absl::string_view bytes) { sha.Update(bytes); }));
  return sha.FinishHex();
}

absl::Status PartFile::MoveTo(const std::string& target) {
  if (::fsync(file_.get()) != 0) return SystemError(errno, "sync", path_);
  if (::rename(path_.c_str(), target.c_str()) != 0) return SystemError(errno, "rename to", target);
  const std::filesystem::path parent = std::filesystem::path(target).parent_path();
  return SyncFolder(parent.empty() ? "." : parent.string());
}

void PartFile::Remove() { ::unlink(path_.c_str()); }

}  // namespace sasq
