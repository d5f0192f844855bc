#include "quant/source/file_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/uid.h"

namespace sasq {
namespace {

constexpr char kTaskLock[] = "/.lock";

// A file that could go.
struct Entry {
  std::string path;
  int64_t size_bytes = 0;
  int64_t used_nanos = 0;  // when it was used last
  bool is_part = false;
  bool in_use = false;
};

bool IsLocked(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  return file.get() >= 0 && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;
}

// A part counts with the size that it will have.
int64_t SizeOfPart(const std::string& path, int64_t size_now) {
  int64_t size_bytes = 0;
  const bool known = absl::SimpleAtoi(path.substr(path.rfind('.') + 1), &size_bytes);
  return known ? std::max(size_bytes, size_now) : size_now;
}

// The files of a folder.
std::vector<Entry> Entries(const std::string& folder, bool are_parts) {
  std::vector<Entry> entries;
  std::error_code error;
  std::filesystem::directory_iterator file(folder, error);
  for (; !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
    struct stat info;
    Entry entry;
    entry.path = file->path().string();
    if (::lstat(entry.path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    entry.is_part = are_parts;
    entry.size_bytes = are_parts ? SizeOfPart(entry.path, info.st_size) : info.st_size;
    entry.used_nanos = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
    entry.in_use = are_parts ? IsLocked(entry.path) : info.st_nlink > 1;
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

TaskFolder::~TaskFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::StatusOr<std::unique_ptr<Descriptor>> FileCache::Lock() {
  for (const char* folder : {"/files", "/parts", "/tasks"}) {
    SASQ_RETURN_IF_ERROR(MakeFolders(options_.folder + folder));
  }
  const std::string path = options_.folder + "/lock";
  auto lock =
      std::make_unique<Descriptor>(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (lock->get() < 0) return SystemError(errno, "open", path);
  while (::flock(lock->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return SystemError(errno, "lock", path);
  }
  return lock;
}

absl::StatusOr<std::unique_ptr<TaskFolder>> FileCache::NewTask() {
  SASQ_ASSIGN_OR_RETURN(const auto lock, Lock());
  RemoveDeadTasks();
  const std::string path = absl::StrCat(options_.folder, "/tasks/", NewUid());
  SASQ_RETURN_IF_ERROR(MakeFolders(path));
  const std::string lock_path = path + kTaskLock;
  const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(errno, "create", lock_path);
  std::unique_ptr<TaskFolder> task(new TaskFolder(path, fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return SystemError(errno, "lock", lock_path);
  return task;
}

void FileCache::RemoveDeadTasks() {
  std::error_code error;
  std::filesystem::directory_iterator task(options_.folder + "/tasks", error);
  for (; !error && task != std::filesystem::directory_iterator(); task.increment(error)) {
    if (IsLocked(task->path().string() + kTaskLock)) continue;
    std::error_code ignored;
    std::filesystem::remove_all(task->path(), ignored);
  }
}

absl::StatusOr<bool> FileCache::LinkLocked(const std::string& key, const TaskFolder& task,
                                           const std::string& name) {
  const std::string file = absl::StrCat(options_.folder, "/files/", key);
  const std::string link = absl::StrCat(task.path(), "/", name);
  if (::link(file.c_str(), link.c_str()) != 0) {
    if (errno == ENOENT) return false;
    if (errno != EEXIST) return SystemError(errno, "make the hard link", link);
  }
  if (::utimensat(AT_FDCWD, file.c_str(), nullptr, 0) != 0)
    return SystemError(errno, "touch", file);
  return true;
}

absl::StatusOr<bool> FileCache::Use(const std::string& key, const TaskFolder& task,
                                    const std::string& name) {
  SASQ_ASSIGN_OR_RETURN(const auto lock, Lock());
  return LinkLocked(key, task, name);
}

absl::Status FileCache::MakeRoom(const std::string& part, int64_t size_bytes) {
  RemoveDeadTasks();
  std::vector<Entry> entries = Entries(options_.folder + "/files", /*are_parts=*/false);
  for (Entry& entry : Entries(options_.folder + "/parts", /*are_parts=*/true)) {
    if (entry.path != part) entries.push_back(std::move(entry));
  }
  int64_t total = size_bytes;
  for (const Entry& entry : entries) total += entry.size_bytes;
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used_nanos < b.used_nanos; });
  for (const Entry& entry : entries) {
    if (total <= options_.max_bytes) break;
    if (entry.in_use || ::unlink(entry.path.c_str()) != 0) continue;
    total -= entry.size_bytes;
    LogInfo("cache_evicted", {{"path", entry.path}, {"size_bytes", entry.size_bytes}});
  }
  if (total <= options_.max_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the cache ", options_.folder, " cannot take ", size_bytes,
                   " bytes more: files in use have ", total - size_bytes, " of its ",
                   options_.max_bytes, "; start the worker with a larger --cache_max_bytes"));
}

absl::StatusOr<std::unique_ptr<PartFile>> FileCache::BeginFetch(const std::string& key,
                                                                int64_t size_bytes) {
  SASQ_ASSIGN_OR_RETURN(const auto lock, Lock());
  const std::string path = absl::StrCat(options_.folder, "/parts/", key, ".", size_bytes);
  SASQ_ASSIGN_OR_RETURN(std::unique_ptr<PartFile> part, PartFile::Open(path, size_bytes));
  if (const absl::Status status = MakeRoom(path, size_bytes); !status.ok()) {
    part->Remove();
    return status;
  }
  return part;
}

absl::Status FileCache::Keep(PartFile& part, const std::string& key, const TaskFolder& task,
                             const std::string& name) {
  SASQ_ASSIGN_OR_RETURN(const auto lock, Lock());
  SASQ_RETURN_IF_ERROR(part.MoveTo(absl::StrCat(options_.folder, "/files/", key)));
  return LinkLocked(key, task, name).status();
}

}  // namespace sasq
