#include "server/job_streams.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "server/names.h"
#include "server/pulled_stream.h"
#include "server/server_status.h"

namespace sasq {
namespace {

constexpr int64_t kMaxLogMessageBytes = 64 << 10;

class WatchStream final : public PulledStream<v1::WatchJobResponse>, public JobSubscriber {
 public:
  WatchStream(const StreamParts& parts, const v1::WatchJobRequest& request)
      : parts_(parts),
        name_(request.name()),
        after_sequence_(request.after_sequence()),
        sent_sequence_(request.after_sequence()) {}

  void OnJobChanged(const std::shared_ptr<const v1::Job>& job) override {
    {
      MutexLock lock(&mutex_);
      if (latest_ != nullptr && latest_->sequence() >= job->sequence()) return;
      latest_ = job;
      if (!may_see_) return;
    }
    Wake();
  }
  void OnJobLogGrew() override {}
  // Only an ended job is deleted, and its end is the last message.
  void OnJobDeleted() override {}
  void OnServerShutdown() override { Stop(ServerShutdownStatus()); }

 private:
  // Subscribes before it reads, so that no change falls between.
  absl::Status Begin(Call call) override {
    SASQ_RETURN_IF_ERROR(ParseJobName(name_).status());
    if (after_sequence_ < 0) {
      return FieldViolationsStatus(
          {{"after_sequence", absl::StrCat("is ", after_sequence_, ", want 0 or more")}},
          "INVALID_REQUEST");
    }
    const auto self = std::static_pointer_cast<WatchStream>(shared_from_this());
    if (!parts_.hub.Subscribe(name_, self)) return ServerShutdownStatus();
    const bool accepted = parts_.rpc.executor.TrySubmit([self, who = std::move(call.principal)] {
      absl::StatusOr<v1::Job> job = self->parts_.coordinator.GetJob(who, self->name_);
      if (!job.ok()) return self->Stop(job.status());
      self->Show(std::make_shared<const v1::Job>(*std::move(job)));
    });
    return accepted ? absl::OkStatus() : ServerBusyStatus();
  }

  void Produce() override {
    std::shared_ptr<const v1::Job> job;
    {
      MutexLock lock(&mutex_);
      if (!may_see_) {
        // The job is still being read.
      } else if (latest_ != nullptr && latest_->sequence() > sent_sequence_) {
        job = latest_;
        sent_sequence_ = job->sequence();
      } else if (latest_ != nullptr && IsEndedState(latest_->state())) {
        ended_ = true;
      }
    }
    if (ended_) return End(absl::OkStatus());
    if (job == nullptr) return Wait();
    v1::WatchJobResponse response;
    *response.mutable_job() = *job;
    Send(std::move(response));
  }
  void OnEnded() override { parts_.hub.Unsubscribe(name_, this); }

  // The caller may see the job, which was like this when that was found out.
  void Show(const std::shared_ptr<const v1::Job>& job) {
    {
      MutexLock lock(&mutex_);
      may_see_ = true;
      if (latest_ == nullptr || latest_->sequence() < job->sequence()) latest_ = job;
    }
    Wake();
  }

  const StreamParts parts_;
  const std::string name_;
  const int64_t after_sequence_;
  bool ended_ = false;  // one Produce at a time

  Mutex mutex_;
  bool may_see_ ABSL_GUARDED_BY(mutex_) = false;  // until the job was read, nobody knows
  std::shared_ptr<const v1::Job> latest_ ABSL_GUARDED_BY(mutex_);
  int64_t sent_sequence_ ABSL_GUARDED_BY(mutex_);
};

class LogStream final : public PulledStream<v1::ReadJobLogResponse>, public JobSubscriber {
 public:
  LogStream(const StreamParts& parts, const v1::ReadJobLogRequest& request)
      : parts_(parts),
        name_(request.name()),
        follow_(request.follow()),
        offset_(request.offset()) {}

  void OnJobChanged(const std::shared_ptr<const v1::Job>& job) override {
    if (IsEndedState(job->state())) Wake();
  }
  void OnJobLogGrew() override { Wake(); }
  void OnJobDeleted() override { Wake(); }
  void OnServerShutdown() override { Stop(ServerShutdownStatus()); }

 private:
  absl::Status Begin(Call call) override {
    who_ = std::move(call.principal);
    const auto self = std::static_pointer_cast<LogStream>(shared_from_this());
    return parts_.hub.Subscribe(name_, self) ? absl::OkStatus() : ServerShutdownStatus();
  }

  void Produce() override {
    const auto self = std::static_pointer_cast<LogStream>(shared_from_this());
    if (!parts_.rpc.executor.TrySubmit([self] { self->ReadOn(); })) End(ServerBusyStatus());
  }

  void ReadOn() {
    absl::StatusOr<LogChunk> chunk =
        parts_.coordinator.ReadJobLog(who_, name_, offset_, kMaxLogMessageBytes);
    if (!chunk.ok()) return End(chunk.status());
    if (chunk->data.empty()) {
      return follow_ && !chunk->job_ended ? Wait() : End(absl::OkStatus());
    }
    v1::ReadJobLogResponse response;
    response.set_offset(offset_);
    offset_ += static_cast<int64_t>(chunk->data.size());
    response.set_data(std::move(chunk->data));
    Send(std::move(response));
  }
  void OnEnded() override { parts_.hub.Unsubscribe(name_, this); }

  const StreamParts parts_;
  const std::string name_;
  const bool follow_;
  Principal who_;   // constant from Begin on
  int64_t offset_;  // one ReadOn at a time
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchJobResponse>* StartWatchJob(const StreamParts& parts,
                                                              grpc::CallbackServerContext& context,
                                                              const v1::WatchJobRequest& request) {
  return std::make_shared<WatchStream>(parts, request)
      ->Start(parts.rpc.gate, context, Rpc::kWatchJob);
}

grpc::ServerWriteReactor<v1::ReadJobLogResponse>* StartReadJobLog(
    const StreamParts& parts, grpc::CallbackServerContext& context,
    const v1::ReadJobLogRequest& request) {
  return std::make_shared<LogStream>(parts, request)
      ->Start(parts.rpc.gate, context, Rpc::kReadJobLog);
}

}  // namespace sasq
