// What every BlobStore must do, as tests over a factory (blob_store_conformance.cc). A test file
// includes this and instantiates BlobStoreConformance with the factory of its store.
#ifndef SASQ_TESTS_SERVER_BLOB_STORE_CONFORMANCE_H_
#define SASQ_TESTS_SERVER_BLOB_STORE_CONFORMANCE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "server/blob_store.h"
#include "tests/server/test_jobs.h"

namespace sasq {

// A place of blobs that a test has for itself.
class BlobStorePlace {
 public:
  virtual ~BlobStorePlace() = default;
  // Opens the store; a second call sees what the first one kept.
  virtual std::unique_ptr<BlobStore> Open() = 0;
  // Replaces the bytes of a blob behind the store's back.
  virtual void Overwrite(const std::string& sha256, const std::string& bytes) = 0;
};

using BlobStorePlaceFactory = std::function<std::unique_ptr<BlobStorePlace>()>;

class BlobStoreConformance : public testing::TestWithParam<BlobStorePlaceFactory> {
 protected:
  BlobStoreConformance() : place_(GetParam()()), store_(place_->Open()) {}

  void Reopen() {
    store_.reset();
    store_ = place_->Open();
  }

  static void ExpectReason(const absl::Status& status, absl::StatusCode code,
                           absl::string_view reason) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(ReasonOf(status), reason) << status;
  }

  // Bytes that compress badly and repeat nowhere.
  static std::string LongContent(size_t size_bytes) {
    std::string content;
    for (int i = 0; content.size() < size_bytes; ++i) {
      absl::StrAppend(&content, Sha256Hex(absl::StrCat("block ", i)));
    }
    content.resize(size_bytes);
    return content;
  }

  // All bytes, in pieces.
  std::string Download(const std::string& sha256) {
    const auto reader = store_->Open(sha256);
    EXPECT_TRUE(reader.ok()) << reader.status();
    std::string bytes;
    while (reader.ok() && static_cast<int64_t>(bytes.size()) < (*reader)->size_bytes()) {
      const auto piece = (*reader)->Read(static_cast<int64_t>(bytes.size()), 1 << 20);
      EXPECT_TRUE(piece.ok() && !piece->empty()) << piece.status();
      if (!piece.ok() || piece->empty()) break;
      bytes += *piece;
    }
    return bytes;
  }

  std::unique_ptr<BlobStorePlace> place_;
  std::unique_ptr<BlobStore> store_;
};

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_BLOB_STORE_CONFORMANCE_H_
