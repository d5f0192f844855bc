// The gate that every RPC passes: who calls, may they, and the line that the audit log gets.
#ifndef SASQ_SERVER_ACCESS_ACCESS_GATE_H_
#define SASQ_SERVER_ACCESS_ACCESS_GATE_H_

#include <grpcpp/server_context.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/executor.h"
#include "server/access/audit_log.h"
#include "server/access/authenticator.h"

namespace sasq {

// Thread-safe.
class AccessGate {
 public:
  struct Options {
    // Empty tokens_file: the server asks for no tokens, and everybody may do everything.
    Authenticator::Options tokens;
    std::string audit_log;  // as of AuditLog
    const Tracer* tracer = &Tracer::Off();
  };
  // Told on the caller's thread or on another one; quick.
  using Then = std::function<void(absl::StatusOr<Call>)>;

  // `executor`, which outlives this, writes of calls that were refused for their role. Errors as of
  // Authenticator and AuditLog.
  static absl::StatusOr<std::unique_ptr<AccessGate>> Create(const Options& options,
                                                            Executor& executor);

  // Lets a call in, or says why not: UNAUTHENTICATED and RESOURCE_EXHAUSTED as of Authenticator,
  // PERMISSION_DENIED (ROLE_DENIED) by the table of rpc_rules.h. Gives the call a request id, which
  // the answer carries, and a span if the caller sent a traceparent or submits a job. Uses
  // `context` before it returns alone.
  void Admit(grpc::CallbackServerContext& context, Rpc rpc, Then then);

  // Tells the audit log how a call ended that was let in, if it is one to be told of. May block.
  void Audit(const Call& call, const absl::Status& outcome) {
    if (call.is_audited) audit_->Write(call, outcome);
  }

  // Reads the tokens file again if it changed, as TokenBook::Reload.
  absl::Status Reload() { return tokens_ == nullptr ? absl::OkStatus() : tokens_->Reload(); }

  // Tells everyone who waits; for the server's end.
  void Stop() {
    if (tokens_ != nullptr) tokens_->Stop();
  }

 private:
  AccessGate(std::unique_ptr<Authenticator> tokens, std::unique_ptr<AuditLog> audit,
             const Tracer& tracer, Executor& executor)
      : tokens_(std::move(tokens)),
        audit_(std::move(audit)),
        tracer_(tracer),
        executor_(executor) {}

  std::shared_ptr<Span> StartSpan(const Call& call, absl::string_view traceparent) const;

  // Gives the call to `then`, if the role allows it.
  void CheckRole(Call call, const Then& then);

  const std::unique_ptr<Authenticator> tokens_;  // null: none are asked for
  const std::unique_ptr<AuditLog> audit_;
  const Tracer& tracer_;
  Executor& executor_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_ACCESS_ACCESS_GATE_H_
