// Objects of S3 and what speaks like it: ListObjectsV2 and GetObject, path style, signed with AWS
// signature version 4 where there are credentials.
#ifndef SASQ_QUANT_SOURCE_S3_H_
#define SASQ_QUANT_SOURCE_S3_H_

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/http.h"
#include "quant/source/http_source.h"
#include "quant/source/remote_file.h"
#include "quant/source/retry.h"
#include "quant/source/source_uri.h"

namespace sasq {

// Thread-compatible.
class S3Client {
 public:
  struct Options {
    std::string endpoint = "https://s3.us-east-1.amazonaws.com";  // without a slash at its end
    std::optional<AwsSigning> signing;                            // unset: public buckets only
    HttpLimits limits;
  };

  explicit S3Client(Options options) : options_(std::move(options)) {}

  // The objects right below the prefix of a model's URI, or the one object of a text's (empty if it
  // is not there). What an object's bytes are checked by: its length, its ETag over all tries, and
  // its SHA-256 where S3 keeps one for the whole object. Errors as of HubClient::List.
  absl::StatusOr<std::vector<RemoteFile>> List(const SourceUri& uri, Retrier& retrier,
                                               const std::stop_token& stop) const;

 private:
  HttpRequest Request(std::string url) const;
  HttpRemedies Remedies(const SourceUri& uri) const;
  RemoteFile MakeFile(const SourceUri& uri, const std::string& key, const std::string& etag,
                      int64_t size_bytes) const;
  // Adds the objects of one page and returns the token of the next, empty if there is none.
  absl::StatusOr<std::string> AddPage(const std::string& xml, const SourceUri& uri,
                                      std::vector<RemoteFile>& files) const;

  const Options options_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_S3_H_
