// The one table of who may call what.
#ifndef SASQ_SERVER_ACCESS_RPC_RULES_H_
#define SASQ_SERVER_ACCESS_RPC_RULES_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/access/principal.h"

namespace sasq {

// Every RPC of sasq.v1 and sasq.dispatch.v1.
enum class Rpc {
  kSubmitJob,
  kGetJob,
  kListJobs,
  kCancelJob,
  kDeleteJob,
  kWatchJob,
  kReadJobLog,
  kListWorkers,
  kGetArtifact,
  kGetBestScales,
  kDownloadBlob,
  kFindMissingBlobs,
  kUploadBlob,
  kRegisterWorker,
  kLeaseTask,
  kHeartbeat,
  kCompleteTask,
};

struct RpcRule {
  Rpc rpc;
  absl::string_view method;  // such as `sasq.v1.QuantizationService/GetJob`
  unsigned roles;            // bit 1 << role
  bool is_audited;           // a call changes something that an auditor asks for
};

// One rule for each RPC, in the order of Rpc.
absl::Span<const RpcRule> RpcRules();

const RpcRule& RuleOf(Rpc rpc);

bool MayCall(Role role, Rpc rpc);

// The roles that may call, for messages: `submitter or admin`.
std::string RolesText(Rpc rpc);

}  // namespace sasq

#endif  // SASQ_SERVER_ACCESS_RPC_RULES_H_
