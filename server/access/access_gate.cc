#include "server/access/access_gate.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr char kAuthorization[] = "authorization";

std::string AuthorizationOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(kAuthorization);
  return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
}

// `ipv4:10.0.0.7` of `ipv4:10.0.0.7:50000`.
std::string AddressOf(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

absl::Status RoleDenied(const Call& call) {
  return WithReason(
      absl::PermissionDeniedError(absl::StrCat(
          "token ", call.principal.token_id, " has the role ", RoleName(call.principal.role), "; ",
          RuleOf(call.rpc).method, " wants ", RolesText(call.rpc))),
      "ROLE_DENIED");
}

}  // namespace

absl::StatusOr<std::unique_ptr<AccessGate>> AccessGate::Create(const Options& options,
                                                               Executor& executor) {
  std::unique_ptr<Authenticator> tokens;
  if (!options.tokens.tokens_file.empty()) {
    SASQ_ASSIGN_OR_RETURN(tokens, Authenticator::Create(options.tokens));
  }
  SASQ_ASSIGN_OR_RETURN(std::unique_ptr<AuditLog> audit,
                        AuditLog::Create(options.audit_log, *options.tokens.clock));
  return std::unique_ptr<AccessGate>(new AccessGate(std::move(tokens), std::move(audit), executor));
}

void AccessGate::Admit(const grpc::CallbackServerContext& context, Rpc rpc, Then then) {
  Call call;
  call.rpc = rpc;
  call.peer = context.peer();
  call.is_audited = RuleOf(rpc).is_audited;
  if (tokens_ == nullptr) return then(std::move(call));
  const std::string address = AddressOf(call.peer);
  tokens_->Authenticate(
      AuthorizationOf(context), address,
      [this, call = std::move(call), then = std::move(then)](absl::StatusOr<Principal> principal) {
        if (!principal.ok()) return then(principal.status());
        Call known = call;
        known.principal = *std::move(principal);
        CheckRole(std::move(known), then);
      });
}

void AccessGate::CheckRole(Call call, const Then& then) {
  if (MayCall(call.principal.role, call.rpc)) return then(std::move(call));
  const absl::Status denied = RoleDenied(call);
  const bool accepted = executor_.TrySubmit([this, call, denied] { Audit(call, denied); });
  if (!accepted) LogError("audit_not_written", {{"error", denied}});
  then(denied);
}

}  // namespace sasq
