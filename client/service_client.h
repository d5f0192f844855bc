// The service's API as functions of absl::Status, without gRPC's headers.
#ifndef SASQ_CLIENT_SERVICE_CLIENT_H_
#define SASQ_CLIENT_SERVICE_CLIENT_H_

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/interrupt.h"
#include "common/rpc_channel.h"
#include "sasq/v1/artifact_service.pb.h"
#include "sasq/v1/quantization_service.pb.h"

namespace sasq {

// Errors as of MakeRpcChannel.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeServiceChannel(const std::string& endpoint,
                                                                  const RpcSecurity& security);

// What a server says of itself.
struct Greeting {
  bool is_serving = false;
  std::string version;                     // empty: it does not tell
  absl::Time time = absl::InfinitePast();  // its clock, whole seconds; InfinitePast: not told
};

// One connection to the service, made at the first call. Thread-safe.
//
// Errors are those of the API. Besides, every function answers UNAVAILABLE when the service cannot
// be reached, DEADLINE_EXCEEDED when it does not answer in time, UNIMPLEMENTED when something else
// answers, and CANCELLED once the interrupt was triggered; their messages name the endpoint.
class ServiceClient {
 public:
  struct Options {
    std::string endpoint;  // host:port, or any gRPC target
    std::shared_ptr<grpc::Channel> channel =
        nullptr;  // of MakeServiceChannel; null: no TLS and no token
    absl::Duration call_timeout = absl::Seconds(30);  // of a call that is not a stream
  };

  // `interrupt` must outlive the client.
  ServiceClient(Options options, Interrupt* interrupt);
  ~ServiceClient();

  const std::string& endpoint() const { return options_.endpoint; }
  Interrupt* interrupt() const { return interrupt_; }

  // As a part of the trace that $TRACEPARENT names (common/trace.h), if it does.
  absl::StatusOr<v1::SubmitJobResponse> SubmitJob(const v1::SubmitJobRequest& request);
  absl::StatusOr<v1::Job> GetJob(const std::string& name);
  absl::StatusOr<v1::ListJobsResponse> ListJobs(const v1::ListJobsRequest& request);
  absl::StatusOr<v1::Job> CancelJob(const std::string& name);
  absl::Status DeleteJob(const std::string& name);
  absl::StatusOr<v1::ListWorkersResponse> ListWorkers();
  // `name`: of an artifact or of a job.
  absl::StatusOr<v1::Artifact> GetArtifact(const std::string& name);

  // The scale pack of a job that is in training.
  absl::StatusOr<std::string> GetBestScales(const std::string& job);

  // Whether the server says that it serves; `service` is the full name of one of its services, or
  // empty for all of it. NOT_FOUND if it has no such service.
  absl::StatusOr<bool> IsServing(const std::string& service);

  // Asks for the server's health, and what it says of itself with the answer.
  absl::StatusOr<Greeting> Greet();

  // Those of the blobs that the service lacks.
  absl::StatusOr<v1::FindMissingBlobsResponse> FindMissingBlobs(
      const v1::FindMissingBlobsRequest& request);
  // Uploads a blob from `start` on: `next` gives its bytes piece by piece, at most 1 MiB each, and
  // an empty one at the end. A status of `next` that is not OK ends the call and is returned.
  absl::Status UploadBlob(const v1::UploadStart& start,
                          absl::FunctionRef<absl::StatusOr<std::string>()> next);

  // Streams: `take` gets every message until the stream ends, and the stream's status is returned.
  // A status of `take` that is not OK ends the stream and is returned instead.
  absl::Status WatchJob(const v1::WatchJobRequest& request, absl::Time deadline,
                        absl::FunctionRef<absl::Status(const v1::WatchJobResponse&)> take);
  absl::Status ReadJobLog(const v1::ReadJobLogRequest& request,
                          absl::FunctionRef<absl::Status(const v1::ReadJobLogResponse&)> take);
  absl::Status DownloadBlob(const v1::DownloadBlobRequest& request,
                            absl::FunctionRef<absl::Status(const v1::DownloadBlobResponse&)> take);

 private:
  struct Impl;

  // Constant after construction.
  const Options options_;
  Interrupt* const interrupt_;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace sasq

#endif  // SASQ_CLIENT_SERVICE_CLIENT_H_
