// What callers of one tenant meet of another one's: nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/sha256.h"
#include "tests/server/coordinator_fixture.h"

namespace sasq {
namespace {

using server::v1::ROLE_ADMIN;
using server::v1::ROLE_SUBMITTER;
using server::v1::ROLE_WORKER;

class TenantTest : public CoordinatorFixture {
 protected:
  CallersCoordinator As(const std::string& tenant, Role role = ROLE_SUBMITTER) {
    return {*whole_coordinator_, Principal{"0123456789abcdef", tenant, role}};
  }

  static std::string SubmitAs(CallersCoordinator caller, const v1::JobSpec& spec = MinimalSpec(),
                              const std::string& request_id = "") {
    v1::SubmitJobRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id(request_id);
    const auto response = caller.SubmitJob(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->job().name() : "";
  }

  static std::vector<std::string> NamesOf(CallersCoordinator caller) {
    std::vector<std::string> names;
    const absl::StatusOr<v1::ListJobsResponse> response = caller.ListJobs({});
    EXPECT_TRUE(response.ok()) << response.status();
    for (const v1::Job& job : response->jobs()) names.push_back(job.name());
    return names;
  }

  static v1::UploadStart StartOf(const std::string& content) {
    v1::UploadStart start;
    start.set_sha256(Sha256Hex(content));
    start.set_size_bytes(static_cast<int64_t>(content.size()));
    return start;
  }

  static absl::Status Upload(CallersCoordinator caller, const v1::UploadStart& start,
                             const std::string& content) {
    absl::StatusOr<std::unique_ptr<BlobUpload>> upload = caller.BeginUpload(start);
    if (!upload.ok()) return upload.status();
    EXPECT_NE(*upload, nullptr) << "the service says that it has the blob";
    if (*upload == nullptr) return absl::OkStatus();
    EXPECT_TRUE((*upload)->Append(content).ok());
    return caller.FinishUpload(start, **upload);
  }

  static bool Misses(CallersCoordinator caller, const std::string& content) {
    v1::FindMissingBlobsRequest request;
    request.add_sha256(Sha256Hex(content));
    return caller.FindMissingBlobs(request)->missing_size() == 1;
  }

  static v1::JobSpec SpecWithModel(const std::string& content) {
    v1::JobSpec spec = MinimalSpec();
    spec.mutable_model()->set_uri("upload:model");
    for (const char* path : {"model.safetensors", "config.json", "tokenizer.json"}) {
      v1::UploadedFile* file = spec.mutable_model()->add_files();
      file->set_path(path);
      file->set_sha256(Sha256Hex(content));
      file->set_size_bytes(static_cast<int64_t>(content.size()));
    }
    return spec;
  }
};

TEST_F(TenantTest, JobsOfOthersAreNotThere) {
  const std::string job = SubmitAs(As("acme"));
  EXPECT_EQ(As("acme").GetJob(job)->tenant(), "acme");
  for (CallersCoordinator other : {As("other"), As("")}) {
    EXPECT_EQ(ReasonOf(other.GetJob(job).status()), "JOB_NOT_FOUND");
    EXPECT_EQ(ReasonOf(other.CancelJob(job).status()), "JOB_NOT_FOUND");
    EXPECT_EQ(ReasonOf(other.DeleteJob(job)), "JOB_NOT_FOUND");
    EXPECT_EQ(ReasonOf(other.ReadJobLog(job, 0, 100).status()), "JOB_NOT_FOUND");
    EXPECT_EQ(ReasonOf(other.GetArtifact(job).status()), "JOB_NOT_FOUND");
    EXPECT_EQ(ReasonOf(other.GetBestScales(job).status()), "JOB_NOT_FOUND");
    EXPECT_THAT(NamesOf(other), testing::IsEmpty());
  }
  const std::string none = "jobs/00000000000000000000000000000000";
  EXPECT_EQ(As("other").GetJob(none).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Get(job).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(TenantTest, AdminsSeeAll) {
  const std::string first = SubmitAs(As("acme"));
  const std::string second = SubmitAs(As("other"));
  EXPECT_THAT(NamesOf(As("acme")), testing::ElementsAre(first));
  EXPECT_THAT(NamesOf(As("ops", ROLE_ADMIN)), testing::ElementsAre(second, first));
  EXPECT_TRUE(As("ops", ROLE_ADMIN).CancelJob(first).ok());
  EXPECT_TRUE(As("ops", ROLE_ADMIN).DeleteJob(first).ok());
}

TEST_F(TenantTest, RequestIdsAreOfATenant) {
  const std::string first = SubmitAs(As("acme"), MinimalSpec(), "same");
  EXPECT_EQ(SubmitAs(As("acme"), MinimalSpec(), "same"), first);
  EXPECT_NE(SubmitAs(As("other"), MinimalSpec(), "same"), first);
}

TEST_F(TenantTest, ArtifactsAndTheirBlobsAreOfTheJobsTenant) {
  const std::string job = SubmitAs(As("acme"));
  Register("worker-1");
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(Lease("worker-1"), "a")).ok());
  const v1::Artifact artifact = *As("acme").GetArtifact(job);
  const std::string blob = artifact.blobs(0).sha256();
  EXPECT_TRUE(As("acme").GetArtifact(artifact.name()).ok());
  EXPECT_TRUE(As("acme").OpenBlob(blob).ok());
  EXPECT_TRUE(As("ops", ROLE_ADMIN).OpenBlob(blob).ok());
  EXPECT_EQ(ReasonOf(As("other").GetArtifact(artifact.name()).status()), "ARTIFACT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(As("other").GetArtifact(job).status()), "JOB_NOT_FOUND");
  EXPECT_EQ(ReasonOf(As("other").OpenBlob(blob).status()), "BLOB_NOT_FOUND");
  EXPECT_EQ(ReasonOf(As("acme", ROLE_WORKER).OpenBlob(blob).status()), "BLOB_NOT_FOUND");
}

TEST_F(TenantTest, WorkersDoNotTellOfOthersJobs) {
  const std::string job = SubmitAs(As("acme"));
  Register("worker-1");
  Lease("worker-1");
  EXPECT_EQ(As("acme").ListWorkers().workers(0).job(), job);
  EXPECT_EQ(As("other").ListWorkers().workers(0).job(), "");
  EXPECT_EQ(As("ops", ROLE_ADMIN).ListWorkers().workers(0).job(), job);
}

TEST_F(TenantTest, WhoNamesADigestDoesNotGetTheBlob) {
  const std::string content = "weights";
  ASSERT_TRUE(Upload(As("acme"), StartOf(content), content).ok());
  EXPECT_FALSE(Misses(As("acme"), content));
  EXPECT_TRUE(As("acme").OpenBlob(Sha256Hex(content)).ok());

  EXPECT_TRUE(Misses(As("other"), content));
  EXPECT_EQ(ReasonOf(As("other").OpenBlob(Sha256Hex(content)).status()), "BLOB_NOT_FOUND");
  v1::SubmitJobRequest request;
  *request.mutable_spec() = SpecWithModel(content);
  EXPECT_EQ(ReasonOf(As("other").SubmitJob(request).status()), "BLOB_MISSING");
  EXPECT_EQ(ReasonOf(Upload(As("other"), StartOf(content), "WEIGHTS")), "DIGEST_MISMATCH");
  EXPECT_EQ(ReasonOf(As("other").OpenBlob(Sha256Hex(content)).status()), "BLOB_NOT_FOUND");

  ASSERT_TRUE(Upload(As("other"), StartOf(content), content).ok()) << "who has the bytes does";
  EXPECT_TRUE(As("other").OpenBlob(Sha256Hex(content)).ok());
  EXPECT_EQ(keeper_->size_bytes(), static_cast<int64_t>(content.size())) << "kept once";
}

TEST_F(TenantTest, WorkersReadTheInputsOfTheirOwnJob) {
  const std::string content = "weights";
  const std::string digest = Sha256Hex(content);
  ASSERT_TRUE(Upload(As("acme"), StartOf(content), content).ok());
  SubmitAs(As("acme"), SpecWithModel(content));
  Register("worker-1");
  const dispatch::v1::Task task = Lease("worker-1");
  CallersCoordinator worker = As("fleet", ROLE_WORKER);
  EXPECT_TRUE(worker.OpenBlob(digest, task).ok());
  dispatch::v1::Task guess = task;
  guess.set_lease_token("00000000000000000000000000000000");
  for (const dispatch::v1::Task& wrong : {dispatch::v1::Task(), guess}) {
    EXPECT_EQ(ReasonOf(worker.OpenBlob(digest, wrong).status()), "BLOB_NOT_FOUND");
  }
  EXPECT_EQ(ReasonOf(worker.OpenBlob(Sha256Hex("else"), task).status()), "BLOB_NOT_FOUND");
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok());
  EXPECT_EQ(ReasonOf(worker.OpenBlob(digest, task).status()), "BLOB_NOT_FOUND") << "lease is over";
}

}  // namespace
}  // namespace sasq
