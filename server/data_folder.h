// The folder that holds everything a coordinator keeps here, owned by one process at a time.
#ifndef SASQ_SERVER_DATA_FOLDER_H_
#define SASQ_SERVER_DATA_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sasq {

class DataFolder {
 public:
  // Makes the folder if it is missing and locks it for this process. FAILED_PRECONDITION if
  // another process has it; the message names that process.
  static absl::StatusOr<std::unique_ptr<DataFolder>> Open(const std::string& path);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  std::string database_path() const { return path_ + "/sasqd.sqlite"; }
  std::string blob_folder() const { return path_ + "/blobs"; }
  // What may be lost: of a coordinator whose stores are elsewhere.
  std::string scratch_folder() const { return path_ + "/scratch"; }

 private:
  DataFolder(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

  const std::string path_;
  const int lock_fd_;  // the kernel lets the lock go with the process
};

}  // namespace sasq

#endif  // SASQ_SERVER_DATA_FOLDER_H_
