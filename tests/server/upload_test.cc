// Uploads: every `Errors:` line of FindMissingBlobs and UploadBlob, going on after a break, jobs
// made of uploads, and what becomes of those that no job uses.
#include <filesystem>
#include <fstream>

#include "common/sha256.h"
#include "server/blob_keeper.h"
#include "server/folder_blob_store.h"
#include "server/sqlite_job_store.h"
#include "tests/server/server_fixture.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

class UploadTest : public ServerFixture {
 protected:
  UploadTest() {
    for (int i = 0; content_.size() < 3'000'000; ++i) absl::StrAppend(&content_, i, " ");
    sha256_ = Sha256Hex(content_);
    options_.clock = &clock_;
  }

  absl::StatusOr<v1::FindMissingBlobsResponse> Find(const std::vector<std::string>& digests) {
    v1::FindMissingBlobsRequest request;
    for (const std::string& digest : digests) request.add_sha256(digest);
    v1::FindMissingBlobsResponse response;
    const absl::Status status =
        FromGrpcStatus(artifacts_->FindMissingBlobs(Context().get(), request, &response));
    if (!status.ok()) return status;
    return response;
  }

  // Bytes that the service has of a blob that is missing; -1 if it is there.
  int64_t Received(const std::string& digest) {
    const auto found = Find({digest});
    EXPECT_TRUE(found.ok()) << found.status();
    return found->missing_size() == 0 ? -1 : found->missing(0).received_bytes();
  }

  v1::UploadStart Start(int64_t offset = 0) {
    v1::UploadStart start;
    start.set_sha256(sha256_);
    start.set_size_bytes(static_cast<int64_t>(content_.size()));
    start.set_offset(offset);
    return start;
  }

  // Sends messages until the service has enough of them.
  absl::Status Send(const std::vector<v1::UploadBlobRequest>& messages) {
    const auto context = Context();
    v1::UploadBlobResponse response;
    auto writer = artifacts_->UploadBlob(context.get(), &response);
    for (const v1::UploadBlobRequest& message : messages) {
      if (!writer->Write(message)) break;
    }
    writer->WritesDone();
    return FromGrpcStatus(writer->Finish());
  }

  // `start` and then `bytes` in pieces.
  absl::Status Upload(const v1::UploadStart& start, absl::string_view bytes) {
    std::vector<v1::UploadBlobRequest> messages(1);
    *messages[0].mutable_start() = start;
    while (!bytes.empty()) {
      messages.emplace_back().set_data(std::string(bytes.substr(0, 300'000)));
      bytes.remove_prefix(messages.back().data().size());
    }
    return Send(messages);
  }

  absl::Status UploadAll() { return Upload(Start(), content_); }

  absl::Status TryDownload(const std::string& digest) {
    std::string bytes;
    return Download(digest, 0, &bytes);
  }

  v1::JobSpec SpecOfUpload() {
    v1::JobSpec spec = MinimalSpec();
    spec.mutable_training_text()->set_uri("upload:text");
    v1::UploadedFile& file = *spec.mutable_training_text()->mutable_file();
    file.set_path("text");
    file.set_sha256(sha256_);
    file.set_size_bytes(static_cast<int64_t>(content_.size()));
    return spec;
  }

  absl::Status TrySubmit(const v1::JobSpec& spec, bool validate_only = false) {
    v1::SubmitJobRequest request;
    *request.mutable_spec() = spec;
    request.set_validate_only(validate_only);
    v1::SubmitJobResponse response;
    return SubmitWith(request, &response);
  }

  void Restart() {
    server_.reset();
    StartServer();
  }

  ManualClock clock_{absl::Now()};
  std::string content_;
  std::string sha256_;
};

TEST_F(UploadTest, UploadsWhatIsMissing) {
  EXPECT_EQ(Received(sha256_), 0);
  ASSERT_TRUE(UploadAll().ok());
  EXPECT_EQ(Received(sha256_), -1);
  std::string bytes;
  ASSERT_TRUE(Download(sha256_, 0, &bytes).ok());
  EXPECT_EQ(bytes, content_);
  const auto found = Find({Sha256Hex("a"), sha256_, Sha256Hex("b")});
  ASSERT_EQ(found->missing_size(), 2);
  EXPECT_EQ(found->missing(0).sha256(), Sha256Hex("a"));
}

TEST_F(UploadTest, WhatIsThereIsNotSentAgain) {
  ASSERT_TRUE(UploadAll().ok());
  EXPECT_TRUE(Upload(Start(), "").ok());
  EXPECT_TRUE(UploadAll().ok());
}

TEST_F(UploadTest, AnEmptyFileIsABlob) {
  v1::UploadStart start;
  start.set_sha256(Sha256Hex(""));
  EXPECT_TRUE(Upload(start, "").ok());
  EXPECT_EQ(Received(Sha256Hex("")), -1);
}

TEST_F(UploadTest, GoesOnAfterABreakAndARestart) {
  ExpectError(Upload(Start(), absl::string_view(content_).substr(0, 1'000'000)),
              absl::StatusCode::kFailedPrecondition, "UPLOAD_INCOMPLETE");
  Restart();
  EXPECT_EQ(Received(sha256_), 1'000'000);
  ASSERT_TRUE(Upload(Start(1'000'000), absl::string_view(content_).substr(1'000'000)).ok());
  std::string bytes;
  ASSERT_TRUE(Download(sha256_, 0, &bytes).ok());
  EXPECT_EQ(bytes, content_);
}

TEST_F(UploadTest, FindMissingBlobsErrors) {
  ExpectError(Find({"ABC"}).status(), absl::StatusCode::kInvalidArgument, "INVALID_DIGEST");
  ExpectError(Find(std::vector<std::string>(4097, sha256_)).status(),
              absl::StatusCode::kInvalidArgument, "INVALID_REQUEST");
}

TEST_F(UploadTest, UploadBlobErrorsOfTheFirstMessage) {
  v1::UploadStart start = Start();
  start.set_sha256("../" + std::string(61, 'a'));
  ExpectError(Upload(start, ""), absl::StatusCode::kInvalidArgument, "INVALID_DIGEST");
  start = Start();
  start.set_size_bytes(-1);
  ExpectError(Upload(start, ""), absl::StatusCode::kInvalidArgument, "INVALID_REQUEST");
  start.set_size_bytes((int64_t{1} << 36) + 1);
  ExpectError(Upload(start, ""), absl::StatusCode::kInvalidArgument, "INVALID_REQUEST");
  ExpectError(Upload(Start(7), content_), absl::StatusCode::kFailedPrecondition, "OFFSET_MISMATCH");
  ExpectError(Send({}), absl::StatusCode::kInvalidArgument, "INVALID_REQUEST");
  v1::UploadBlobRequest without_start;
  without_start.set_data("x");
  ExpectError(Send({without_start}), absl::StatusCode::kInvalidArgument, "INVALID_REQUEST");
}

TEST_F(UploadTest, UploadBlobErrorsOfLaterMessages) {
  v1::UploadBlobRequest first;
  *first.mutable_start() = Start();
  ExpectError(Send({first, first}), absl::StatusCode::kInvalidArgument, "INVALID_REQUEST");
  v1::UploadBlobRequest large;
  large.set_data(std::string((1 << 20) + 1, 'x'));
  ExpectError(Send({first, large}), absl::StatusCode::kInvalidArgument, "INVALID_REQUEST");
  ExpectError(Upload(Start(), content_ + "more"), absl::StatusCode::kInvalidArgument,
              "INVALID_REQUEST");
}

TEST_F(UploadTest, WrongBytesAreDropped) {
  ExpectError(Upload(Start(), std::string(content_.size(), 'x')),
              absl::StatusCode::kInvalidArgument, "DIGEST_MISMATCH");
  EXPECT_EQ(Received(sha256_), 0);
  EXPECT_TRUE(UploadAll().ok());
}

TEST_F(UploadTest, OneUploadsAtATime) {
  const auto context = Context();
  v1::UploadBlobResponse response;
  auto writer = artifacts_->UploadBlob(context.get(), &response);
  v1::UploadBlobRequest message;
  *message.mutable_start() = Start();
  message.set_data(content_.substr(0, 1000));
  ASSERT_TRUE(writer->Write(message));
  while (Received(sha256_) != 1000) {
  }
  ExpectError(Upload(Start(1000), content_), absl::StatusCode::kUnavailable, "UPLOAD_IN_PROGRESS");
  writer->WritesDone();
  ExpectError(FromGrpcStatus(writer->Finish()), absl::StatusCode::kFailedPrecondition,
              "UPLOAD_INCOMPLETE");
}

TEST_F(UploadTest, BlobsHaveALimit) {
  options_.blobs.max_blob_bytes = 2'999'999;
  Restart();
  ExpectError(UploadAll(), absl::StatusCode::kResourceExhausted, "STORAGE_FULL");
  options_.blobs.max_blob_bytes = 4'000'000;
  Restart();
  EXPECT_TRUE(UploadAll().ok());
}

TEST_F(UploadTest, JobsAreMadeOfUploads) {
  ExpectError(TrySubmit(SpecOfUpload()), absl::StatusCode::kFailedPrecondition, "BLOB_MISSING");
  EXPECT_TRUE(TrySubmit(SpecOfUpload(), /*validate_only=*/true).ok()) << "a plan needs no upload";
  ASSERT_TRUE(UploadAll().ok());
  v1::JobSpec wrong = SpecOfUpload();
  wrong.mutable_training_text()->mutable_file()->set_size_bytes(5);
  ExpectError(TrySubmit(wrong), absl::StatusCode::kInvalidArgument, "INVALID_SPEC");
  EXPECT_TRUE(TrySubmit(SpecOfUpload()).ok());
}

TEST_F(UploadTest, AnUploadStaysWhileAJobNamesIt) {
  ASSERT_TRUE(UploadAll().ok());
  v1::UploadStart unused;
  unused.set_sha256(Sha256Hex("unused"));
  unused.set_size_bytes(6);
  ASSERT_TRUE(Upload(unused, "unused").ok());
  const v1::Job job = Submit(SpecOfUpload());
  clock_.Advance(absl::Hours(25));
  Restart();
  while (TryDownload(unused.sha256()).ok()) {  // until it is collected
  }
  EXPECT_TRUE(TryDownload(sha256_).ok());
  ASSERT_TRUE(Cancel(job.name()).ok());
  ASSERT_TRUE(Delete(job.name()).ok());
  ExpectError(TryDownload(sha256_), absl::StatusCode::kNotFound, "BLOB_NOT_FOUND");
}

TEST_F(UploadTest, AModelThatWasUploadedIsPlanned) {
  content_ = R"({"architectures": ["MambaForCausalLM"], "model_type": "mamba"})";
  sha256_ = Sha256Hex(content_);
  ASSERT_TRUE(UploadAll().ok());
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_model()->set_uri("upload:model");
  *spec.mutable_model()->add_files() = SpecOfUpload().training_text().file();
  spec.mutable_model()->mutable_files(0)->set_path("config.json");
  const absl::Status status = TrySubmit(spec);
  ExpectError(status, absl::StatusCode::kInvalidArgument, "INVALID_SPEC");
  EXPECT_NE(status.message().find("MambaForCausalLM"), absl::string_view::npos);
}

TEST_F(UploadTest, FilesOutsideOfTheRootsAreRefused) {
  options_.roots = *AllowedRoots::Create({"/srv/sasq"});
  Restart();
  const absl::Status status = TrySubmit(MinimalSpec());
  ExpectError(status, absl::StatusCode::kInvalidArgument, "INVALID_SPEC");
  EXPECT_EQ(FieldViolationsOf(status).size(), 3u) << status;
}

// The store and the keeper without a server: time is what the test says.
class UploadRetentionTest : public testing::Test {
 protected:
  UploadRetentionTest()
      : jobs_(*SqliteJobStore::Create({.path = folder_.path() + "/jobs.sqlite"})),
        blobs_(*FolderBlobStore::Create(folder_.path() + "/blobs")),
        keeper_(*blobs_, *jobs_, metrics_, {.upload_retention = absl::Hours(24)}) {}

  void Upload(const std::string& content, size_t bytes) {
    auto upload =
        keeper_.BeginUpload(who_, Sha256Hex(content), static_cast<int64_t>(content.size()), now_);
    ASSERT_TRUE(upload.ok() && *upload != nullptr) << upload.status();
    ASSERT_TRUE((*upload)->Append(content.substr(0, bytes)).ok());
    if (bytes < content.size()) return;
    ASSERT_TRUE(keeper_.FinishUpload(who_, Sha256Hex(content), **upload, now_).ok());
  }
  bool Has(const std::string& content) { return blobs_->SizeOf(Sha256Hex(content))->has_value(); }

  const Principal who_;
  TemporaryFolder folder_;
  const absl::Time now_ = absl::Now();
  MetricRegistry registry_;
  ServerMetrics metrics_{registry_};
  std::unique_ptr<SqliteJobStore> jobs_;
  std::unique_ptr<FolderBlobStore> blobs_;
  BlobKeeper keeper_;
};

TEST_F(UploadRetentionTest, UnusedUploadsGoAfterTheirTime) {
  Upload("whole", 5);
  Upload("partial", 3);
  EXPECT_EQ(blobs_->size_bytes(), 8);
  ASSERT_TRUE(keeper_.RemoveOrphans().ok());
  ASSERT_TRUE(keeper_.RemoveExpiredUploads(now_ + absl::Hours(23)).ok());
  EXPECT_TRUE(Has("whole"));
  EXPECT_EQ(blobs_->UploadedBytes(Sha256Hex("partial")), 3);
  ASSERT_TRUE(keeper_.RemoveExpiredUploads(now_ + absl::Hours(25)).ok());
  EXPECT_FALSE(Has("whole"));
  EXPECT_EQ(blobs_->UploadedBytes(Sha256Hex("partial")), 0);
  EXPECT_EQ(blobs_->size_bytes(), 0);
}

TEST_F(UploadRetentionTest, AskingForAnUploadKeepsIt) {
  Upload("whole", 5);
  EXPECT_TRUE(keeper_.FindMissing(who_, {Sha256Hex("whole")}, now_ + absl::Hours(20))->empty());
  ASSERT_TRUE(keeper_.RemoveExpiredUploads(now_ + absl::Hours(40)).ok());
  EXPECT_TRUE(Has("whole"));
  ASSERT_TRUE(keeper_.RemoveExpiredUploads(now_ + absl::Hours(45)).ok());
  EXPECT_FALSE(Has("whole"));
}

TEST_F(UploadRetentionTest, ALargeBlobIsCheckedAgainAfterItChanged) {
  const std::string content(64 << 20, 'x');
  Upload(content, content.size());
  const std::string digest = Sha256Hex(content);
  EXPECT_TRUE(blobs_->Open(digest).ok());
  EXPECT_TRUE(blobs_->Open(digest).ok());
  const std::string path = folder_.path() + "/blobs/" + digest.substr(0, 2) + "/" + digest;
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.put('y');
  }
  std::filesystem::last_write_time(path,
                                   std::filesystem::last_write_time(path) + std::chrono::hours(1));
  EXPECT_TRUE(absl::IsDataLoss(blobs_->Open(digest).status()));
}

}  // namespace
}  // namespace sasq
