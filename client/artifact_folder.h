// The files of an artifact in a local folder, wherever they were.
#ifndef SASQ_CLIENT_ARTIFACT_FOLDER_H_
#define SASQ_CLIENT_ARTIFACT_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/reconnect.h"
#include "client/service_client.h"

namespace sasq {

// A folder that the user named, or a temporary one with a job's artifact, which goes with this.
class ArtifactFolder {
 public:
  // `typed`: a folder, or else a job as ResolveJobName reads it, whose files are downloaded and
  // checked against the digests that the service gives. Errors of the API, of DownloadFile, and
  // those of the local disk.
  static absl::StatusOr<std::unique_ptr<const ArtifactFolder>> Open(ServiceClient& client,
                                                                    const std::string& typed,
                                                                    Reconnector& reconnector);
  ~ArtifactFolder();
  ArtifactFolder(const ArtifactFolder&) = delete;
  ArtifactFolder& operator=(const ArtifactFolder&) = delete;

  const std::string& path() const { return path_; }
  // What people call it: the folder as typed, or the job's name.
  const std::string& name() const { return name_; }
  bool is_temporary() const { return is_temporary_; }

 private:
  ArtifactFolder(std::string path, std::string name, bool is_temporary);

  const std::string path_;
  const std::string name_;
  const bool is_temporary_;
};

}  // namespace sasq

#endif  // SASQ_CLIENT_ARTIFACT_FOLDER_H_
