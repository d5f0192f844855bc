#include "server/s3_blob_store.h"

#include "tests/server/blob_store_conformance.h"
#include "tests/server/s3_server.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

// One server for all tests.
const S3Server& Server() {
  static const S3Server server;
  return server;
}

class S3Place final : public BlobStorePlace {
 public:
  S3Place() { Server().MakeBucket(bucket_); }

  S3BlobStore::Options Options(const std::string& folder = "first") const {
    S3BlobStore::Options options;
    options.url = absl::StrCat("s3://", bucket_, "/a prefix/of blobs");
    options.folder = absl::StrCat(folder_.path(), "/", folder);
    options.s3 = Server().options();
    options.part_bytes = 5 << 20;
    options.retries.initial = absl::Milliseconds(1);
    return options;
  }

  std::unique_ptr<BlobStore> Open() override {
    auto store = S3BlobStore::Create(Options());
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  void Overwrite(const std::string& sha256, const std::string& bytes) override {
    Retrier retrier({}, *Pause::Real(), [](absl::string_view) {});
    const absl::StatusOr<bool> written =
        Bucket().Put("a prefix/of blobs/" + sha256, bytes, 5 << 20, false, retrier, {});
    EXPECT_TRUE(written.ok()) << written.status();
  }

  S3Bucket Bucket() const { return S3Bucket(Server().options(), bucket_, {}); }

 private:
  const std::string bucket_ = "bucket-" + NewUid();
  TemporaryFolder folder_;
};

std::unique_ptr<BlobStorePlace> MakePlace() { return std::make_unique<S3Place>(); }

INSTANTIATE_TEST_SUITE_P(S3, BlobStoreConformance, testing::Values(&MakePlace));

class S3BlobStoreTest : public testing::Test {
 protected:
  std::unique_ptr<S3BlobStore> Open(const std::string& folder) {
    auto store = S3BlobStore::Create(place_.Options(folder));
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  S3Place place_;
  Retrier retrier_{{}, *Pause::Real(), [](absl::string_view) {}};
};

TEST_F(S3BlobStoreTest, TwoCoordinatorsSeeOneAnothersBlobs) {
  const auto first = Open("first");
  const auto second = Open("second");
  const std::string sha256 = *first->Put("shared");
  EXPECT_EQ(*(*second->Open(sha256))->Read(0, 10), "shared");
  EXPECT_EQ(*second->SizeOf(sha256), 6);
  ASSERT_TRUE(second->Delete(sha256).ok());
  EXPECT_TRUE(absl::IsNotFound(first->Open(sha256).status())) << "although it has a checked copy";
}

TEST_F(S3BlobStoreTest, CountsWhatOthersWroteAfterAWhile) {
  const auto first = Open("first");
  const auto second = Open("second");
  ASSERT_TRUE(first->Put("twelve bytes").ok());
  EXPECT_EQ(second->size_bytes(), 0);
  ASSERT_TRUE(second->RemoveUploads(absl::Now() - absl::Hours(24)).ok());
  EXPECT_EQ(second->size_bytes(), 12);
}

TEST_F(S3BlobStoreTest, KeepsAwayFromOtherObjects) {
  const S3Bucket bucket = place_.Bucket();
  ASSERT_TRUE(bucket.Put("a prefix/of blobs/README", "text", 5 << 20, true, retrier_, {}).ok());
  ASSERT_TRUE(bucket.Put(Sha256Hex("x"), "x", 5 << 20, true, retrier_, {}).ok());
  const auto store = Open("first");
  EXPECT_EQ(store->size_bytes(), 0);
  EXPECT_THAT(*store->List(), testing::IsEmpty());
}

TEST_F(S3BlobStoreTest, ConditionalPutChangesNothing) {
  const S3Bucket bucket = place_.Bucket();
  EXPECT_TRUE(*bucket.Put("key", "old", 5 << 20, true, retrier_, {}));
  EXPECT_FALSE(*bucket.Put("key", "new!", 5 << 20, true, retrier_, {}));
  EXPECT_EQ((*bucket.Find("key", retrier_, {}))->size_bytes, 3);
  EXPECT_TRUE(*bucket.Put("key", "new!", 5 << 20, false, retrier_, {}));
  EXPECT_EQ((*bucket.Find("key", retrier_, {}))->size_bytes, 4);
}

TEST_F(S3BlobStoreTest, SaysWhatIsWrongWithItsPlace) {
  S3BlobStore::Options options = place_.Options();
  options.url = "s3://no-such-bucket";
  absl::Status status = S3BlobStore::Create(options).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("make the bucket of s3://no-such"));
  for (const std::string url : {"s3://", "s3:/bucket", "hf:org/name", "folder"}) {
    options.url = url;
    status = S3BlobStore::Create(options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  }
  options = place_.Options();
  options.s3.endpoint = "127.0.0.1:1";
  EXPECT_TRUE(absl::IsInvalidArgument(S3BlobStore::Create(options).status()));
}

TEST_F(S3BlobStoreTest, GivesUpOnAStoreThatIsAway) {
  S3BlobStore::Options options = place_.Options();
  options.s3.endpoint = "http://127.0.0.1:1";
  const absl::Status status = S3BlobStore::Create(options).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(ReasonOf(status), "STORE_UNAVAILABLE");
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("gave up after 6 tries"));
}

}  // namespace
}  // namespace sasq
