#include "server/folder_blob_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/rpc_status.h"
#include "common/sha256.h"
#include "tests/server/test_jobs.h"

namespace sasq {
namespace {

class FolderBlobStoreTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    auto store = FolderBlobStore::Create(folder_.path());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  std::string PathOf(const std::string& sha256) const {
    return folder_.path() + "/" + sha256.substr(0, 2) + "/" + sha256;
  }

  TempFolder folder_;
  std::unique_ptr<FolderBlobStore> store_;
};

TEST_F(FolderBlobStoreTest, GivesBackWhatWasPut) {
  const std::string content = "some bytes\0and more";
  const absl::StatusOr<std::string> sha256 = store_->Put(content);
  ASSERT_TRUE(sha256.ok()) << sha256.status();
  EXPECT_EQ(*sha256, Sha256Hex(content));
  const auto reader = store_->Open(*sha256);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto size = static_cast<int64_t>(content.size());
  EXPECT_EQ((*reader)->size_bytes(), size);
  for (int64_t offset = 0; offset <= size; ++offset) {
    EXPECT_EQ(*(*reader)->Read(offset, 3), content.substr(offset, 3));
  }
  EXPECT_EQ(*(*reader)->Read(0, 1000), content);
}

TEST_F(FolderBlobStoreTest, KeepsEqualBytesOnce) {
  const std::string sha256 = *store_->Put("same");
  EXPECT_EQ(*store_->Put("same"), sha256);
  EXPECT_EQ(store_->size_bytes(), 4);
  EXPECT_THAT(*store_->List(), testing::ElementsAre(sha256));
  Reopen();
  EXPECT_EQ(store_->size_bytes(), 4);
}

TEST_F(FolderBlobStoreTest, KeepsAnEmptyBlob) {
  const std::string sha256 = *store_->Put("");
  const auto reader = store_->Open(sha256);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->size_bytes(), 0);
}

TEST_F(FolderBlobStoreTest, MissingBlobIsNotFound) {
  const absl::Status status = store_->Open(Sha256Hex("nothing")).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(ReasonOf(status), "BLOB_NOT_FOUND");
}

// Every bit of a small blob, and every length it may be cut to.
TEST_F(FolderBlobStoreTest, DamageIsDataLossBeforeAnyByteIsRead) {
  const std::string content = "scales";
  const std::string sha256 = *store_->Put(content);
  const auto expect_damaged = [&](const std::string& stored) {
    std::ofstream(PathOf(sha256), std::ios::binary | std::ios::trunc) << stored;
    const absl::Status status = store_->Open(sha256).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_EQ(ReasonOf(status), "BLOB_DAMAGED");
  };
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string flipped = content;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    expect_damaged(flipped);
  }
  for (size_t length = 0; length < content.size(); ++length) {
    expect_damaged(content.substr(0, length));
  }
  expect_damaged(content + "x");

  // A new copy of the same bytes heals it.
  ASSERT_TRUE(store_->Put(content).ok());
  EXPECT_TRUE(store_->Open(sha256).ok());
}

TEST_F(FolderBlobStoreTest, DeletedBlobIsReadOnByWhoHasItOpen) {
  const std::string sha256 = *store_->Put("bytes");
  const auto reader = store_->Open(sha256);
  ASSERT_TRUE(store_->Delete(sha256).ok());
  EXPECT_TRUE(store_->Delete(sha256).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->Open(sha256).status()));
  EXPECT_EQ(*(*reader)->Read(0, 10), "bytes");
  EXPECT_EQ(store_->size_bytes(), 0);
}

TEST_F(FolderBlobStoreTest, RemovesWhatACrashLeft) {
  const std::string sha256 = *store_->Put("bytes");
  const std::string leftover = PathOf(sha256) + ".tmp-0123456789abcdef0123456789abcdef";
  std::ofstream(leftover) << "byt";
  Reopen();
  EXPECT_FALSE(std::filesystem::exists(leftover));
  EXPECT_TRUE(store_->Open(sha256).ok());
}

}  // namespace
}  // namespace sasq
