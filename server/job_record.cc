#include "server/job_record.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

// Waiting that long counts as much as a point of priority.
constexpr absl::Duration kAgeingInterval = absl::Minutes(1);
constexpr absl::string_view kTruncationLine =
    "coordinator: the log is longer than 4 MiB; later lines are dropped\n";

void ReleaseLease(JobRecord& record) {
  record.job.clear_worker();
  record.lease_token.clear();
  record.lease_instance.clear();
  record.lease_confirmed = false;
  record.lease_expire_time = absl::InfiniteFuture();
  record.attempt_expire_time = absl::InfiniteFuture();
}

}  // namespace

std::string JobId(const v1::Job& job) {
  return job.name().size() > 5 ? job.name().substr(5) : std::string();
}

uint32_t DeviceKindBits(v1::DeviceKind kind) {
  if (kind != v1::DEVICE_KIND_UNSPECIFIED) return 1U << kind;
  uint32_t bits = 0;
  for (int i = v1::DeviceKind_MIN + 1; i <= v1::DeviceKind_MAX; ++i) bits |= 1U << i;
  return bits;
}

int64_t LeaseRank(const v1::Job& job) {
  const absl::Duration advance = job.spec().priority() * kAgeingInterval;
  return absl::ToUnixMicros(ToTime(job.create_time()) - advance);
}

absl::Time ReadyTime(const v1::Job& job) {
  return job.has_ready_time() ? ToTime(job.ready_time()) : absl::InfinitePast();
}

absl::Status ApplyEvent(JobEvent event, absl::Time now, JobChange& change) {
  v1::Job& job = change.record.job;
  const std::optional<v1::JobState> next = NextJobState(job.state(), event);
  if (!next.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat(job.name(), " is ", JobStateName(job.state()),
                                                      "; `", JobEventName(event),
                                                      "` cannot happen to it"));
  }
  if (*next == job.state()) return absl::OkStatus();
  job.set_state(*next);
  CountChange(change.record);
  job.clear_ready_time();
  if (!IsLeasedState(*next)) ReleaseLease(change.record);
  if (*next == v1::JOB_STATE_QUEUED) {
    change.record.queue_time = now;
    job.clear_progress();
  }
  if (IsEndedState(*next)) {
    SetTimestamp(now, job.mutable_end_time());
    change.checkpoint = "";
    change.best_scales = "";
  }
  return absl::OkStatus();
}

void CountChange(JobRecord& record) { record.job.set_sequence(record.job.sequence() + 1); }

void AppendToLog(absl::string_view lines, JobChange& change) {
  if (change.record.log_truncated) return;
  const int64_t room = kMaxJobLogBytes - change.record.log_size_bytes -
                       static_cast<int64_t>(change.log.size() + kTruncationLine.size());
  if (room >= static_cast<int64_t>(lines.size())) {
    absl::StrAppend(&change.log, lines);
    return;
  }
  const absl::string_view fitting =
      lines.substr(0, static_cast<size_t>(std::max<int64_t>(room, 0)));
  const size_t last_newline = fitting.rfind('\n');
  if (last_newline != absl::string_view::npos) {
    absl::StrAppend(&change.log, fitting.substr(0, last_newline + 1));
  }
  absl::StrAppend(&change.log, kTruncationLine);
  change.record.log_truncated = true;
}

void AppendEventToLog(absl::string_view text, absl::Time now, JobChange& change) {
  AppendToLog(absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", now, absl::UTCTimeZone()),
                           " coordinator: ", text, "\n"),
              change);
}

}  // namespace sasq
