// A job as it is stored: the public resource and what only the coordinator knows. The functions
// here are the only ones that change one, always inside JobStore::Update or LeaseNext.
#ifndef SASQ_SERVER_JOB_RECORD_H_
#define SASQ_SERVER_JOB_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sasq/v1/artifact_service.pb.h"
#include "sasq/v1/job.pb.h"
#include "server/job_state.h"

namespace sasq {

// A log longer than this ends with one line that says so.
inline constexpr int64_t kMaxJobLogBytes = 4 << 20;

struct JobRecord {
  v1::Job job;                   // waiting_reason is never stored: it is told on reading
  std::string request_id;        // of SubmitJob, unique within the tenant; empty: none
  std::string spec_fingerprint;  // SHA-256 of the completed spec
  absl::Time queue_time;         // when the job last became QUEUED
  uint32_t device_kinds = 0;     // kinds of device that may run it, a bit for each v1::DeviceKind
  int64_t log_size_bytes = 0;
  bool log_truncated = false;  // the log reached its limit and has said so
  int64_t position = 0;        // order of acceptance, set by the store; from 1

  // The lease. Empty and infinite while no worker holds the job.
  std::string lease_token;       // what every write of the holder carries
  std::string lease_instance;    // instance id of the holder; its worker id is job.worker
  bool lease_confirmed = false;  // the holder has sent a heartbeat, so it knows of the lease
  absl::Time lease_expire_time = absl::InfiniteFuture();
  absl::Time attempt_expire_time = absl::InfiniteFuture();  // a lease never lasts longer
  // The lease whose CompleteTask took effect last, so that its repeat is OK.
  std::string completed_token;
};

// A job and what is written with it in one transaction.
struct JobChange {
  JobRecord record;
  std::string log;                         // appended to the job's log
  std::optional<std::string> checkpoint;   // replaces the stored one; empty: deletes it
  std::optional<v1::Artifact> artifact;    // published
  std::optional<std::string> best_scales;  // the pack so far, as checkpoint
  std::vector<std::string> content_keys;   // added: what the job computes (content_key.h)
};

// The id of a job: its name without `jobs/`.
std::string JobId(const v1::Job& job);

// The bits of JobRecord::device_kinds: one kind, or every one for DEVICE_KIND_UNSPECIFIED.
uint32_t DeviceKindBits(v1::DeviceKind kind);

// Queued jobs are leased in the order of this number, smallest first: the microsecond in which the
// job was accepted, less a minute for each point of priority, so that waiting a minute counts as
// much as a point and nothing has to be written while jobs age.
int64_t LeaseRank(const v1::Job& job);

// When a queued job may be leased; InfinitePast if at once.
absl::Time ReadyTime(const v1::Job& job);

// Moves the record along the table, gives up the lease where the new state has none, and sets end
// and queue times. FAILED_PRECONDITION where the table has no way.
absl::Status ApplyEvent(JobEvent event, absl::Time now, JobChange& change);

// Counts a visible change of the job.
void CountChange(JobRecord& record);

// Appends lines to the job's log, up to kMaxJobLogBytes in all.
void AppendToLog(absl::string_view lines, JobChange& change);

// Appends a line of the coordinator's own: time, `coordinator:`, text.
void AppendEventToLog(absl::string_view text, absl::Time now, JobChange& change);

}  // namespace sasq

#endif  // SASQ_SERVER_JOB_RECORD_H_
