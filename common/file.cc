#include "common/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/descriptor.h"
#include "common/status_macros.h"
#include "common/uid.h"

namespace sasq {
namespace {

absl::StatusOr<int64_t> RegularFileSize(int fd, const std::string& path) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return SystemError(errno, "stat", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  }
  return info.st_size;
}

absl::Status WriteAndSync(const std::string& path, absl::string_view content, unsigned mode) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (file.get() < 0) return SystemError(errno, "create", path);
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "write", path);
    }
    content.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(file.get()) != 0) return SystemError(errno, "sync", path);
  return absl::OkStatus();
}

}  // namespace

absl::Status SystemError(int error_number, absl::string_view action, absl::string_view path) {
  const std::string message = absl::StrCat("cannot ", action, " ", path, ": ",
                                           std::generic_category().message(error_number));
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(absl::StrCat(message, "; free some space and try again"));
    default:
      return absl::UnavailableError(message);
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError(errno, "open", path);
  SASQ_ASSIGN_OR_RETURN(const int64_t size_bytes, RegularFileSize(file.get(), path));
  if (size_bytes > max_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat(path, " has ", size_bytes, " bytes, at most ", max_bytes, " are read"));
  }
  std::string content(static_cast<size_t>(size_bytes), '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + done, content.size() - done);
    if (count < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "read", path);
    }
    if (count == 0) break;  // the file shrank while it was read
    done += static_cast<size_t>(count);
  }
  content.resize(done);
  return content;
}

absl::Status WriteFileDurably(const std::string& path, absl::string_view content, unsigned mode) {
  const std::string temporary = absl::StrCat(path, ".tmp-", NewUid());
  absl::Status status = WriteAndSync(temporary, content, mode);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = SystemError(errno, "rename to", path);
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return SyncFolder(parent.empty() ? "." : parent.string());
}

absl::StatusOr<DiskSpace> DiskSpaceOf(const std::string& path) {
  struct statvfs info;
  if (::statvfs(path.c_str(), &info) != 0) return SystemError(errno, "statvfs", path);
  const auto block_bytes = static_cast<int64_t>(info.f_frsize);
  return DiskSpace{block_bytes * static_cast<int64_t>(info.f_blocks),
                   block_bytes * static_cast<int64_t>(info.f_bavail)};
}

absl::Status SyncFolder(const std::string& path) {
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return SystemError(errno, "open folder", path);
  if (::fsync(folder.get()) != 0) return SystemError(errno, "sync folder", path);
  return absl::OkStatus();
}

absl::Status MakeFolders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return SystemError(error.value(), "make folder", path);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError(errno, "open", path);
  SASQ_ASSIGN_OR_RETURN(const int64_t size_bytes, RegularFileSize(file.get(), path));
  if (size_bytes == 0) return absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
  void* data =
      ::mmap(nullptr, static_cast<size_t>(size_bytes), PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return SystemError(errno, "map", path);
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, static_cast<const char*>(data), static_cast<size_t>(size_bytes)));
}

MappedFile::MappedFile(std::string path, const char* data, size_t size_bytes)
    : path_(std::move(path)), data_(data), size_bytes_(size_bytes) {}

MappedFile::~MappedFile() { ::munmap(const_cast<char*>(data_), size_bytes_); }

}  // namespace sasq
