#include "server/access/rpc_rules.h"

#include <string>
#include <vector>

#include "absl/strings/str_join.h"

namespace sasq {
namespace {

constexpr unsigned Bit(Role role) { return 1U << static_cast<unsigned>(role); }

// Whoever submits can read, and an admin can do what a submitter can.
constexpr unsigned kSubmit = Bit(server::v1::ROLE_SUBMITTER) | Bit(server::v1::ROLE_ADMIN);
constexpr unsigned kRead = kSubmit | Bit(server::v1::ROLE_VIEWER);
constexpr unsigned kWork = Bit(server::v1::ROLE_WORKER);

// Heartbeats are not audited: they report what the lease, which is, gave to do.
constexpr RpcRule kRules[] = {
    {Rpc::kSubmitJob, "sasq.v1.QuantizationService/SubmitJob", kSubmit, true},
    {Rpc::kGetJob, "sasq.v1.QuantizationService/GetJob", kRead, false},
    {Rpc::kListJobs, "sasq.v1.QuantizationService/ListJobs", kRead, false},
    {Rpc::kCancelJob, "sasq.v1.QuantizationService/CancelJob", kSubmit, true},
    {Rpc::kDeleteJob, "sasq.v1.QuantizationService/DeleteJob", kSubmit, true},
    {Rpc::kWatchJob, "sasq.v1.QuantizationService/WatchJob", kRead, false},
    {Rpc::kReadJobLog, "sasq.v1.QuantizationService/ReadJobLog", kRead, false},
    {Rpc::kListWorkers, "sasq.v1.QuantizationService/ListWorkers", kRead, false},
    {Rpc::kGetArtifact, "sasq.v1.ArtifactService/GetArtifact", kRead, false},
    {Rpc::kGetBestScales, "sasq.v1.ArtifactService/GetBestScales", kRead, false},
    {Rpc::kDownloadBlob, "sasq.v1.ArtifactService/DownloadBlob", kRead | kWork, false},
    {Rpc::kFindMissingBlobs, "sasq.v1.ArtifactService/FindMissingBlobs", kSubmit, false},
    {Rpc::kUploadBlob, "sasq.v1.ArtifactService/UploadBlob", kSubmit, true},
    {Rpc::kRegisterWorker, "sasq.dispatch.v1.DispatchService/RegisterWorker", kWork, true},
    {Rpc::kLeaseTask, "sasq.dispatch.v1.DispatchService/LeaseTask", kWork, true},
    {Rpc::kHeartbeat, "sasq.dispatch.v1.DispatchService/Heartbeat", kWork, false},
    {Rpc::kCompleteTask, "sasq.dispatch.v1.DispatchService/CompleteTask", kWork, true},
};

}  // namespace

absl::Span<const RpcRule> RpcRules() { return kRules; }

const RpcRule& RuleOf(Rpc rpc) { return kRules[static_cast<size_t>(rpc)]; }

bool MayCall(Role role, Rpc rpc) { return (RuleOf(rpc).roles & Bit(role)) != 0; }

std::string RolesText(Rpc rpc) {
  std::vector<std::string> names;
  for (const Role role : {server::v1::ROLE_VIEWER, server::v1::ROLE_SUBMITTER,
                          server::v1::ROLE_WORKER, server::v1::ROLE_ADMIN}) {
    if (MayCall(role, rpc)) names.push_back(RoleName(role));
  }
  return absl::StrJoin(names, " or ");
}

}  // namespace sasq
