#include "tests/client/fake_service.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/support/server_interceptor.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/enum_names.h"
#include "common/metrics.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq::testing {
namespace {

constexpr size_t kChunkBytes = 1000;
// How often a held stream looks whether its client has gone: the synchronous API tells nobody.
constexpr absl::Duration kHoldPoll = absl::Milliseconds(5);

// Puts the script's headers on every answer.
class HeadersInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit HeadersInterceptor(const FakeService& service) : service_(service) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      for (const auto& header : service_.headers()) {
        methods->GetSendInitialMetadata()->insert(header);
      }
    }
    methods->Proceed();
  }

 private:
  const FakeService& service_;
};

class HeadersFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit HeadersFactory(const FakeService& service) : service_(service) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* /*info*/) override {
    return new HeadersInterceptor(service_);
  }

 private:
  const FakeService& service_;
};

}  // namespace

std::string JobName(const std::string& digits) {
  return absl::StrCat("jobs/", digits, std::string(32 - digits.size(), '0'));
}

v1::Job MakeJob(const std::string& name, v1::JobState state, int64_t sequence) {
  v1::Job job;
  job.set_name(name);
  job.set_state(state);
  job.set_sequence(sequence);
  job.set_attempt_count(state == v1::JOB_STATE_QUEUED ? 0 : 1);
  job.mutable_spec()->mutable_recipe()->set_name("sasq");
  job.mutable_spec()->mutable_recipe()->set_method(v1::METHOD_SASQ);
  job.mutable_spec()->set_max_attempts(3);
  job.mutable_create_time()->set_seconds(1'700'000'000);
  if (state != v1::JOB_STATE_QUEUED) job.mutable_start_time()->set_seconds(1'700'000'010);
  if (state >= v1::JOB_STATE_SUCCEEDED) job.mutable_end_time()->set_seconds(1'700'000'262);
  return job;
}

v1::Job MakeSucceededJob(const std::string& name, int64_t sequence) {
  v1::Job job = MakeJob(name, v1::JOB_STATE_SUCCEEDED, sequence);
  job.set_artifact("artifacts/" + name.substr(5));
  for (const auto& [method, perplexity] :
       {std::pair(v1::METHOD_FP, 17.224), std::pair(v1::METHOD_SASQ, 21.16)}) {
    v1::ReportRow* row = job.add_rows();
    row->set_name(ShortEnumName(v1::Method_descriptor(), method));
    row->set_method(method);
    row->set_first_token(v1::FIRST_TOKEN_QUANTIZED);
    row->set_perplexity(perplexity);
    row->set_window_count(4);
    row->set_token_count(8188);
    row->set_evaluation_seconds(24.6);
  }
  return job;
}

FakeService::FakeService(int port) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(),
                           &port_);
  builder.RegisterService(static_cast<v1::QuantizationService::Service*>(this));
  builder.RegisterService(static_cast<v1::ArtifactService::Service*>(this));
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(std::make_unique<HeadersFactory>(*this));
  builder.experimental().SetInterceptorCreators(std::move(creators));
  server_ = builder.BuildAndStart();
  SASQ_CHECK(server_ != nullptr && port_ != 0);
}

void FakeService::StopServing() { server_->GetHealthCheckService()->SetServingStatus(false); }

void FakeService::SetHeaders(Headers headers) {
  MutexLock lock(&headers_mutex_);
  headers_ = std::move(headers);
}

void FakeService::Deny(grpc::Status status) {
  MutexLock lock(&mutex_);
  list_status_ = std::move(status);
}

std::map<std::string, std::string> FakeService::headers() const {
  MutexLock lock(&headers_mutex_);
  return headers_ == nullptr ? std::map<std::string, std::string>() : headers_();
}

FakeService::~FakeService() {
  server_->Shutdown(std::chrono::system_clock::now());  // at once: calls end as on a crash
  server_->Wait();
}

std::string FakeService::endpoint() const { return absl::StrCat("127.0.0.1:", port_); }

void FakeService::AddJob(const v1::Job& job) {
  MutexLock lock(&mutex_);
  jobs_.push_back(job);
}

void FakeService::AddWatch(WatchScript script) {
  MutexLock lock(&mutex_);
  watches_.push_back(std::move(script));
}

void FakeService::SetLog(std::string log, std::vector<size_t> breaks) {
  MutexLock lock(&mutex_);
  log_ = std::move(log);
  log_breaks_.assign(breaks.begin(), breaks.end());
}

void FakeService::AddBlob(const std::string& name, const std::string& bytes) {
  v1::Blob blob;
  blob.set_file_name(name);
  blob.set_sha256(Sha256Hex(bytes));
  blob.set_size_bytes(static_cast<int64_t>(bytes.size()));
  AddBlob(std::move(blob), bytes);
}

void FakeService::AddBlob(v1::Blob blob, const std::string& bytes) {
  MutexLock lock(&mutex_);
  blobs_[blob.sha256()] = bytes;
  *artifact_.add_blobs() = std::move(blob);
}

void FakeService::Reject(const v1::GateResult& result) {
  MutexLock lock(&mutex_);
  artifact_.set_rejected(true);
  *artifact_.add_gate_results() = result;
}

void FakeService::BreakDownloadAt(size_t offset) {
  MutexLock lock(&mutex_);
  download_breaks_.push_back(offset);
}

void FakeService::SetSubmit(
    std::function<grpc::Status(const v1::SubmitJobRequest&, v1::SubmitJobResponse*)> submit) {
  MutexLock lock(&mutex_);
  submit_ = std::move(submit);
}

std::vector<int64_t> FakeService::watch_offsets() const {
  MutexLock lock(&mutex_);
  return watch_offsets_;
}

std::vector<int64_t> FakeService::log_offsets() const {
  MutexLock lock(&mutex_);
  return log_offsets_;
}

std::vector<int64_t> FakeService::download_offsets() const {
  MutexLock lock(&mutex_);
  return download_offsets_;
}

std::vector<std::string> FakeService::calls() const {
  MutexLock lock(&mutex_);
  return calls_;
}

void FakeService::WaitForHold() const {
  MutexLock lock(&mutex_);
  while (!holding_) changed_.Wait(&mutex_);
}

grpc::Status FakeService::Find(const std::string& name, v1::Job* job) const {
  MutexLock lock(&mutex_);
  for (const v1::Job& candidate : jobs_) {
    if (candidate.name() != name) continue;
    *job = candidate;
    return grpc::Status::OK;
  }
  return ToGrpcStatus(
      WithReason(absl::NotFoundError(absl::StrCat("there is no ", name)), "JOB_NOT_FOUND"));
}

grpc::Status FakeService::SubmitJob(grpc::ServerContext*, const v1::SubmitJobRequest* request,
                                    v1::SubmitJobResponse* response) {
  std::function<grpc::Status(const v1::SubmitJobRequest&, v1::SubmitJobResponse*)> submit;
  {
    MutexLock lock(&mutex_);
    submit = submit_;
  }
  return submit(*request, response);
}

grpc::Status FakeService::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                                 v1::GetJobResponse* response) {
  return Find(request->name(), response->mutable_job());
}

// Pages of two, whatever was asked for, so that paging is always at work.
grpc::Status FakeService::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                   v1::ListJobsResponse* response) {
  MutexLock lock(&mutex_);
  if (!list_status_.ok()) return list_status_;
  const auto& states = request->states();
  size_t next = request->page_token().empty() ? 0 : std::stoul(request->page_token());
  for (; next < jobs_.size() && response->jobs_size() < 2; ++next) {
    const bool wanted = states.empty() || std::find(states.begin(), states.end(),
                                                    jobs_[next].state()) != states.end();
    if (wanted) *response->add_jobs() = jobs_[next];
  }
  if (next < jobs_.size()) response->set_next_page_token(std::to_string(next));
  return grpc::Status::OK;
}

grpc::Status FakeService::CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                                    v1::CancelJobResponse* response) {
  const grpc::Status status = Find(request->name(), response->mutable_job());
  MutexLock lock(&mutex_);
  calls_.push_back("CancelJob " + request->name());
  if (status.ok()) response->mutable_job()->set_state(v1::JOB_STATE_CANCELLING);
  return status;
}

grpc::Status FakeService::DeleteJob(grpc::ServerContext*, const v1::DeleteJobRequest* request,
                                    v1::DeleteJobResponse*) {
  MutexLock lock(&mutex_);
  calls_.push_back("DeleteJob " + request->name());
  return grpc::Status::OK;
}

grpc::Status FakeService::WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                                   grpc::ServerWriter<v1::WatchJobResponse>* writer) {
  WatchScript script;
  {
    MutexLock lock(&mutex_);
    watch_offsets_.push_back(request->after_sequence());
    if (watches_.empty()) return {grpc::StatusCode::INTERNAL, "the script has no more streams"};
    script = std::move(watches_.front());
    watches_.pop_front();
  }
  for (const v1::Job& job : script.jobs) {
    v1::WatchJobResponse response;
    *response.mutable_job() = job;
    writer->Write(response);
  }
  MutexLock lock(&mutex_);
  holding_ = script.hold;
  changed_.SignalAll();
  while (script.hold && !context->IsCancelled()) changed_.WaitFor(&mutex_, kHoldPoll);
  return script.end;
}

grpc::Status FakeService::ReadJobLog(grpc::ServerContext*, const v1::ReadJobLogRequest* request,
                                     grpc::ServerWriter<v1::ReadJobLogResponse>* writer) {
  MutexLock lock(&mutex_);
  log_offsets_.push_back(request->offset());
  auto offset = static_cast<size_t>(request->offset());
  while (offset < log_.size()) {
    size_t end = std::min(log_.size(), offset + kChunkBytes);
    const bool breaks = !log_breaks_.empty() && log_breaks_.front() <= end;
    if (breaks) end = log_breaks_.front();
    v1::ReadJobLogResponse response;
    response.set_offset(static_cast<int64_t>(offset));
    response.set_data(log_.substr(offset, end - offset));
    writer->Write(response);
    offset = end;
    if (breaks) {
      log_breaks_.pop_front();
      return {grpc::StatusCode::UNAVAILABLE, "the script breaks the stream"};
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeService::ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                                      v1::ListWorkersResponse* response) {
  v1::Worker* worker = response->add_workers();
  worker->set_id("worker-1");
  worker->set_state(v1::WORKER_STATE_BUSY);
  worker->set_job(JobName("abc123"));
  worker->set_version(std::string(Version()));
  worker->mutable_capabilities()->set_device_kind(v1::DEVICE_KIND_CPU);
  worker->mutable_capabilities()->set_device_name("Xeon \x1b[31m@ 2.5 GHz");
  worker->mutable_capabilities()->set_kernel_path("avx512_vnni");
  worker->mutable_capabilities()->set_thread_count(2);
  return grpc::Status::OK;
}

grpc::Status FakeService::GetArtifact(grpc::ServerContext*, const v1::GetArtifactRequest* request,
                                      v1::GetArtifactResponse* response) {
  MutexLock lock(&mutex_);
  *response->mutable_artifact() = artifact_;
  response->mutable_artifact()->set_job(request->name());
  return grpc::Status::OK;
}

grpc::Status FakeService::DownloadBlob(grpc::ServerContext*, const v1::DownloadBlobRequest* request,
                                       grpc::ServerWriter<v1::DownloadBlobResponse>* writer) {
  MutexLock lock(&mutex_);
  download_offsets_.push_back(request->offset());
  const std::string& bytes = blobs_[request->sha256()];
  for (auto offset = static_cast<size_t>(request->offset()); offset < bytes.size();) {
    size_t end = std::min(bytes.size(), offset + kChunkBytes);
    const bool breaks = !download_breaks_.empty() && download_breaks_.front() <= end;
    if (breaks) end = download_breaks_.front();
    v1::DownloadBlobResponse response;
    response.set_offset(static_cast<int64_t>(offset));
    response.set_data(bytes.substr(offset, end - offset));
    writer->Write(response);
    offset = end;
    if (breaks) {
      download_breaks_.pop_front();
      return {grpc::StatusCode::UNAVAILABLE, "the script breaks the stream"};
    }
  }
  return grpc::Status::OK;
}

}  // namespace sasq::testing
