// The service as a script: tests say what each call gets, streams break where they are told to.
#ifndef SASQ_TESTS_CLIENT_FAKE_SERVICE_H_
#define SASQ_TESTS_CLIENT_FAKE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "sasq/v1/artifact_service.grpc.pb.h"
#include "sasq/v1/quantization_service.grpc.pb.h"

namespace sasq::testing {

// `jobs/` and 32 hexadecimal digits that begin with `digits`.
std::string JobName(const std::string& digits);

// A job in a state; the sequence tells its versions apart.
v1::Job MakeJob(const std::string& name, v1::JobState state, int64_t sequence);

// MakeJob(SUCCEEDED) with two rows and an artifact.
v1::Job MakeSucceededJob(const std::string& name, int64_t sequence);

// One WatchJob stream.
struct WatchScript {
  std::vector<v1::Job> jobs;
  grpc::Status end;   // how the stream ends
  bool hold = false;  // stay open after the last job until the client goes
};

// What every answer says besides.
using Headers = std::function<std::map<std::string, std::string>()>;

// A server on a free port of the loopback. Thread-safe.
class FakeService final : public v1::QuantizationService::Service,
                          public v1::ArtifactService::Service {
 public:
  // `port` 0: any.
  explicit FakeService(int port = 0);
  ~FakeService() override;

  int port() const { return port_; }
  std::string endpoint() const;

  // The script.
  void AddJob(const v1::Job& job);  // what GetJob and ListJobs know, newest first
  void AddWatch(WatchScript script);
  void SetLog(std::string log, std::vector<size_t> breaks);  // UNAVAILABLE once at each offset
  void AddBlob(const std::string& name, const std::string& bytes);  // of the one artifact
  void AddBlob(v1::Blob blob, const std::string& bytes);
  void Reject(const v1::GateResult& result);  // the one artifact
  void BreakDownloadAt(size_t offset);        // once
  void StopServing();                         // as the health check says
  void SetHeaders(Headers headers);           // of every answer
  void Deny(grpc::Status status);             // what ListJobs answers
  void SetSubmit(std::function<grpc::Status(const v1::SubmitJobRequest&, v1::SubmitJobResponse*)>);

  std::map<std::string, std::string> headers() const;

  // What clients did.
  std::vector<int64_t> watch_offsets() const;     // after_sequence of each WatchJob
  std::vector<int64_t> log_offsets() const;       // offset of each ReadJobLog
  std::vector<int64_t> download_offsets() const;  // offset of each DownloadBlob
  std::vector<std::string> calls() const;         // `Method name`, of the other calls
  // Waits until a stream with `hold` is open.
  void WaitForHold() const;

 private:
  grpc::Status SubmitJob(grpc::ServerContext*, const v1::SubmitJobRequest*,
                         v1::SubmitJobResponse*) override;
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest*, v1::GetJobResponse*) override;
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest*,
                        v1::ListJobsResponse*) override;
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest*,
                         v1::CancelJobResponse*) override;
  grpc::Status DeleteJob(grpc::ServerContext*, const v1::DeleteJobRequest*,
                         v1::DeleteJobResponse*) override;
  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest*,
                        grpc::ServerWriter<v1::WatchJobResponse>*) override;
  grpc::Status ReadJobLog(grpc::ServerContext*, const v1::ReadJobLogRequest*,
                          grpc::ServerWriter<v1::ReadJobLogResponse>*) override;
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                           v1::ListWorkersResponse*) override;
  grpc::Status GetArtifact(grpc::ServerContext*, const v1::GetArtifactRequest*,
                           v1::GetArtifactResponse*) override;
  grpc::Status DownloadBlob(grpc::ServerContext*, const v1::DownloadBlobRequest*,
                            grpc::ServerWriter<v1::DownloadBlobResponse>*) override;

  // The job, or NOT_FOUND as the API says it.
  grpc::Status Find(const std::string& name, v1::Job* job) const ABSL_LOCKS_EXCLUDED(mutex_);

  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::vector<v1::Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::deque<WatchScript> watches_ ABSL_GUARDED_BY(mutex_);
  std::string log_ ABSL_GUARDED_BY(mutex_);
  std::deque<size_t> log_breaks_ ABSL_GUARDED_BY(mutex_);
  v1::Artifact artifact_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> blobs_ ABSL_GUARDED_BY(mutex_);  // bytes by digest
  std::deque<size_t> download_breaks_ ABSL_GUARDED_BY(mutex_);
  std::function<grpc::Status(const v1::SubmitJobRequest&, v1::SubmitJobResponse*)> submit_
      ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> watch_offsets_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> log_offsets_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> download_offsets_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mutex_);
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  mutable Mutex headers_mutex_;  // of its own: headers are sent while mutex_ is held
  Headers headers_ ABSL_GUARDED_BY(headers_mutex_);
  grpc::Status list_status_ ABSL_GUARDED_BY(mutex_);

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace sasq::testing

#endif  // SASQ_TESTS_CLIENT_FAKE_SERVICE_H_
