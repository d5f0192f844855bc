// The weights of a Hugging Face folder: model.safetensors, or the shards that
// model.safetensors.index.json lists.
#ifndef SASQ_QUANT_FORMAT_CHECKPOINT_H_
#define SASQ_QUANT_FORMAT_CHECKPOINT_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "quant/format/safetensors.h"

namespace sasq {

// Weights stay mapped from disk: opening costs the headers only. Thread-safe.
class Checkpoint {
 public:
  // Errors: INVALID_ARGUMENT (INVALID_MODEL) naming the path, if folder, index, a shard or a listed
  // tensor is missing or damaged, or a shard's name is not that of a file in the folder.
  static absl::StatusOr<std::unique_ptr<const Checkpoint>> Open(const std::string& folder);

  // INVALID_ARGUMENT (INVALID_MODEL), naming folder and tensor, if it is not there.
  absl::StatusOr<TensorView> Find(absl::string_view name) const;
  bool Contains(absl::string_view name) const;

  // Sorted.
  std::vector<std::string> names() const;

  // Names of the weight files, sorted.
  std::vector<std::string> file_names() const;

  // The base-weight digest: SHA-256, as 64 hexadecimal digits, of one line for each weight file,
  // sorted by name: file name, NUL, the file's SHA-256 as 64 hexadecimal digits, LF. It names the
  // weights that scales belong to. Reads every file whole on the first call (about a second for a
  // gigabyte or less); later calls are free.
  std::string Digest() const ABSL_LOCKS_EXCLUDED(digest_mutex_);

 private:
  explicit Checkpoint(std::string folder) : folder_(std::move(folder)) {}

  absl::Status OpenSingleFile();
  absl::Status OpenShards(absl::string_view index_json);

  // Constant after Open.
  const std::string folder_;
  std::map<std::string, std::unique_ptr<const SafetensorsFile>> files_;        // by file name
  std::map<std::string, const SafetensorsFile*, std::less<>> file_of_tensor_;  // by tensor name

  mutable Mutex digest_mutex_;
  mutable std::string digest_ ABSL_GUARDED_BY(digest_mutex_);  // empty until asked for
};

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_CHECKPOINT_H_
