#include "server/s3_blob_store.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/file.h"
#include "common/log.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/source/source_uri.h"
#include "server/blob_file.h"
#include "server/not_found.h"

namespace sasq {
namespace {

constexpr absl::Duration kOtherFetchPoll = absl::Milliseconds(100);
constexpr int kOtherFetchPolls = 100;
constexpr absl::Duration kCountInterval = absl::Minutes(10);

HttpRemedies Remedies(const std::string& url) {
  return {absl::StrCat("let the coordinator list, read, write and delete in ", url,
                       ": check what AWS_ACCESS_KEY_ID may do, AWS_SECRET_ACCESS_KEY and "
                       "AWS_REGION"),
          absl::StrCat("make the bucket of ", url, ", or correct --blob_store")};
}

// Nothing asks a verb to stop: its tries end by themselves.
const std::stop_token& NoStop() {
  static const std::stop_token never;
  return never;
}

}  // namespace

S3BlobStore::S3BlobStore(Options options, std::string bucket, std::string prefix)
    : options_(std::move(options)),
      prefix_(std::move(prefix)),
      bucket_(options_.s3, std::move(bucket), Remedies(options_.url)),
      cache_({.folder = options_.folder + "/copies", .max_bytes = options_.cache_max_bytes}) {}

absl::StatusOr<std::unique_ptr<S3BlobStore>> S3BlobStore::Create(Options options) {
  SASQ_RETURN_IF_ERROR(CheckHttpEndpoint("--s3_endpoint", options.s3.endpoint));
  const absl::StatusOr<SourceUri> uri = ParseSourceUri(options.url, SourceKind::kModel);
  if (!uri.ok() || uri->scheme != SourceScheme::kS3) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--blob_store is ", options.url, ", want `folder`, `s3://BUCKET` or `s3://BUCKET/PREFIX`"));
  }
  const std::string folder = options.folder + "/uploads";
  std::unique_ptr<S3BlobStore> store(new S3BlobStore(std::move(options), uri->bucket, uri->path));
  SASQ_ASSIGN_OR_RETURN(
      store->uploads_,
      UploadSpool::Create(folder, [store = store.get()](const std::string& sha256,
                                                        const std::string& path, PartFile& part) {
        return store->Publish(sha256, path, part);
      }));
  SASQ_RETURN_IF_ERROR(store->List().status());
  return store;
}

Retrier S3BlobStore::MakeRetrier() const {
  return Retrier(options_.retries, *options_.pause, [](absl::string_view line) {
    LogWarning("s3_retry", {{"reason", line}});
  });
}

std::string S3BlobStore::KeyOf(absl::string_view sha256) const {
  return absl::StrCat(prefix_, sha256);
}

absl::StatusOr<std::string> S3BlobStore::Put(absl::string_view content) {
  std::string sha256 = Sha256Hex(content);
  // A damaged copy of the same blob is replaced, so only a sound one saves the work.
  bool only_if_absent = true;
  while (true) {
    const absl::Status there = Open(sha256).status();
    if (there.ok()) return sha256;
    if (absl::IsDataLoss(there)) {
      only_if_absent = false;
    } else if (!absl::IsNotFound(there)) {
      return there;
    }
    Retrier retrier = MakeRetrier();
    const absl::StatusOr<bool> written =
        bucket_.Put(KeyOf(sha256), content, options_.part_bytes, only_if_absent, retrier, NoStop());
    if (!written.ok()) return BlobStoreError(written.status());
    if (*written) break;  // else another coordinator was faster
  }
  if (only_if_absent) size_bytes_ += static_cast<int64_t>(content.size());
  return sha256;
}

absl::Status S3BlobStore::Publish(const std::string& sha256, const std::string& path,
                                  PartFile& part) {
  SASQ_ASSIGN_OR_RETURN(const std::optional<int64_t> replaced, SizeOf(sha256));
  SASQ_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  Retrier retrier = MakeRetrier();
  SASQ_RETURN_IF_ERROR(bucket_
                           .Put(KeyOf(sha256), file->bytes(), options_.part_bytes,
                                /*only_if_absent=*/false, retrier, NoStop())
                           .status());
  part.Remove();
  size_bytes_ += part.size_bytes() - replaced.value_or(0);
  return absl::OkStatus();
}

absl::Status S3BlobStore::Fetch(const RemoteFile& file, absl::string_view sha256,
                                const TaskFolder& task) {
  for (int poll = 0; poll < kOtherFetchPolls; ++poll) {
    SASQ_ASSIGN_OR_RETURN(bool is_there, cache_.Use(file.cache_key, task, file.name));
    if (is_there) return absl::OkStatus();
    const absl::StatusOr<std::unique_ptr<PartFile>> part =
        cache_.BeginFetch(file.cache_key, file.size_bytes);
    if (absl::IsAborted(part.status())) {
      options_.pause->For(kOtherFetchPoll, NoStop());
      continue;
    }
    SASQ_RETURN_IF_ERROR(part.status());
    Retrier retrier = MakeRetrier();
    SASQ_RETURN_IF_ERROR(FetchWhole(file, **part, retrier, NoStop()));
    SASQ_ASSIGN_OR_RETURN(const std::string digest, (*part)->FinishDigest());
    if (digest == sha256) return cache_.Keep(**part, file.cache_key, task, file.name);
    (*part)->Remove();
    return BlobDamaged(sha256, digest);
  }
  return absl::UnavailableError(
      absl::StrCat("another call fetches blob ", sha256, " from the bucket; try again"));
}

absl::StatusOr<std::unique_ptr<const BlobReader>> S3BlobStore::Open(absl::string_view sha256) {
  Retrier retrier = MakeRetrier();
  const absl::StatusOr<std::optional<S3Object>> object =
      bucket_.Find(KeyOf(sha256), retrier, NoStop());
  if (!object.ok()) return BlobStoreError(object.status());
  if (!object->has_value()) return BlobNotFoundStatus(sha256);
  RemoteFile file = bucket_.FileOf(**object);
  file.told_sha256 = nullptr;  // its name is its digest
  const absl::StatusOr<std::unique_ptr<TaskFolder>> task = cache_.NewTask();
  if (!task.ok()) return BlobStoreError(task.status());
  const absl::Status fetched = Fetch(file, sha256, **task);
  if (absl::IsDataLoss(fetched)) return fetched;
  if (absl::IsNotFound(fetched)) return BlobNotFoundStatus(sha256);
  if (!fetched.ok()) return BlobStoreError(fetched);
  SASQ_ASSIGN_OR_RETURN(std::unique_ptr<const FileBlobReader> reader,
                        FileBlobReader::Open(absl::StrCat((*task)->path(), "/", file.name)));
  SASQ_CHECK(reader != nullptr);
  return reader;
}

absl::StatusOr<std::optional<int64_t>> S3BlobStore::SizeOf(absl::string_view sha256) {
  Retrier retrier = MakeRetrier();
  const absl::StatusOr<std::optional<S3Object>> object =
      bucket_.Find(KeyOf(sha256), retrier, NoStop());
  if (!object.ok()) return BlobStoreError(object.status());
  if (!object->has_value()) return std::nullopt;
  return (*object)->size_bytes;
}

absl::Status S3BlobStore::RemoveUploads(absl::Time time) {
  SASQ_RETURN_IF_ERROR(uploads_->RemoveUploads(time));
  Retrier retrier = MakeRetrier();
  const absl::Status aborted = bucket_.AbortUploads(prefix_, time, retrier, NoStop());
  if (!aborted.ok()) return BlobStoreError(aborted);
  {
    MutexLock lock(&mutex_);
    if (time < counted_time_ + kCountInterval) return absl::OkStatus();
    counted_time_ = time;
  }
  return List().status();
}

absl::Status S3BlobStore::Delete(absl::string_view sha256) {
  SASQ_ASSIGN_OR_RETURN(const std::optional<int64_t> size_bytes, SizeOf(sha256));
  if (!size_bytes.has_value()) return absl::OkStatus();
  Retrier retrier = MakeRetrier();
  const absl::Status deleted = bucket_.Delete(KeyOf(sha256), retrier, NoStop());
  if (!deleted.ok()) return BlobStoreError(deleted);
  size_bytes_ -= *size_bytes;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> S3BlobStore::List() {
  Retrier retrier = MakeRetrier();
  const absl::StatusOr<std::vector<S3Object>> objects =
      bucket_.List(prefix_, /*flat=*/true, S3Bucket::kMaxPages, retrier, NoStop());
  if (!objects.ok()) return BlobStoreError(objects.status());
  std::vector<std::string> keys;
  int64_t size_bytes = 0;
  for (const S3Object& object : *objects) {
    const absl::string_view key = absl::StripPrefix(object.key, prefix_);
    if (!IsSha256Hex(key)) continue;
    keys.emplace_back(key);
    size_bytes += object.size_bytes;
  }
  size_bytes_.store(size_bytes);
  return keys;
}

}  // namespace sasq
