#include "server/access/access_gate.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/answer_headers.h"
#include "common/log.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "common/uid.h"

namespace sasq {
namespace {

constexpr char kAuthorization[] = "authorization";

constexpr size_t kMaxRequestIdBytes = 128;

// Empty if there is none.
std::string MetadataOf(const grpc::CallbackServerContext& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
}

// The caller's, if it is fit for logs and headers, or else a new one.
std::string RequestIdOf(const grpc::CallbackServerContext& context) {
  constexpr absl::string_view kOthers = "._:-";
  std::string id = MetadataOf(context, kRequestIdHeader);
  const bool is_fit = !id.empty() && id.size() <= kMaxRequestIdBytes &&
                      std::all_of(id.begin(), id.end(), [kOthers](char c) {
                        return absl::ascii_isalnum(c) || kOthers.find(c) != absl::string_view::npos;
                      });
  return is_fit ? id : NewUid();
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
  return std::unique_ptr<AccessGate>(
      new AccessGate(std::move(tokens), std::move(audit), *options.tracer, executor));
}

std::shared_ptr<Span> AccessGate::StartSpan(const Call& call, absl::string_view traceparent) const {
  const std::optional<TraceContext> parent = ParseTraceparent(traceparent);
  // Polls and heartbeats begin no traces; a job does.
  if (!parent.has_value() && call.rpc != Rpc::kSubmitJob) return nullptr;
  return std::make_shared<Span>(tracer_.Start(RuleOf(call.rpc).method, SpanKind::kServer, parent,
                                              {{"rpc.system.name", "grpc"},
                                               {"rpc.method", std::string(RuleOf(call.rpc).method)},
                                               {"sasq.request", call.request_id}}));
}

void AccessGate::Admit(grpc::CallbackServerContext& context, Rpc rpc, Then then) {
  Call call;
  call.rpc = rpc;
  call.peer = context.peer();
  call.is_audited = RuleOf(rpc).is_audited;
  call.request_id = RequestIdOf(context);
  context.AddInitialMetadata(kRequestIdHeader, call.request_id);
  call.span = StartSpan(call, MetadataOf(context, kTraceparentHeader));
  if (tokens_ == nullptr) return then(std::move(call));
  const std::string address = AddressOf(call.peer);
  tokens_->Authenticate(
      MetadataOf(context, kAuthorization), address,
      [this, call = std::move(call), then = std::move(then)](absl::StatusOr<Principal> principal) {
        if (!principal.ok()) {
          call.EndSpan(principal.status());
          return then(principal.status());
        }
        Call known = call;
        known.principal = *std::move(principal);
        CheckRole(std::move(known), then);
      });
}

void AccessGate::CheckRole(Call call, const Then& then) {
  if (MayCall(call.principal.role, call.rpc)) return then(std::move(call));
  const absl::Status denied = RoleDenied(call);
  call.EndSpan(denied);
  const bool accepted = executor_.TrySubmit([this, call, denied] { Audit(call, denied); });
  if (!accepted) LogError("audit_not_written", {{"error", denied}});
  then(denied);
}

}  // namespace sasq
