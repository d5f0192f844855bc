#include "server/access/rpc_rules.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "sasq/v1/artifact_service.pb.h"
#include "sasq/v1/quantization_service.pb.h"

namespace sasq {
namespace {

// The methods of the contract, such as `sasq.v1.QuantizationService/GetJob`.
std::set<std::string> Methods() {
  std::set<std::string> methods;
  for (const google::protobuf::FileDescriptor* file :
       {v1::SubmitJobRequest::descriptor()->file(), v1::Artifact::descriptor()->file(),
        dispatch::v1::Task::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        methods.insert(
            absl::StrCat(file->service(i)->full_name(), "/", file->service(i)->method(j)->name()));
      }
    }
  }
  return methods;
}

// The table of docs/security.md, written out once more: v(iewer), s(ubmitter), w(orker), a(dmin).
const std::map<std::string, std::string> kRoles = {
    {"sasq.v1.QuantizationService/SubmitJob", "sa"},
    {"sasq.v1.QuantizationService/GetJob", "vsa"},
    {"sasq.v1.QuantizationService/ListJobs", "vsa"},
    {"sasq.v1.QuantizationService/CancelJob", "sa"},
    {"sasq.v1.QuantizationService/DeleteJob", "sa"},
    {"sasq.v1.QuantizationService/WatchJob", "vsa"},
    {"sasq.v1.QuantizationService/ReadJobLog", "vsa"},
    {"sasq.v1.QuantizationService/ListWorkers", "vsa"},
    {"sasq.v1.ArtifactService/GetArtifact", "vsa"},
    {"sasq.v1.ArtifactService/GetBestScales", "vsa"},
    {"sasq.v1.ArtifactService/DownloadBlob", "vswa"},
    {"sasq.v1.ArtifactService/FindMissingBlobs", "sa"},
    {"sasq.v1.ArtifactService/UploadBlob", "sa"},
    {"sasq.dispatch.v1.DispatchService/RegisterWorker", "w"},
    {"sasq.dispatch.v1.DispatchService/LeaseTask", "w"},
    {"sasq.dispatch.v1.DispatchService/Heartbeat", "w"},
    {"sasq.dispatch.v1.DispatchService/CompleteTask", "w"},
};

TEST(RpcRulesTest, EveryMethodHasOneRule) {
  std::set<std::string> ruled;
  for (const RpcRule& rule : RpcRules()) {
    EXPECT_EQ(&RuleOf(rule.rpc), &rule) << rule.method;
    EXPECT_TRUE(ruled.insert(std::string(rule.method)).second) << rule.method;
  }
  EXPECT_EQ(ruled, Methods());
}

TEST(RpcRulesTest, RolesAreThoseOfTheTable) {
  const std::map<Role, char> letters = {{server::v1::ROLE_VIEWER, 'v'},
                                        {server::v1::ROLE_SUBMITTER, 's'},
                                        {server::v1::ROLE_WORKER, 'w'},
                                        {server::v1::ROLE_ADMIN, 'a'}};
  for (const RpcRule& rule : RpcRules()) {
    const std::string& roles = kRoles.at(std::string(rule.method));
    for (const auto& [role, letter] : letters) {
      EXPECT_EQ(MayCall(role, rule.rpc), roles.find(letter) != std::string::npos)
          << rule.method << " " << RoleName(role);
    }
    EXPECT_FALSE(MayCall(server::v1::ROLE_UNSPECIFIED, rule.rpc)) << rule.method;
  }
}

TEST(RpcRulesTest, NamesRoles) {
  EXPECT_EQ(RolesText(Rpc::kCancelJob), "submitter or admin");
  EXPECT_EQ(*ParseRole("worker"), server::v1::ROLE_WORKER);
  for (const char* name : {"", "Worker", "unspecified", "root"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseRole(name).status())) << name;
  }
}

}  // namespace
}  // namespace sasq
