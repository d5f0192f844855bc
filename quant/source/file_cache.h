// A folder of fetched files, named by what they hold, that several processes of a host share.
//
//   files/KEY        whole files
//   parts/KEY.SIZE   files that are being fetched, or whose fetching broke off
//   tasks/ID/        hard links to the files that a task uses, and .lock, which it holds
//   lock             held while any of this changes
//
// A file with a second link is in use and stays; of the others, those go first that were used
// longest ago. Tasks of processes that died are recognized by their lock.
#ifndef SASQ_QUANT_SOURCE_FILE_CACHE_H_
#define SASQ_QUANT_SOURCE_FILE_CACHE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/descriptor.h"
#include "common/part_file.h"

namespace sasq {

// The files that one task uses, under the names that it wants, until this object goes.
class TaskFolder {
 public:
  ~TaskFolder();
  TaskFolder(const TaskFolder&) = delete;
  TaskFolder& operator=(const TaskFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  friend class FileCache;
  TaskFolder(std::string path, int lock_fd) : path_(std::move(path)), lock_(lock_fd) {}

  const std::string path_;
  const Descriptor lock_;
};

// Thread-safe. Errors as in common/file.h.
class FileCache {
 public:
  struct Options {
    std::string folder;  // made when it is first used, on a file system with hard links
    int64_t max_bytes = int64_t{100} << 30;
  };

  explicit FileCache(Options options) : options_(std::move(options)) {}

  absl::StatusOr<std::unique_ptr<TaskFolder>> NewTask();

  // Makes the cached file `key` appear as `name` in the task's folder. False if there is none.
  absl::StatusOr<bool> Use(const std::string& key, const TaskFolder& task, const std::string& name);

  // The file to fetch `key`, of `size_bytes`, into, after room was made. ABORTED if another process
  // fetches it: wait, then ask Use. RESOURCE_EXHAUSTED if files in use leave too little room.
  absl::StatusOr<std::unique_ptr<PartFile>> BeginFetch(const std::string& key, int64_t size_bytes);

  // The part is whole: keeps it as `key`, and makes it appear as `name` in the task's folder.
  absl::Status Keep(PartFile& part, const std::string& key, const TaskFolder& task,
                    const std::string& name);

 private:
  // Opens and locks `lock`, after the folders were made.
  absl::StatusOr<std::unique_ptr<Descriptor>> Lock();
  // Both with the lock held.
  void RemoveDeadTasks();
  absl::Status MakeRoom(const std::string& part, int64_t size_bytes);
  absl::StatusOr<bool> LinkLocked(const std::string& key, const TaskFolder& task,
                                  const std::string& name);

  const Options options_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_FILE_CACHE_H_
