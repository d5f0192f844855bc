#include "server/folder_blob_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/rpc_status.h"
#include "common/sha256.h"
#include "tests/server/blob_store_conformance.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

class FolderPlace final : public BlobStorePlace {
 public:
  std::unique_ptr<BlobStore> Open() override {
    auto store = FolderBlobStore::Create(folder_.path());
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  void Overwrite(const std::string& sha256, const std::string& bytes) override {
    std::ofstream(absl::StrCat(folder_.path(), "/", sha256.substr(0, 2), "/", sha256),
                  std::ios::binary | std::ios::trunc)
        << bytes;
  }

 private:
  TemporaryFolder folder_;
};

std::unique_ptr<BlobStorePlace> MakePlace() { return std::make_unique<FolderPlace>(); }

INSTANTIATE_TEST_SUITE_P(Folder, BlobStoreConformance, testing::Values(&MakePlace));

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

  TemporaryFolder folder_;
  std::unique_ptr<FolderBlobStore> store_;
};

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
