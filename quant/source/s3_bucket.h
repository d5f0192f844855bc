// A bucket of S3 and of what speaks like it: path style, signed with AWS signature version 4 where
// there are credentials. What reads models and texts, and what keeps blobs, both use it.
#ifndef SASQ_QUANT_SOURCE_S3_BUCKET_H_
#define SASQ_QUANT_SOURCE_S3_BUCKET_H_

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/http.h"
#include "quant/source/http_source.h"
#include "quant/source/remote_file.h"
#include "quant/source/retry.h"

namespace sasq {

struct S3Options {
  std::string endpoint = "https://s3.us-east-1.amazonaws.com";  // without a slash at its end
  std::optional<AwsSigning> signing;                            // unset: public buckets only
  HttpLimits limits;
};

// AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION or
// AWS_DEFAULT_REGION (us-east-1). Not while another thread changes the environment.
S3Options S3OptionsOfEnvironment();

struct S3Object {
  std::string key;
  std::string etag;
  int64_t size_bytes = 0;
};

// Verbs are tried again as their Retrier allows. Errors: as of HttpStatusError with the remedies
// given, CANCELLED after a stop. Thread-safe.
class S3Bucket {
 public:
  // At most this many objects below one prefix: pages of 1,000.
  static constexpr int kMaxPages = 10'000;

  S3Bucket(S3Options options, std::string bucket, HttpRemedies remedies)
      : options_(std::move(options)), bucket_(std::move(bucket)), remedies_(std::move(remedies)) {}

  // Objects whose key begins with `prefix`, by key; not those below a further slash if `flat`.
  // FAILED_PRECONDITION beyond `max_pages`.
  absl::StatusOr<std::vector<S3Object>> List(absl::string_view prefix, bool flat, int max_pages,
                                             Retrier& retrier, const std::stop_token& stop) const;

  // nullopt if there is none.
  absl::StatusOr<std::optional<S3Object>> Find(const std::string& key, Retrier& retrier,
                                               const std::stop_token& stop) const;

  // How to read this very version of an object: its length, its ETag over all tries, and its
  // SHA-256 where S3 keeps one for the whole object, are what its bytes are checked by.
  RemoteFile FileOf(const S3Object& object) const;

  // Writes an object, in parts of `part_bytes` (S3 wants at least 5 MiB) if it is longer than one.
  // Other readers see all of it or nothing. Returns false, and changes nothing, if `only_if_absent`
  // and there is one. What a failure leaves of the parts, AbortUploads removes.
  absl::StatusOr<bool> Put(const std::string& key, absl::string_view content, int64_t part_bytes,
                           bool only_if_absent, Retrier& retrier,
                           const std::stop_token& stop) const;

  // OK if there is none.
  absl::Status Delete(const std::string& key, Retrier& retrier, const std::stop_token& stop) const;

  // Drops the parts of writes below `prefix` that began before `time` and did not end.
  absl::Status AbortUploads(absl::string_view prefix, absl::Time time, Retrier& retrier,
                            const std::stop_token& stop) const;

 private:
  std::string UrlOf(absl::string_view key) const;
  HttpRequest Request(std::string method, std::string url) const;
  absl::StatusOr<HttpReply> Call(const HttpRequest& request, Retrier& retrier,
                                 const std::stop_token& stop) const;
  absl::Status NotAsExpected(absl::string_view wanted) const;
  absl::StatusOr<bool> PutWhole(const std::string& key, absl::string_view content,
                                bool only_if_absent, Retrier& retrier,
                                const std::stop_token& stop) const;
  absl::StatusOr<bool> PutInParts(const std::string& key, absl::string_view content,
                                  int64_t part_bytes, bool only_if_absent, Retrier& retrier,
                                  const std::stop_token& stop) const;
  absl::StatusOr<bool> CompleteParts(const std::string& key, const std::string& upload_id,
                                     const std::vector<std::string>& etags, bool only_if_absent,
                                     Retrier& retrier, const std::stop_token& stop) const;
  absl::Status AbortUpload(const std::string& key, const std::string& upload_id, Retrier& retrier,
                           const std::stop_token& stop) const;

  const S3Options options_;
  const std::string bucket_;
  const HttpRemedies remedies_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_S3_BUCKET_H_
