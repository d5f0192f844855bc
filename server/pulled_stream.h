// A server stream that its reader pulls: at most one message is being made or on its way, so a slow
// reader costs one message of memory and no thread.
#ifndef SASQ_SERVER_PULLED_STREAM_H_
#define SASQ_SERVER_PULLED_STREAM_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "common/mutex.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "server/access/access_gate.h"

namespace sasq {

// Made by std::make_shared; Start makes it own itself until gRPC is done with it. Thread-safe.
template <typename Response>
class PulledStream : public grpc::ServerWriteReactor<Response>,
                     public std::enable_shared_from_this<PulledStream<Response>> {
 public:
  // Begins once the gate lets the call in, and gives gRPC what it wants from a handler.
  grpc::ServerWriteReactor<Response>* Start(AccessGate& gate, grpc::CallbackServerContext& context,
                                            Rpc rpc) {
    self_ = this->shared_from_this();
    gate.Admit(context, rpc, [self = self_](absl::StatusOr<Call> call) {
      absl::Status status = call.status();
      if (status.ok()) {
        self->call_ = *call;
        status = self->Begin(*std::move(call));
      }
      if (status.ok()) status = self->EnterUnlessStopped(State::kProducing).value_or(status);
      if (!status.ok()) return self->End(status);
      self->Produce();
    });
    return this;
  }

  // Something new may be there to send.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (state_ != State::kIdle) {
        woken_ = true;
        return;
      }
      state_ = State::kProducing;
    }
    Produce();
  }

  // Ends the stream as soon as the message on its way, if any, has gone.
  void Stop(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (state_ == State::kEnded) return;
      if (!stop_.has_value()) stop_ = std::move(status);
      if (state_ != State::kIdle) return;
      state_ = State::kProducing;
    }
    Wait();
  }

 protected:
  // The call was let in. Must not block; a status that is not OK ends the stream.
  virtual absl::Status Begin(Call call) = 0;
  // Decides what comes next: calls exactly one of Send, Wait and End, now or from another thread.
  // Must not block.
  virtual void Produce() = 0;
  // gRPC is done with the stream.
  virtual void OnEnded() {}

  void Send(Response response) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (const std::optional<absl::Status> stop = EnterUnlessStopped(State::kSending)) {
      return End(*stop);
    }
    response_ = std::move(response);
    this->StartWrite(&response_);
  }

  // Nothing to send before the next Wake.
  void Wait() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::optional<absl::Status> stop;
    {
      MutexLock lock(&mutex_);
      stop = stop_;
      if (!stop.has_value() && !woken_) {
        state_ = State::kIdle;
        return;
      }
      woken_ = false;
    }
    if (stop.has_value()) return End(*stop);
    Produce();
  }

  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      SASQ_CHECK(state_ != State::kEnded);
      state_ = State::kEnded;
    }
    call_.EndSpan(status);
    this->Finish(ToGrpcStatus(status));
  }

 private:
  enum class State { kIdle, kProducing, kSending, kEnded };

  // The status of Stop, or nothing and the state is `next`.
  std::optional<absl::Status> EnterUnlessStopped(State next) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (!stop_.has_value()) state_ = next;
    return stop_;
  }

  void OnWriteDone(bool ok) final {
    if (!ok) return End(absl::CancelledError("the reader has gone"));
    if (const std::optional<absl::Status> stop = EnterUnlessStopped(State::kProducing)) {
      return End(*stop);
    }
    Produce();
  }
  void OnCancel() final { Stop(absl::CancelledError("the reader has gone")); }
  void OnDone() final {
    OnEnded();
    self_.reset();
  }

  std::shared_ptr<PulledStream> self_;  // from Start to OnDone
  Response response_;                   // the message on its way
  Call call_;                           // constant from Begin on

  Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kProducing;  // first of all, the gate's word
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;               // by Wake while it was not idle
  std::optional<absl::Status> stop_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_SERVER_PULLED_STREAM_H_
