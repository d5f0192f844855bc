#include "client/artifact_folder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/download.h"
#include "client/job_name.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

absl::StatusOr<std::string> MakeTemporaryFolder() {
  std::error_code error;
  std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) parent = "/tmp";
  std::string path = (parent / "sasq-artifact-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return SystemError(errno, "make", path);
  return path;
}

}  // namespace

ArtifactFolder::ArtifactFolder(std::string path, std::string name, bool is_temporary)
    : path_(std::move(path)), name_(std::move(name)), is_temporary_(is_temporary) {}

ArtifactFolder::~ArtifactFolder() {
  std::error_code ignored;
  if (is_temporary_) std::filesystem::remove_all(path_, ignored);
}

absl::StatusOr<std::unique_ptr<const ArtifactFolder>> ArtifactFolder::Open(
    ServiceClient& client, const std::string& typed, Reconnector& reconnector) {
  std::error_code ignored;
  if (std::filesystem::is_directory(typed, ignored)) {
    return std::unique_ptr<const ArtifactFolder>(
        new ArtifactFolder(typed, typed, /*is_temporary=*/false));
  }
  const absl::StatusOr<std::string> job = ResolveJobName(client, typed);
  if (absl::IsInvalidArgument(job.status())) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no folder ", typed, ", and ", job.status().message()));
  }
  SASQ_RETURN_IF_ERROR(job.status());
  SASQ_ASSIGN_OR_RETURN(const v1::Artifact artifact, client.GetArtifact(*job));
  SASQ_ASSIGN_OR_RETURN(std::string path, MakeTemporaryFolder());
  std::unique_ptr<const ArtifactFolder> folder(
      new ArtifactFolder(std::move(path), *job, /*is_temporary=*/true));
  for (const v1::Blob& blob : artifact.blobs()) {
    SASQ_RETURN_IF_ERROR(CheckBlob(blob));
    SASQ_RETURN_IF_ERROR(DownloadFile(client, blob,
                                      absl::StrCat(folder->path(), "/", blob.file_name()),
                                      reconnector, [](int64_t) {}));
  }
  return folder;
}

}  // namespace sasq
