#include "server/server_metrics.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "quant/gates/gates.h"
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

std::string ReasonLabel(v1::JobFailureReason reason) {
  const std::string name = v1::JobFailureReason_Name(reason);
  return name.empty() ? "unspecified" : Label(name, "JOB_FAILURE_REASON_");
}

constexpr char kReusedName[] = "sasq_results_reused_total";
constexpr char kReusedHelp[] = "Jobs that took the result of an earlier job that did the same.";

// `any` for a job that does not say.
std::string DeviceLabel(v1::DeviceKind kind) {
  if (kind == v1::DEVICE_KIND_UNSPECIFIED) return "any";
  const std::string name = v1::DeviceKind_Name(kind);
  return name.empty() ? "other" : Label(name, "DEVICE_KIND_");
}

bool IsLive(const v1::Worker& worker) {
  return worker.state() == v1::WORKER_STATE_IDLE || worker.state() == v1::WORKER_STATE_BUSY;
}

bool CanTake(const v1::Worker& worker, v1::DeviceKind kind) {
  return IsLive(worker) &&
         (kind == v1::DEVICE_KIND_UNSPECIFIED || kind == worker.capabilities().device_kind());
}

}  // namespace

ServerMetrics::ServerMetrics(MetricRegistry& registry)
    : registry_(registry),
      submitted_(registry.GetCounter("sasq_jobs_submitted_total", "Jobs that were accepted.")),
      attempts_(registry.GetCounter("sasq_job_attempts_total", "Attempts at jobs that began.")),
      lease_expiries_(
          registry.GetCounter("sasq_lease_expiries_total",
                              "Leases that expired because their worker was not heard of.")),
      queue_wait_(registry.GetHistogram("sasq_job_queue_wait_seconds",
                                        "Time from a job's entry into the queue to its lease.",
                                        SlowBounds())) {
  AddBuildInfo(registry_, "sasqd");
  // What exists from the start can be alerted on before the first event.
  registry_.GetCounter(kReusedName, kReusedHelp);
  JobsFinished(v1::JOB_STATE_SUCCEEDED, "none");
  JobsFinished(v1::JOB_STATE_CANCELLED, "none");
  for (int i = v1::JobFailureReason_MIN + 1; i <= v1::JobFailureReason_MAX; ++i) {
    JobsFinished(v1::JOB_STATE_FAILED, ReasonLabel(static_cast<v1::JobFailureReason>(i)));
  }
  for (const auto state :
       {v1::JOB_STATE_SUCCEEDED, v1::JOB_STATE_FAILED, v1::JOB_STATE_CANCELLED}) {
    RunTime(state);
  }
  for (const GateKind& gate : GateKinds()) {
    GateResults(gate.name, true);
    GateResults(gate.name, false);
  }
  for (const char* operation : {"upload", "download", "publish"}) BlobBytes(operation, 0);
  SetJobs(JobStats(), absl::UnixEpoch());
  SetWorkers({}, absl::UnixEpoch());
  SetQueue(JobStats(), {});
}

MetricRegistry::Counter& ServerMetrics::JobsFinished(v1::JobState outcome,
                                                     const std::string& reason) {
  return registry_.GetCounter(
      "sasq_jobs_finished_total", "Jobs that ended, by outcome and failure reason.",
      {{"outcome", std::string(JobStateName(outcome))}, {"reason", reason}});
}

MetricRegistry::Histogram& ServerMetrics::RunTime(v1::JobState outcome) {
  return registry_.GetHistogram("sasq_job_run_seconds",
                                "Time from the start of a job's first attempt to its end.",
                                SlowBounds(), {{"outcome", std::string(JobStateName(outcome))}});
}

MetricRegistry::Counter& ServerMetrics::GateResults(const std::string& gate, bool passed) {
  return registry_.GetCounter("sasq_gate_results_total",
                              "Quality gates that were judged, by gate and result.",
                              {{"gate", gate}, {"result", passed ? "passed" : "failed"}});
}

void ServerMetrics::JobSubmitted() { submitted_.Add(1); }

void ServerMetrics::AttemptBegan(absl::Duration queue_wait) {
  attempts_.Add(1);
  queue_wait_.Observe(absl::ToDoubleSeconds(queue_wait));
}

void ServerMetrics::LeaseExpired() { lease_expiries_.Add(1); }

void ServerMetrics::ResultReused() { registry_.GetCounter(kReusedName, kReusedHelp).Add(1); }

void ServerMetrics::JobEnded(const v1::Job& job) {
  const bool failed = job.state() == v1::JOB_STATE_FAILED;
  JobsFinished(job.state(), failed ? ReasonLabel(job.error().reason()) : "none").Add(1);
  for (const v1::GateResult& result : job.gate_results()) {
    GateResults(result.gate(), result.passed()).Add(1);
  }
  if (!job.has_start_time()) return;
  RunTime(job.state())
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

void ServerMetrics::SetWorkers(const std::vector<v1::Worker>& workers, absl::Time now) {
  for (const v1::DeviceKind device : {v1::DEVICE_KIND_CPU, v1::DEVICE_KIND_CUDA}) {
    std::map<v1::WorkerState, int> counts;
    absl::Duration oldest;
    for (const v1::Worker& worker : workers) {
      if (worker.capabilities().device_kind() != device) continue;
      ++counts[worker.state()];
      if (IsLive(worker)) oldest = std::max(oldest, now - ToTime(worker.last_seen_time()));
    }
    for (int i = v1::WorkerState_MIN + 1; i <= v1::WorkerState_MAX; ++i) {
      const auto state = static_cast<v1::WorkerState>(i);
      registry_
          .GetGauge("sasq_workers",
                    "Workers that the coordinator has heard of, by state and device.",
                    {{"state", Label(v1::WorkerState_Name(state), "WORKER_STATE_")},
                     {"device", DeviceLabel(device)}})
          .Set(counts[state]);
    }
    registry_
        .GetGauge(
            "sasq_oldest_heartbeat_age_seconds",
            "Time since the idle or busy worker that is silent longest was heard of. 0: there "
            "is none.",
            {{"device", DeviceLabel(device)}})
        .Set(absl::ToDoubleSeconds(oldest));
  }
}

void ServerMetrics::SetQueue(const JobStats& stats, const std::vector<v1::Worker>& workers) {
  for (const v1::DeviceKind device :
       {v1::DEVICE_KIND_UNSPECIFIED, v1::DEVICE_KIND_CPU, v1::DEVICE_KIND_CUDA}) {
    const auto found = stats.queued_by_device_kinds.find(DeviceKindBits(device));
    const int64_t count = found == stats.queued_by_device_kinds.end() ? 0 : found->second;
    const bool can_run =
        std::any_of(workers.begin(), workers.end(),
                    [device](const v1::Worker& worker) { return CanTake(worker, device); });
    const MetricLabels labels = {{"device", DeviceLabel(device)}};
    registry_.GetGauge("sasq_queued_jobs", "Queued jobs, by the device that they ask for.", labels)
        .Set(static_cast<double>(count));
    registry_
        .GetGauge("sasq_queued_jobs_without_worker",
                  "Queued jobs whose device no idle or busy worker has.", labels)
        .Set(can_run ? 0 : static_cast<double>(count));
  }
}

void ServerMetrics::SetBlobBytes(int64_t size_bytes) {
  registry_.GetGauge("sasq_blob_stored_bytes", "Bytes of all blobs in the blob store.")
      .Set(static_cast<double>(size_bytes));
}

void ServerMetrics::SetBlobLimit(int64_t size_bytes) {
  registry_.GetGauge("sasq_blob_limit_bytes", "Bytes of blobs beyond which uploads are refused.")
      .Set(static_cast<double>(size_bytes));
}

void ServerMetrics::SetDataDisk(const DiskSpace& space) {
  registry_.GetGauge("sasq_data_disk_size_bytes", "Size of the file system of the data folder.")
      .Set(static_cast<double>(space.size_bytes));
  registry_
      .GetGauge("sasq_data_disk_free_bytes", "Free space in the file system of the data folder.")
      .Set(static_cast<double>(space.free_bytes));
}

void ServerMetrics::SetLeasePolls(size_t count) {
  registry_.GetGauge("sasq_lease_polls_held", "LeaseTask calls that wait for a job.")
      .Set(static_cast<double>(count));
}

void ServerMetrics::BlobBytes(const char* operation, size_t size_bytes) {
  registry_
      .GetCounter("sasq_blob_bytes_total",
                  "Bytes of blobs that were downloaded, and of whole blobs that were uploaded or "
                  "published.",
                  {{"operation", operation}})
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
