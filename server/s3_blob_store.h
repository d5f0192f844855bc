// Blobs as objects of a bucket, BUCKET/PREFIX/abcdef..., for any number of coordinators.
//
// A local folder holds what may be lost: uploads that are not whole yet, which their client goes on
// with at the coordinator where it began or begins anew at another, and copies of blobs whose
// digest was checked, from which they are read.
#ifndef SASQ_SERVER_S3_BLOB_STORE_H_
#define SASQ_SERVER_S3_BLOB_STORE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "quant/source/file_cache.h"
#include "quant/source/retry.h"
#include "quant/source/s3_bucket.h"
#include "server/blob_store.h"
#include "server/upload_spool.h"

namespace sasq {

class S3BlobStore final : public BlobStore {
 public:
  struct Options {
    std::string url;     // s3://BUCKET or s3://BUCKET/PREFIX
    std::string folder;  // of this process alone; made if missing
    S3Options s3;
    int64_t cache_max_bytes = int64_t{20} << 30;  // of checked copies
    int64_t part_bytes = int64_t{64} << 20;       // of a write in parts; 5 MiB or more
    RetryOptions retries = {.max_idle_tries = 6,  // of one verb: half a minute at most
                            .max_tries = 100,
                            .initial = absl::Milliseconds(200),
                            .max = absl::Seconds(5),
                            .max_retry_after = absl::Seconds(10)};
    Pause* pause = Pause::Real();
  };

  // Lists the bucket. INVALID_ARGUMENT for a wrong URL, UNAVAILABLE if it cannot be listed.
  static absl::StatusOr<std::unique_ptr<S3BlobStore>> Create(Options options);

  absl::StatusOr<std::string> Put(absl::string_view content) override;
  // Fetches and checks a blob that has no checked copy here yet. UNAVAILABLE also while another
  // call has fetched it for long.
  absl::StatusOr<std::unique_ptr<const BlobReader>> Open(absl::string_view sha256) override;
  absl::StatusOr<std::optional<int64_t>> SizeOf(absl::string_view sha256) override;
  int64_t UploadedBytes(absl::string_view sha256) override {
    return uploads_->UploadedBytes(sha256);
  }
  absl::StatusOr<std::unique_ptr<BlobUpload>> BeginUpload(absl::string_view sha256,
                                                          int64_t size_bytes) override {
    return uploads_->BeginUpload(sha256, size_bytes);
  }
  // Also drops parts of writes that a crash left in the bucket, and counts anew what is there.
  absl::Status RemoveUploads(absl::Time time) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Delete(absl::string_view sha256) override;
  absl::StatusOr<std::vector<std::string>> List() override;
  // What other coordinators wrote is counted some minutes later.
  int64_t size_bytes() const override { return size_bytes_.load() + uploads_->size_bytes(); }

 private:
  S3BlobStore(Options options, std::string bucket, std::string prefix);
  Retrier MakeRetrier() const;
  std::string KeyOf(absl::string_view sha256) const;
  // Makes a checked copy of the object appear in the task's folder.
  absl::Status Fetch(const RemoteFile& file, absl::string_view sha256, const TaskFolder& task);
  absl::Status Publish(const std::string& sha256, const std::string& path, PartFile& part);

  const Options options_;
  const std::string prefix_;  // of keys: empty, or with a slash at its end
  const S3Bucket bucket_;
  FileCache cache_;
  std::unique_ptr<UploadSpool> uploads_;  // set by Create
  std::atomic<int64_t> size_bytes_{0};

  Mutex mutex_;
  absl::Time counted_time_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace sasq

#endif  // SASQ_SERVER_S3_BLOB_STORE_H_
