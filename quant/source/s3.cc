#include "quant/source/s3.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int kMaxPages = 100;

bool IsWanted(const SourceUri& uri, const std::string& key) {
  const bool is_model = uri.path.empty() || absl::EndsWith(uri.path, "/");
  if (!is_model) return key == uri.path;
  const std::string name = key.substr(key.rfind('/') + 1);
  return key == uri.path + name && IsPlainName(name);
}

}  // namespace

HttpRemedies S3Client::Remedies(const SourceUri& uri) const {
  HttpRemedies remedies;
  remedies.denied =
      absl::StrCat("let the worker read s3://", uri.bucket, "/", uri.path, ": ",
                   options_.signing.has_value()
                       ? "check what AWS_ACCESS_KEY_ID may do, AWS_SECRET_ACCESS_KEY and AWS_REGION"
                       : "start it with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  remedies.missing =
      absl::StrCat("check the bucket and the key in s3://", uri.bucket, "/", uri.path);
  return remedies;
}

absl::StatusOr<std::vector<RemoteFile>> S3Client::List(const SourceUri& uri, Retrier& retrier,
                                                       const std::stop_token& stop) const {
  const S3Bucket bucket(options_, uri.bucket, Remedies(uri));
  SASQ_ASSIGN_OR_RETURN(const std::vector<S3Object> objects,
                        bucket.List(uri.path, /*flat=*/true, kMaxPages, retrier, stop));
  std::vector<RemoteFile> files;
  for (const S3Object& object : objects) {
    if (IsWanted(uri, object.key)) files.push_back(bucket.FileOf(object));
  }
  return files;
}

}  // namespace sasq
