// Models and texts from S3 and what speaks like it: which objects of a bucket they are.
#ifndef SASQ_QUANT_SOURCE_S3_H_
#define SASQ_QUANT_SOURCE_S3_H_

#include <stop_token>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/source/remote_file.h"
#include "quant/source/retry.h"
#include "quant/source/s3_bucket.h"
#include "quant/source/source_uri.h"

namespace sasq {

// Thread-compatible.
class S3Client {
 public:
  using Options = S3Options;

  explicit S3Client(Options options) : options_(std::move(options)) {}

  // The objects right below the prefix of a model's URI, or the one object of a text's (empty if it
  // is not there), as of S3Bucket::FileOf. Errors as of HubClient::List.
  absl::StatusOr<std::vector<RemoteFile>> List(const SourceUri& uri, Retrier& retrier,
                                               const std::stop_token& stop) const;

 private:
  HttpRemedies Remedies(const SourceUri& uri) const;

  const Options options_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_S3_H_
