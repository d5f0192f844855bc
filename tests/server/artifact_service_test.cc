// Every `Errors:` line of sasq.v1.ArtifactService, and resumed downloads.
#include <fstream>

#include "common/sha256.h"
#include "common/uid.h"
#include "tests/server/server_fixture.h"

namespace sasq {
namespace {

class ArtifactServiceTest : public ServerFixture {
 protected:
  // The artifact of a job whose first file is several messages long.
  v1::Artifact Publish() {
    const dispatch::v1::Task task = SubmitAndLease();
    dispatch::v1::CompleteTaskRequest success = SuccessOf(task, "a");
    content_.clear();
    for (int i = 0; content_.size() < 700'000; ++i) content_ += absl::StrCat(i, " ");
    success.mutable_succeeded()->mutable_files(0)->set_content(content_);
    EXPECT_TRUE(Complete(success).ok());
    const absl::StatusOr<v1::Artifact> artifact = GetArtifact(task.job());
    EXPECT_TRUE(artifact.ok()) << artifact.status();
    return artifact.ok() ? *artifact : v1::Artifact();
  }

  std::string content_;
};

TEST_F(ArtifactServiceTest, GetArtifactErrors) {
  ExpectError(GetArtifact("x").status(), absl::StatusCode::kInvalidArgument, "INVALID_NAME");
  ExpectError(GetArtifact("artifacts/" + NewUid()).status(), absl::StatusCode::kNotFound,
              "ARTIFACT_NOT_FOUND");
  ExpectError(GetArtifact("jobs/" + NewUid()).status(), absl::StatusCode::kNotFound,
              "JOB_NOT_FOUND");
  ExpectError(GetArtifact(Submit().name()).status(), absl::StatusCode::kFailedPrecondition,
              "JOB_NOT_SUCCEEDED");
}

TEST_F(ArtifactServiceTest, DownloadBlobErrors) {
  const v1::Blob blob = Publish().blobs(0);
  std::string bytes;
  ExpectError(Download("ABC", 0, &bytes), absl::StatusCode::kInvalidArgument, "INVALID_DIGEST");
  ExpectError(Download("../" + std::string(61, 'a'), 0, &bytes), absl::StatusCode::kInvalidArgument,
              "INVALID_DIGEST");
  ExpectError(Download(Sha256Hex("unknown"), 0, &bytes), absl::StatusCode::kNotFound,
              "BLOB_NOT_FOUND");
  ExpectError(Download(blob.sha256(), -1, &bytes), absl::StatusCode::kOutOfRange,
              "OFFSET_OUT_OF_RANGE");
  ExpectError(Download(blob.sha256(), blob.size_bytes() + 1, &bytes), absl::StatusCode::kOutOfRange,
              "OFFSET_OUT_OF_RANGE");

  const std::string path =
      options_.data_folder + "/blobs/" + blob.sha256().substr(0, 2) + "/" + blob.sha256();
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  ASSERT_TRUE(file.good());
  file.seekp(blob.size_bytes() - 1);
  file.put('X');
  file.close();
  ExpectError(Download(blob.sha256(), 0, &bytes), absl::StatusCode::kDataLoss, "BLOB_DAMAGED");
  EXPECT_EQ(bytes, "") << "nothing is sent";
}

TEST_F(ArtifactServiceTest, DownloadResumesFromAnyOffset) {
  const v1::Artifact artifact = Publish();
  ASSERT_EQ(artifact.blobs_size(), 4);
  EXPECT_EQ(artifact.blobs(0).size_bytes(), static_cast<int64_t>(content_.size()));
  for (int64_t offset : {int64_t{0}, int64_t{1}, int64_t{262'144}, int64_t{699'999},
                         artifact.blobs(0).size_bytes()}) {
    std::string bytes;
    ASSERT_TRUE(Download(artifact.blobs(0).sha256(), offset, &bytes).ok());
    EXPECT_EQ(bytes, content_.substr(static_cast<size_t>(offset)));
  }
  EXPECT_EQ(Sha256Hex(content_), artifact.blobs(0).sha256());
}

TEST_F(ArtifactServiceTest, ArtifactsSurviveARestart) {
  const v1::Artifact artifact = Publish();
  server_.reset();
  StartServer();
  std::string bytes;
  EXPECT_TRUE(Download(GetArtifact(artifact.name())->blobs(0).sha256(), 0, &bytes).ok());
  EXPECT_EQ(bytes, content_);
}

}  // namespace
}  // namespace sasq
