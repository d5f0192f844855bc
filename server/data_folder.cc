#include "server/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int64_t kMaxLockFileBytes = 64;

absl::Status WriteProcessId(int fd, const std::string& path) {
  const std::string text = absl::StrCat(::getpid(), "\n");
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return SystemError(errno, "write", path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataFolder>> DataFolder::Open(const std::string& path) {
  SASQ_RETURN_IF_ERROR(MakeFolders(path));
  const std::string lock_path = absl::StrCat(path, "/lock");
  const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(errno, "open", lock_path);
  std::unique_ptr<DataFolder> folder(new DataFolder(path, fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return SystemError(errno, "lock", lock_path);
    const absl::StatusOr<std::string> owner = ReadFile(lock_path, kMaxLockFileBytes);
    return absl::FailedPreconditionError(absl::StrCat(
        "data folder ", path, " is in use by another sasqd",
        owner.ok() ? absl::StrCat(" (process ", absl::StripAsciiWhitespace(*owner), ")") : "",
        "; stop that one, or choose another --data_dir"));
  }
  SASQ_RETURN_IF_ERROR(WriteProcessId(fd, lock_path));
  return folder;
}

DataFolder::~DataFolder() { ::close(lock_fd_); }

}  // namespace sasq
