#include "server/server_metrics.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "server/job_state.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

// From milliseconds, the store's and RPCs' own pace, to the longest held poll.
const std::vector<double>& FastBounds() {
  static const auto& bounds = *new std::vector<double>{
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  return bounds;
}

// Jobs wait and run from seconds to a day.
const std::vector<double>& SlowBounds() {
  static const auto& bounds = *new std::vector<double>{
      1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400};
  return bounds;
}

// "JOB_FAILURE_REASON_DISK_FULL" with its prefix -> "disk_full".
std::string Label(absl::string_view enum_name, absl::string_view prefix) {
  absl::ConsumePrefix(&enum_name, prefix);
  return absl::AsciiStrToLower(enum_name);
}

std::string EndReason(const v1::Job& job) {
  if (job.state() != v1::JOB_STATE_FAILED) return "none";
  const std::string name = v1::JobFailureReason_Name(job.error().reason());
  return name.empty() ? "unspecified" : Label(name, "JOB_FAILURE_REASON_");
}

constexpr char kReusedName[] = "sasq_results_reused_total";
constexpr char kReusedHelp[] = "Jobs that took the result of an earlier job that did the same.";

}  // namespace

ServerMetrics::ServerMetrics(MetricRegistry& registry) : registry_(registry) {
  AddBuildInfo(registry_, "sasqd");
  // Counters that exist from the start can be alerted on before the first event.
  registry_.GetCounter(kReusedName, kReusedHelp);
  registry_.GetCounter("sasq_lease_expiries_total",
                       "Leases that expired because their worker was not heard of.");
  registry_.GetCounter("sasq_job_attempts_total", "Attempts at jobs that began.");
  registry_.GetCounter("sasq_jobs_submitted_total", "Jobs that were accepted.");
  SetJobs(JobStats(), absl::UnixEpoch());
  SetWorkers({});
}

void ServerMetrics::JobSubmitted() {
  registry_.GetCounter("sasq_jobs_submitted_total", "Jobs that were accepted.").Add(1);
}

void ServerMetrics::AttemptBegan(absl::Duration queue_wait) {
  registry_.GetCounter("sasq_job_attempts_total", "Attempts at jobs that began.").Add(1);
  registry_
      .GetHistogram("sasq_job_queue_wait_seconds",
                    "Time from a job's entry into the queue to its lease.", SlowBounds())
      .Observe(absl::ToDoubleSeconds(queue_wait));
}

void ServerMetrics::LeaseExpired() {
  registry_
      .GetCounter("sasq_lease_expiries_total",
                  "Leases that expired because their worker was not heard of.")
      .Add(1);
}

void ServerMetrics::ResultReused() { registry_.GetCounter(kReusedName, kReusedHelp).Add(1); }

void ServerMetrics::JobEnded(const v1::Job& job) {
  registry_
      .GetCounter("sasq_jobs_finished_total", "Jobs that ended, by outcome and failure reason.",
                  {{"outcome", std::string(JobStateName(job.state()))}, {"reason", EndReason(job)}})
      .Add(1);
  if (!job.has_start_time()) return;
  registry_
      .GetHistogram("sasq_job_run_seconds",
                    "Time from the start of a job's first attempt to its end.", SlowBounds(),
                    {{"outcome", std::string(JobStateName(job.state()))}})
      .Observe(absl::ToDoubleSeconds(ToTime(job.end_time()) - ToTime(job.start_time())));
}

void ServerMetrics::SetJobs(const JobStats& stats, absl::Time now) {
  for (int i = v1::JobState_MIN + 1; i <= v1::JobState_MAX; ++i) {
    const auto state = static_cast<v1::JobState>(i);
    const auto found = stats.count_by_state.find(state);
    registry_
        .GetGauge("sasq_jobs", "Jobs in the store, by state.",
                  {{"state", std::string(JobStateName(state))}})
        .Set(found == stats.count_by_state.end() ? 0 : static_cast<double>(found->second));
  }
  const double age = stats.oldest_queue_time == absl::InfiniteFuture()
                         ? 0
                         : std::max(0.0, absl::ToDoubleSeconds(now - stats.oldest_queue_time));
  registry_
      .GetGauge("sasq_oldest_queued_job_age_seconds",
                "Age of the job that has been queued longest. 0: none is queued.")
      .Set(age);
}

void ServerMetrics::SetWorkers(const std::vector<v1::Worker>& workers) {
  for (int i = v1::WorkerState_MIN + 1; i <= v1::WorkerState_MAX; ++i) {
    const auto state = static_cast<v1::WorkerState>(i);
    registry_
        .GetGauge("sasq_workers", "Workers that the coordinator has heard of, by state.",
                  {{"state", Label(v1::WorkerState_Name(state), "WORKER_STATE_")}})
        .Set(static_cast<double>(
            std::count_if(workers.begin(), workers.end(),
                          [state](const v1::Worker& worker) { return worker.state() == state; })));
  }
}

void ServerMetrics::SetBlobBytes(int64_t size_bytes) {
  registry_.GetGauge("sasq_blob_stored_bytes", "Bytes of all blobs in the blob store.")
      .Set(static_cast<double>(size_bytes));
}

void ServerMetrics::SetLeasePolls(size_t count) {
  registry_.GetGauge("sasq_lease_polls_held", "LeaseTask calls that wait for a job.")
      .Set(static_cast<double>(count));
}

void ServerMetrics::BlobBytesSent(size_t size_bytes) {
  registry_.GetCounter("sasq_blob_sent_bytes_total", "Bytes of blobs sent to readers.")
      .Add(static_cast<double>(size_bytes));
}

void ServerMetrics::StoreOperation(const std::string& operation, absl::Duration duration,
                                   const absl::Status& status) {
  registry_
      .GetHistogram("sasq_store_operation_seconds",
                    "Time of operations of the job and blob stores.", FastBounds(),
                    {{"operation", operation}})
      .Observe(absl::ToDoubleSeconds(duration));
  const bool fault = status.code() == absl::StatusCode::kUnavailable ||
                     status.code() == absl::StatusCode::kResourceExhausted ||
                     status.code() == absl::StatusCode::kDataLoss;
  if (!fault) return;  // such as NOT_FOUND: an answer
  registry_
      .GetCounter("sasq_store_errors_total", "Operations of the stores that failed.",
                  {{"operation", operation}, {"code", absl::StatusCodeToString(status.code())}})
      .Add(1);
}

void ServerMetrics::RpcEnded(const std::string& method, const std::string& code,
                             absl::Duration duration) {
  const MetricLabels labels = {{"method", method}, {"code", code}};
  registry_.GetCounter("sasq_rpcs_total", "RPCs that ended, by method and gRPC code.", labels)
      .Add(1);
  registry_
      .GetHistogram("sasq_rpc_duration_seconds",
                    "Time from an RPC's arrival to its status. Streams and polls last as long as "
                    "they are wanted.",
                    FastBounds(), labels)
      .Observe(absl::ToDoubleSeconds(duration));
}

void ServerMetrics::StreamOpened(const std::string& method, int change) {
  registry_.GetGauge("sasq_rpc_streams_open", "Open server streams.", {{"method", method}})
      .Add(change);
}

}  // namespace sasq
