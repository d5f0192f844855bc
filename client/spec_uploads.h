// Local models and texts that a spec wants uploaded: which files they are, and what the spec says
// of them.
#ifndef SASQ_CLIENT_SPEC_UPLOADS_H_
#define SASQ_CLIENT_SPEC_UPLOADS_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// A local file and the content that a spec names it by.
struct UploadFile {
  std::string local_path;
  v1::UploadedFile content;
};

// Makes every `file:` source of a spec one that is to be uploaded.
void MarkForUpload(v1::JobSpec* spec);

// Reads what is to be uploaded (`upload:` and an absolute path, of a model's folder or a text's
// file), writes name and digests into the spec and returns the files. `on_file` is told each path
// before it is read. INVALID_ARGUMENT names the field and what is wrong with the files.
absl::StatusOr<std::vector<UploadFile>> NameUploads(
    v1::JobSpec* spec, absl::FunctionRef<void(const std::string& path)> on_file);

}  // namespace sasq

#endif  // SASQ_CLIENT_SPEC_UPLOADS_H_
