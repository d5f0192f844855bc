#include "quant/source/s3.h"

#include <tinyxml2.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int64_t kMaxReplyBytes = 16 << 20;
constexpr int kMaxPages = 100;

std::string TextOf(const tinyxml2::XMLElement& parent, const char* name) {
  const tinyxml2::XMLElement* child = parent.FirstChildElement(name);
  const char* text = child == nullptr ? nullptr : child->GetText();
  return text == nullptr ? "" : text;
}

// The SHA-256 of a whole object from `x-amz-checksum-sha256`, which is base64; that of an object
// that was sent in parts is another thing and has `-N` at its end.
std::string ChecksumOf(const HttpResponse& response) {
  const auto found = response.headers.find("x-amz-checksum-sha256");
  std::string digest;
  if (response.status != 200 || found == response.headers.end() ||
      !absl::Base64Unescape(found->second, &digest) || digest.size() != 32) {
    return "";
  }
  return absl::BytesToHexString(digest);
}

}  // namespace

HttpRequest S3Client::Request(std::string url) const {
  HttpRequest request;
  request.url = std::move(url);
  request.signing = options_.signing;
  request.follows_redirects = false;  // a signature is for one host
  return request;
}

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

RemoteFile S3Client::MakeFile(const SourceUri& uri, const std::string& key, const std::string& etag,
                              int64_t size_bytes) const {
  const std::string url =
      absl::StrCat(options_.endpoint, "/", uri.bucket, "/", PercentEncode(key, "/"));
  RemoteFile file;
  file.name = key.substr(key.rfind('/') + 1);
  file.size_bytes = size_bytes;
  file.description = url;
  file.cache_key = absl::StrCat("s3-", Sha256Hex(absl::StrCat(url, "\n", etag, "\n", size_bytes)));
  const auto checksum = std::make_shared<std::string>();
  file.told_sha256 = checksum;
  HttpRequest request = Request(url);
  request.headers = {"x-amz-checksum-mode: ENABLED", absl::StrCat("If-Match: ", etag)};
  file.read = [request, checksum, limits = options_.limits, remedies = Remedies(uri)](
                  int64_t offset, const std::stop_token& stop, TakePiece take) {
    return GetFrom(request, limits, remedies, offset, stop, take,
                   [&checksum](const HttpResponse& response) {
                     const std::string told = ChecksumOf(response);
                     if (!told.empty()) *checksum = told;
                   });
  };
  return file;
}

absl::StatusOr<std::string> S3Client::AddPage(const std::string& xml, const SourceUri& uri,
                                              std::vector<RemoteFile>& files) const {
  tinyxml2::XMLDocument document;
  const bool parsed = document.Parse(xml.data(), xml.size()) == tinyxml2::XML_SUCCESS;
  const tinyxml2::XMLElement* root = document.RootElement();
  if (!parsed || root == nullptr || absl::string_view(root->Name()) != "ListBucketResult") {
    return absl::FailedPreconditionError(absl::StrCat(
        options_.endpoint, "/", uri.bucket,
        " answered no list of objects; is the endpoint that of an S3 compatible store?"));
  }
  for (const tinyxml2::XMLElement* object = root->FirstChildElement("Contents"); object != nullptr;
       object = object->NextSiblingElement("Contents")) {
    const std::string key = TextOf(*object, "Key");
    const std::string etag = TextOf(*object, "ETag");
    int64_t size_bytes = -1;
    const bool is_model = uri.path.empty() || absl::EndsWith(uri.path, "/");
    const std::string name = key.substr(key.rfind('/') + 1);
    const bool wanted = is_model ? key == uri.path + name && IsPlainName(name) : key == uri.path;
    if (!wanted || etag.empty() || !absl::SimpleAtoi(TextOf(*object, "Size"), &size_bytes) ||
        size_bytes < 0) {
      continue;
    }
    files.push_back(MakeFile(uri, key, etag, size_bytes));
  }
  return TextOf(*root, "IsTruncated") == "true" ? TextOf(*root, "NextContinuationToken") : "";
}

absl::StatusOr<std::vector<RemoteFile>> S3Client::List(const SourceUri& uri, Retrier& retrier,
                                                       const std::stop_token& stop) const {
  std::vector<RemoteFile> files;
  std::string token;
  for (int page = 0; page < kMaxPages; ++page) {
    // Parameters in the order of their names, as the signature wants them.
    const std::string url = absl::StrCat(
        options_.endpoint, "/", uri.bucket, "?",
        token.empty() ? "" : absl::StrCat("continuation-token=", PercentEncode(token), "&"),
        "delimiter=%2F&list-type=2&prefix=", PercentEncode(uri.path));
    SASQ_ASSIGN_OR_RETURN(
        const HttpReply reply,
        GetAll(Request(url), options_.limits, Remedies(uri), kMaxReplyBytes, retrier, stop));
    SASQ_ASSIGN_OR_RETURN(token, AddPage(reply.body, uri, files));
    if (token.empty()) break;
  }
  return files;
}

}  // namespace sasq
