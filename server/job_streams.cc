#include "server/job_streams.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/rpc_status.h"
#include "server/names.h"
#include "server/pulled_stream.h"
#include "server/server_status.h"

namespace sasq {
namespace {

constexpr int64_t kMaxLogMessageBytes = 64 << 10;

class WatchStream final : public PulledStream<v1::WatchJobResponse>, public JobSubscriber {
 public:
  WatchStream(const StreamParts& parts, const v1::WatchJobRequest& request)
      : parts_(parts), name_(request.name()), sent_sequence_(request.after_sequence()) {}

  // Subscribes before it reads, so that no change falls between.
  void Begin() {
    const auto self = std::static_pointer_cast<WatchStream>(shared_from_this());
    if (!parts_.hub.Subscribe(name_, self)) return Stop(ServerShutdownStatus());
    const bool accepted = parts_.executor.TrySubmit([self] {
      absl::StatusOr<v1::Job> job = self->parts_.coordinator.GetJob(self->name_);
      if (!job.ok()) return self->Stop(job.status());
      self->OnJobChanged(std::make_shared<const v1::Job>(*std::move(job)));
    });
    if (!accepted) Stop(ServerBusyStatus());
  }

  void OnJobChanged(const std::shared_ptr<const v1::Job>& job) override {
    {
      MutexLock lock(&mutex_);
      if (latest_ != nullptr && latest_->sequence() >= job->sequence()) return;
      latest_ = job;
    }
    Wake();
  }
  void OnJobLogGrew() override {}
  // Only an ended job is deleted, and its end is the last message.
  void OnJobDeleted() override {}
  void OnServerShutdown() override { Stop(ServerShutdownStatus()); }

 private:
  void Produce() override {
    std::shared_ptr<const v1::Job> job;
    {
      MutexLock lock(&mutex_);
      if (latest_ != nullptr && latest_->sequence() > sent_sequence_) {
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

  const StreamParts parts_;
  const std::string name_;
  bool ended_ = false;  // one Produce at a time

  Mutex mutex_;
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

  void Begin() {
    const auto self = std::static_pointer_cast<LogStream>(shared_from_this());
    if (!parts_.hub.Subscribe(name_, self)) Stop(ServerShutdownStatus());
  }

  void OnJobChanged(const std::shared_ptr<const v1::Job>& job) override {
    if (IsEndedState(job->state())) Wake();
  }
  void OnJobLogGrew() override { Wake(); }
  void OnJobDeleted() override { Wake(); }
  void OnServerShutdown() override { Stop(ServerShutdownStatus()); }

 private:
  void Produce() override {
    const auto self = std::static_pointer_cast<LogStream>(shared_from_this());
    if (!parts_.executor.TrySubmit([self] { self->ReadOn(); })) End(ServerBusyStatus());
  }

  void ReadOn() {
    absl::StatusOr<LogChunk> chunk =
        parts_.coordinator.ReadJobLog(name_, offset_, kMaxLogMessageBytes);
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
  int64_t offset_;  // one ReadOn at a time
};

// A stream that ends with `status` and sends nothing.
template <typename Response>
class RefusedStream final : public PulledStream<Response> {
 public:
  explicit RefusedStream(absl::Status status) : status_(std::move(status)) {}

 private:
  void Produce() override { this->End(status_); }
  const absl::Status status_;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchJobResponse>* StartWatchJob(const StreamParts& parts,
                                                              const v1::WatchJobRequest& request) {
  absl::Status status = ParseJobName(request.name()).status();
  if (status.ok() && request.after_sequence() < 0) {
    status = FieldViolationsStatus(
        {{"after_sequence", absl::StrCat("is ", request.after_sequence(), ", want 0 or more")}},
        "INVALID_REQUEST");
  }
  if (!status.ok()) {
    return std::make_shared<RefusedStream<v1::WatchJobResponse>>(std::move(status))->Start();
  }
  const auto stream = std::make_shared<WatchStream>(parts, request);
  stream->Begin();
  return stream->Start();
}

grpc::ServerWriteReactor<v1::ReadJobLogResponse>* StartReadJobLog(
    const StreamParts& parts, const v1::ReadJobLogRequest& request) {
  const auto stream = std::make_shared<LogStream>(parts, request);
  stream->Begin();
  return stream->Start();
}

}  // namespace sasq
