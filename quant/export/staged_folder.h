// A folder that appears whole or not at all.
#ifndef SASQ_QUANT_EXPORT_STAGED_FOLDER_H_
#define SASQ_QUANT_EXPORT_STAGED_FOLDER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sasq {

// Everything is written into a folder beside the wanted one, which is renamed at the end. One
// thread.
class StagedFolder {
 public:
  // `out`: absent or empty; or, with `replace`, a folder with a config.json, which Publish replaces
  // whole (another folder would be lost by mistake). FAILED_PRECONDITION otherwise.
  static absl::StatusOr<std::unique_ptr<StagedFolder>> Create(const std::string& out, bool replace);
  // Removes what was not published.
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  // Where to write.
  const std::string& path() const { return staging_; }

  // Copies a file's bytes into the folder under `name`.
  absl::Status CopyFile(const std::string& from, const std::string& name);

  // Puts the folder in its place. Call once, last.
  absl::Status Publish();

 private:
  StagedFolder(std::string out, bool replace);

  const std::string out_;
  const bool replace_;
  const std::string staging_;
  bool published_ = false;
};

// The files of a model's folder that go with it into an export as they are, as paths relative to
// the folder, sorted: tokenizer, generation config, chat templates, licence. Left out are
// config.json, README.md, weights in any form, and hidden files.
absl::StatusOr<std::vector<std::string>> FilesToCarryOver(const std::string& folder);

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_STAGED_FOLDER_H_
