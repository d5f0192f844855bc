#include "tests/server/blob_store_conformance.h"

#include <thread>
#include <vector>

namespace sasq {

TEST_P(BlobStoreConformance, GivesBackWhatWasPut) {
  const std::string content("some bytes\0and more", 19);
  const absl::StatusOr<std::string> sha256 = store_->Put(content);
  ASSERT_TRUE(sha256.ok()) << sha256.status();
  EXPECT_EQ(*sha256, Sha256Hex(content));
  Reopen();
  const auto reader = store_->Open(*sha256);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto size = static_cast<int64_t>(content.size());
  EXPECT_EQ((*reader)->size_bytes(), size);
  for (int64_t offset = 0; offset <= size; ++offset) {
    EXPECT_EQ(*(*reader)->Read(offset, 3), content.substr(offset, 3));
  }
  EXPECT_EQ(*(*reader)->Read(0, 1000), content);
  EXPECT_EQ(*store_->SizeOf(*sha256), size);
}

TEST_P(BlobStoreConformance, KeepsEqualBytesOnce) {
  const std::string sha256 = *store_->Put("same");
  EXPECT_EQ(*store_->Put("same"), sha256);
  EXPECT_EQ(store_->size_bytes(), 4);
  EXPECT_THAT(*store_->List(), testing::ElementsAre(sha256));
  Reopen();
  EXPECT_EQ(store_->size_bytes(), 4);
}

TEST_P(BlobStoreConformance, KeepsAnEmptyBlob) {
  const std::string sha256 = *store_->Put("");
  const auto reader = store_->Open(sha256);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->size_bytes(), 0);
  EXPECT_EQ(*store_->SizeOf(sha256), 0);
}

TEST_P(BlobStoreConformance, MissingBlobIsNotFound) {
  const std::string sha256 = Sha256Hex("nothing");
  ExpectReason(store_->Open(sha256).status(), absl::StatusCode::kNotFound, "BLOB_NOT_FOUND");
  EXPECT_EQ(*store_->SizeOf(sha256), std::nullopt);
  EXPECT_EQ(store_->UploadedBytes(sha256), 0);
  EXPECT_TRUE(store_->Delete(sha256).ok());
}

TEST_P(BlobStoreConformance, DamageIsDataLossBeforeAnyByteIsRead) {
  const std::string content = "scales";
  const std::string sha256 = *store_->Put(content);
  ASSERT_TRUE(store_->Open(sha256).ok());
  for (const std::string& stored :
       {std::string("scalez"), std::string("scale"), std::string("scales "), std::string()}) {
    place_->Overwrite(sha256, stored);
    ExpectReason(store_->Open(sha256).status(), absl::StatusCode::kDataLoss, "BLOB_DAMAGED");
  }
  // A new copy of the same bytes heals it.
  ASSERT_TRUE(store_->Put(content).ok());
  EXPECT_EQ(Download(sha256), content);
}

TEST_P(BlobStoreConformance, DeletedBlobIsReadOnByWhoHasItOpen) {
  const std::string sha256 = *store_->Put("bytes");
  const auto reader = store_->Open(sha256);
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_TRUE(store_->Delete(sha256).ok());
  EXPECT_TRUE(store_->Delete(sha256).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->Open(sha256).status()));
  EXPECT_EQ(*(*reader)->Read(0, 10), "bytes");
  EXPECT_EQ(store_->size_bytes(), 0);
  EXPECT_THAT(*store_->List(), testing::IsEmpty());
}

TEST_P(BlobStoreConformance, WritersOfTheSameBytesAgree) {
  constexpr int kWriters = 4;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([this] {
      for (int i = 0; i < 5; ++i) {
        const std::string content = absl::StrCat("content ", i);
        const absl::StatusOr<std::string> sha256 = store_->Put(content);
        ASSERT_TRUE(sha256.ok()) << sha256.status();
        EXPECT_EQ(Download(*sha256), content);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(store_->List()->size(), 5);
}

// Longer than one part of a store that writes in parts.
TEST_P(BlobStoreConformance, UploadGoesOnAfterABreak) {
  const std::string content = LongContent(11 << 20);
  const std::string sha256 = Sha256Hex(content);
  const auto size = static_cast<int64_t>(content.size());
  {
    const auto upload = store_->BeginUpload(sha256, size);
    ASSERT_TRUE(upload.ok()) << upload.status();
    ASSERT_TRUE((*upload)->Append(content.substr(0, 1'000'000)).ok());
    ExpectReason(store_->BeginUpload(sha256, size).status(), absl::StatusCode::kUnavailable,
                 "UPLOAD_IN_PROGRESS");
  }
  EXPECT_EQ(store_->UploadedBytes(sha256), 1'000'000);
  EXPECT_EQ(*store_->SizeOf(sha256), std::nullopt);
  Reopen();
  EXPECT_EQ(store_->size_bytes(), 1'000'000);
  const auto upload = store_->BeginUpload(sha256, size);
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_EQ((*upload)->size_bytes(), 1'000'000);
  ASSERT_TRUE((*upload)->Append(content.substr(1'000'000)).ok());
  const absl::Status finished = (*upload)->Finish();
  ASSERT_TRUE(finished.ok()) << finished;
  EXPECT_EQ(*store_->SizeOf(sha256), size);
  EXPECT_EQ(store_->UploadedBytes(sha256), 0);
  EXPECT_EQ(store_->size_bytes(), size);
  EXPECT_EQ(Download(sha256), content);
  Reopen();
  EXPECT_EQ(store_->size_bytes(), size);
  EXPECT_EQ(Download(sha256), content);
}

TEST_P(BlobStoreConformance, UploadOfOtherBytesIsDropped) {
  const std::string sha256 = Sha256Hex("wanted");
  const auto upload = store_->BeginUpload(sha256, 6);
  ASSERT_TRUE(upload.ok()) << upload.status();
  ASSERT_TRUE((*upload)->Append("others").ok());
  ExpectReason((*upload)->Finish(), absl::StatusCode::kInvalidArgument, "DIGEST_MISMATCH");
  EXPECT_EQ(store_->UploadedBytes(sha256), 0);
  EXPECT_EQ(store_->size_bytes(), 0);
  EXPECT_TRUE(absl::IsNotFound(store_->Open(sha256).status()));
}

TEST_P(BlobStoreConformance, BrokenUploadsGoWhenTheirTimeIsOver) {
  const std::string sha256 = Sha256Hex("never whole");
  { ASSERT_TRUE((*store_->BeginUpload(sha256, 100))->Append("never").ok()); }
  ASSERT_TRUE(store_->RemoveUploads(absl::Now() - absl::Hours(1)).ok());
  EXPECT_EQ(store_->UploadedBytes(sha256), 5);
  {
    const auto upload = store_->BeginUpload(sha256, 100);
    ASSERT_TRUE(store_->RemoveUploads(absl::Now() + absl::Hours(1)).ok());
    EXPECT_EQ(store_->UploadedBytes(sha256), 5) << "somebody writes it";
  }
  const absl::Status removed = store_->RemoveUploads(absl::Now() + absl::Hours(1));
  ASSERT_TRUE(removed.ok()) << removed;
  EXPECT_EQ(store_->UploadedBytes(sha256), 0);
  EXPECT_EQ(store_->size_bytes(), 0);
}

TEST_P(BlobStoreConformance, ListsEveryKey) {
  std::vector<std::string> keys;
  for (int i = 0; i < 30; ++i) keys.push_back(*store_->Put(absl::StrCat("blob ", i)));
  EXPECT_THAT(*store_->List(), testing::UnorderedElementsAreArray(keys));
  Reopen();
  EXPECT_THAT(*store_->List(), testing::UnorderedElementsAreArray(keys));
}

}  // namespace sasq
