// Files: read whole, map, and write so that a crash leaves the old or the new content, never a
// part. Errors name the path: NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk full), else
// UNAVAILABLE.
#ifndef SASQ_COMMON_FILE_H_
#define SASQ_COMMON_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Reads a whole file of at most `max_bytes`; OUT_OF_RANGE if it is longer.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes);

// Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the folder.
// `mode`: who may do what with it, as of open(2).
absl::Status WriteFileDurably(const std::string& path, absl::string_view content,
                              unsigned mode = 0644);

// Makes a folder and its parents.
absl::Status MakeFolders(const std::string& path);

// The file system that holds `path`.
struct DiskSpace {
  int64_t size_bytes = 0;
  int64_t free_bytes = 0;  // for accounts without privileges
};
absl::StatusOr<DiskSpace> DiskSpaceOf(const std::string& path);

// Makes what was renamed into a folder last through a crash.
absl::Status SyncFolder(const std::string& path);

// A status for the system error `error_number` (errno) met while doing `action` to `path`.
absl::Status SystemError(int error_number, absl::string_view action, absl::string_view path);

// A file mapped read-only into memory. Immutable, so thread-safe.
class MappedFile {
 public:
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  absl::string_view bytes() const { return {data_, size_bytes_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, const char* data, size_t size_bytes);

  const std::string path_;
  const char* const data_;
  const size_t size_bytes_;
};

}  // namespace sasq

#endif  // SASQ_COMMON_FILE_H_
