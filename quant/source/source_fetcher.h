// From a source to files on this machine: local ones under allowed roots, and fetched ones in the
// cache.
#ifndef SASQ_QUANT_SOURCE_SOURCE_FETCHER_H_
#define SASQ_QUANT_SOURCE_SOURCE_FETCHER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quant/source/allowed_roots.h"
#include "quant/source/file_cache.h"
#include "quant/source/hub.h"
#include "quant/source/remote_file.h"
#include "quant/source/retry.h"
#include "quant/source/s3.h"
#include "quant/source/source_uri.h"

namespace sasq {

// A file that was uploaded to the service.
struct UploadedContent {
  std::string name;
  std::string sha256;
  int64_t size_bytes = 0;
};

// Where uploaded files are read from. Thread-safe.
class UploadReader {
 public:
  virtual ~UploadReader() = default;
  // One try to read a blob from `offset` to its end; errors as of RemoteFile::read.
  virtual absl::Status Read(const std::string& sha256, int64_t offset, const std::stop_token& stop,
                            TakePiece take) = 0;
};

// What was fetched.
struct FetchedSource {
  std::string path;          // of the folder or the file
  std::string resolved_uri;  // the URI, with the commit in the place of a hub's revision
  std::shared_ptr<const TaskFolder> task;  // keeps what was fetched; null for local files
};

// Thread-compatible.
class SourceFetcher {
 public:
  struct Options {
    AllowedRoots roots;
    FileCache::Options cache;
    HubClient::Options hub;
    S3Client::Options s3;
    RetryOptions retries;
    Pause* pause = Pause::Real();
    UploadReader* uploads = nullptr;  // null: `upload:` is refused
  };

  explicit SourceFetcher(Options options);

  using Log = std::function<void(absl::string_view)>;

  // Makes a source readable here. `uploaded`: the files of an `upload:` source. `log` gets lines
  // for people. Errors: INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED and FAILED_PRECONDITION are
  // final and name the remedy; UNAVAILABLE and ABORTED may pass; RESOURCE_EXHAUSTED: the disk or
  // the cache is full; CANCELLED after a stop.
  absl::StatusOr<FetchedSource> Fetch(const std::string& uri, SourceKind kind,
                                      const std::vector<UploadedContent>& uploaded,
                                      const std::stop_token& stop, const Log& log);

  // Remote files that tasks used, since construction. Thread-safe.
  struct CacheUse {
    int64_t hit_count = 0;      // were there
    int64_t miss_count = 0;     // had to be fetched
    int64_t fetched_bytes = 0;  // of whole files that were fetched
  };
  CacheUse cache_use() const { return {hits_, misses_, fetched_bytes_}; }
  const std::string& cache_folder() const { return options_.cache.folder; }

 private:
  // Of one call of Fetch.
  struct Run {
    SourceKind kind;
    const std::stop_token& stop;
    const Log& log;
    std::unique_ptr<TaskFolder> task;
  };

  absl::StatusOr<FetchedSource> Locate(const SourceUri& uri, SourceKind kind) const;
  // The files of a remote source, with the URI that names them for good.
  absl::StatusOr<std::vector<RemoteFile>> List(const SourceUri& uri,
                                               const std::vector<UploadedContent>& uploaded,
                                               const Run& run, std::string& resolved_uri);
  RemoteFile UploadedFile(const UploadedContent& content) const;
  // Those of `files` that a job reads; the index of shards is fetched to know.
  absl::StatusOr<std::vector<RemoteFile>> Choose(const SourceUri& uri,
                                                 const std::vector<RemoteFile>& files, Run& run);
  // Makes the file appear in the task's folder.
  absl::Status Provide(const RemoteFile& file, Run& run);
  Retrier MakeRetrier(const Log& log) const;

  const Options options_;
  FileCache cache_;
  const HubClient hub_;
  const S3Client s3_;
  std::atomic<int64_t> hits_ = 0;
  std::atomic<int64_t> misses_ = 0;
  std::atomic<int64_t> fetched_bytes_ = 0;
};

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_SOURCE_FETCHER_H_
