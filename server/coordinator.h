// What users ask of the service: submitting, reading, cancelling and deleting jobs, and reading
// their results. Whoever asks meets what belongs to their tenant; the rest is not found. Names in
// and out are resource names; errors are those of quantization_service.proto and
// artifact_service.proto.
#ifndef SASQ_SERVER_COORDINATOR_H_
#define SASQ_SERVER_COORDINATOR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sasq/v1/artifact_service.pb.h"
#include "sasq/v1/quantization_service.pb.h"
#include "server/access/principal.h"
#include "server/coordinator_parts.h"
#include "server/spec_sources.h"

namespace sasq {

// Blocks on the stores: call it from an executor. Thread-safe.
class Coordinator {
 public:
  explicit Coordinator(const CoordinatorParts& parts)
      : parts_(parts), sources_(parts.roots, &parts.blobs) {}

  // `traceparent`: of the call, for Job.traceparent.
  absl::StatusOr<v1::SubmitJobResponse> SubmitJob(const Principal& who,
                                                  const v1::SubmitJobRequest& request,
                                                  absl::string_view traceparent = "");
  absl::StatusOr<v1::Job> GetJob(const Principal& who, absl::string_view name);
  absl::StatusOr<v1::ListJobsResponse> ListJobs(const Principal& who,
                                                const v1::ListJobsRequest& request);
  absl::StatusOr<v1::Job> CancelJob(const Principal& who, absl::string_view name);
  absl::Status DeleteJob(const Principal& who, absl::string_view name);
  // Deletes jobs that ended longer ago than the operator keeps them, at most `limit`.
  absl::Status DeleteExpiredJobs(absl::Time now, int limit);
  v1::ListWorkersResponse ListWorkers(const Principal& who);

  // At most `max_bytes` of the job's log from `offset`.
  absl::StatusOr<LogChunk> ReadJobLog(const Principal& who, absl::string_view name, int64_t offset,
                                      int64_t max_bytes);

  absl::StatusOr<v1::Artifact> GetArtifact(const Principal& who, absl::string_view name);
  // The scale pack of a job that is in training.
  absl::StatusOr<std::string> GetBestScales(const Principal& who, absl::string_view job_name);
  absl::StatusOr<std::unique_ptr<const BlobReader>> OpenBlob(
      const Principal& who, const v1::DownloadBlobRequest& request);
  absl::StatusOr<v1::FindMissingBlobsResponse> FindMissingBlobs(
      const Principal& who, const v1::FindMissingBlobsRequest& request);
  // Null if the blob is there already.
  absl::StatusOr<std::unique_ptr<BlobUpload>> BeginUpload(const Principal& who,
                                                          const v1::UploadStart& start);
  absl::Status FinishUpload(const Principal& who, const v1::UploadStart& start, BlobUpload& upload);

 private:
  // Holds the uploaded files of a completed spec in `uploads`, for the caller to release.
  absl::StatusOr<v1::SubmitJobResponse> SubmitHeld(const Principal& who,
                                                   const v1::SubmitJobRequest& request,
                                                   absl::string_view traceparent, v1::JobSpec spec,
                                                   BlobKeeper::Held& uploads);
  // Of a spec whose uploaded files are held.
  absl::StatusOr<JobRecord> InsertJob(const Principal& who, v1::JobSpec spec,
                                      const std::string& request_id, absl::string_view traceparent);
  // A job of the caller's tenant; NOT_FOUND for one of another.
  absl::StatusOr<JobRecord> GetVisible(const Principal& who, absl::string_view id);
  // Whether the blob, if there is one, is for the caller: a worker reads the inputs of the job that
  // it has the lease of.
  absl::StatusOr<bool> MayRead(const Principal& who, const v1::DownloadBlobRequest& request);
  // If the spec names everything by digest: notes the new job's content key, and takes an earlier
  // job's result.
  absl::Status ReuseResult(JobChange& added);
  // Deletes an ended job; OK if it is gone already.
  absl::Status RemoveJob(absl::string_view id);

  const CoordinatorParts parts_;
  const SpecSources sources_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_COORDINATOR_H_
