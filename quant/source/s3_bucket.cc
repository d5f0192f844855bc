#include "quant/source/s3_bucket.h"

#include <tinyxml2.h>

#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/environment.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int64_t kMaxReplyBytes = 16 << 20;
constexpr char kOnlyIfAbsent[] = "If-None-Match: *";

// An answer in XML whose root has the name that is expected of it.
class Xml {
 public:
  Xml(const std::string& text, absl::string_view root_name) {
    const bool parsed = document_.Parse(text.data(), text.size()) == tinyxml2::XML_SUCCESS;
    root_ = document_.RootElement();
    if (!parsed || root_ == nullptr || root_->Name() != root_name) root_ = nullptr;
  }
  bool ok() const { return root_ != nullptr; }
  const tinyxml2::XMLElement& root() const { return *root_; }

 private:
  tinyxml2::XMLDocument document_;
  const tinyxml2::XMLElement* root_ = nullptr;
};

std::string TextOf(const tinyxml2::XMLElement& parent, const char* name) {
  const tinyxml2::XMLElement* child = parent.FirstChildElement(name);
  const char* text = child == nullptr ? nullptr : child->GetText();
  return text == nullptr ? "" : text;
}

std::string HeaderOf(const HttpResponse& response, const char* name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? "" : found->second;
}

// The SHA-256 of a whole object from `x-amz-checksum-sha256`, which is base64; that of an object
// that was sent in parts is another thing and has `-N` at its end.
std::string ChecksumOf(const HttpResponse& response) {
  std::string digest;
  if (response.status != 200 ||
      !absl::Base64Unescape(HeaderOf(response, "x-amz-checksum-sha256"), &digest) ||
      digest.size() != 32) {
    return "";
  }
  return absl::BytesToHexString(digest);
}

}  // namespace

S3Options S3OptionsOfEnvironment() {
  S3Options options;
  AwsSigning signing;
  signing.access_key_id = EnvironmentOr({"AWS_ACCESS_KEY_ID"}, "");
  signing.secret_access_key = EnvironmentOr({"AWS_SECRET_ACCESS_KEY"}, "");
  signing.session_token = EnvironmentOr({"AWS_SESSION_TOKEN"}, "");
  signing.region = EnvironmentOr({"AWS_REGION", "AWS_DEFAULT_REGION"}, "us-east-1");
  options.endpoint = EnvironmentOr({"AWS_ENDPOINT_URL"},
                                   absl::StrCat("https://s3.", signing.region, ".amazonaws.com"));
  if (!signing.access_key_id.empty()) options.signing = std::move(signing);
  return options;
}

std::string S3Bucket::UrlOf(absl::string_view key) const {
  return absl::StrCat(options_.endpoint, "/", bucket_, "/", PercentEncode(key, "/"));
}

HttpRequest S3Bucket::Request(std::string method, std::string url) const {
  HttpRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.signing = options_.signing;
  request.follows_redirects = false;  // a signature is for one host
  return request;
}

absl::StatusOr<HttpReply> S3Bucket::Call(const HttpRequest& request, Retrier& retrier,
                                         const std::stop_token& stop) const {
  return CallAll(request, options_.limits, remedies_, kMaxReplyBytes, retrier, stop);
}

absl::Status S3Bucket::NotAsExpected(absl::string_view wanted) const {
  return absl::FailedPreconditionError(
      absl::StrCat(options_.endpoint, "/", bucket_, " answered no ", wanted,
                   "; is the endpoint that of an S3 compatible store?"));
}

absl::StatusOr<std::vector<S3Object>> S3Bucket::List(absl::string_view prefix, bool flat,
                                                     int max_pages, Retrier& retrier,
                                                     const std::stop_token& stop) const {
  std::vector<S3Object> objects;
  std::string token;
  for (int page = 0; page < max_pages; ++page) {
    // Parameters in the order of their names, as the signature wants them.
    const std::string url = absl::StrCat(
        options_.endpoint, "/", bucket_, "?",
        token.empty() ? "" : absl::StrCat("continuation-token=", PercentEncode(token), "&"),
        flat ? "delimiter=%2F&" : "", "list-type=2&prefix=", PercentEncode(prefix));
    SASQ_ASSIGN_OR_RETURN(const HttpReply reply, Call(Request("GET", url), retrier, stop));
    const Xml xml(reply.body, "ListBucketResult");
    if (!xml.ok()) return NotAsExpected("list of objects");
    for (const tinyxml2::XMLElement* element = xml.root().FirstChildElement("Contents");
         element != nullptr; element = element->NextSiblingElement("Contents")) {
      S3Object object = {TextOf(*element, "Key"), TextOf(*element, "ETag")};
      if (object.etag.empty() || !absl::SimpleAtoi(TextOf(*element, "Size"), &object.size_bytes) ||
          object.size_bytes < 0) {
        continue;
      }
      objects.push_back(std::move(object));
    }
    if (TextOf(xml.root(), "IsTruncated") != "true") return objects;
    token = TextOf(xml.root(), "NextContinuationToken");
  }
  return absl::FailedPreconditionError(absl::StrCat("s3://", bucket_, "/", prefix,
                                                    " holds more than ", max_pages,
                                                    ",000 objects; choose a prefix with fewer"));
}

absl::StatusOr<std::optional<S3Object>> S3Bucket::Find(const std::string& key, Retrier& retrier,
                                                       const std::stop_token& stop) const {
  const absl::StatusOr<HttpReply> reply = Call(Request("HEAD", UrlOf(key)), retrier, stop);
  if (absl::IsNotFound(reply.status())) return std::nullopt;
  SASQ_RETURN_IF_ERROR(reply.status());
  S3Object object = {key, HeaderOf(reply->response, "etag")};
  if (!absl::SimpleAtoi(HeaderOf(reply->response, "content-length"), &object.size_bytes)) {
    return NotAsExpected("length of an object");
  }
  return object;
}

RemoteFile S3Bucket::FileOf(const S3Object& object) const {
  const std::string url = UrlOf(object.key);
  RemoteFile file;
  file.name = object.key.substr(object.key.rfind('/') + 1);
  file.size_bytes = object.size_bytes;
  file.description = url;
  file.cache_key =
      absl::StrCat("s3-", Sha256Hex(absl::StrCat(url, "\n", object.etag, "\n", object.size_bytes)));
  const auto checksum = std::make_shared<std::string>();
  file.told_sha256 = checksum;
  HttpRequest request = Request("GET", url);
  request.headers = {"x-amz-checksum-mode: ENABLED", "If-Match: " + object.etag};
  file.read = [request, checksum, limits = options_.limits, remedies = remedies_](
                  int64_t offset, const std::stop_token& stop, TakePiece take) {
    return GetFrom(request, limits, remedies, offset, stop, take,
                   [&checksum](const HttpResponse& response) {
                     const std::string told = ChecksumOf(response);
                     if (!told.empty()) *checksum = told;
                   });
  };
  return file;
}

absl::StatusOr<bool> S3Bucket::Put(const std::string& key, absl::string_view content,
                                   int64_t part_bytes, bool only_if_absent, Retrier& retrier,
                                   const std::stop_token& stop) const {
  return static_cast<int64_t>(content.size()) <= part_bytes
             ? PutWhole(key, content, only_if_absent, retrier, stop)
             : PutInParts(key, content, part_bytes, only_if_absent, retrier, stop);
}

absl::StatusOr<bool> S3Bucket::PutWhole(const std::string& key, absl::string_view content,
                                        bool only_if_absent, Retrier& retrier,
                                        const std::stop_token& stop) const {
  HttpRequest request = Request("PUT", UrlOf(key));
  if (only_if_absent) request.headers.push_back(kOnlyIfAbsent);
  request.body = content;
  const absl::Status status = Call(request, retrier, stop).status();
  if (absl::IsAborted(status)) return false;
  SASQ_RETURN_IF_ERROR(status);
  return true;
}

absl::StatusOr<bool> S3Bucket::PutInParts(const std::string& key, absl::string_view content,
                                          int64_t part_bytes, bool only_if_absent, Retrier& retrier,
                                          const std::stop_token& stop) const {
  SASQ_ASSIGN_OR_RETURN(const HttpReply begun,
                        Call(Request("POST", UrlOf(key) + "?uploads="), retrier, stop));
  const Xml xml(begun.body, "InitiateMultipartUploadResult");
  if (!xml.ok()) return NotAsExpected("upload id");
  const std::string upload_id = TextOf(xml.root(), "UploadId");
  std::vector<std::string> etags;
  while (!content.empty()) {
    const absl::string_view part = content.substr(0, static_cast<size_t>(part_bytes));
    HttpRequest request = Request("PUT", absl::StrCat(UrlOf(key), "?partNumber=", etags.size() + 1,
                                                      "&uploadId=", PercentEncode(upload_id)));
    request.body = part;
    SASQ_ASSIGN_OR_RETURN(const HttpReply reply, Call(request, retrier, stop));
    etags.push_back(HeaderOf(reply.response, "etag"));
    retrier.OnProgress();
    content.remove_prefix(part.size());
  }
  SASQ_ASSIGN_OR_RETURN(const bool written,
                        CompleteParts(key, upload_id, etags, only_if_absent, retrier, stop));
  if (!written) SASQ_RETURN_IF_ERROR(AbortUpload(key, upload_id, retrier, stop));
  return written;
}

absl::StatusOr<bool> S3Bucket::CompleteParts(const std::string& key, const std::string& upload_id,
                                             const std::vector<std::string>& etags,
                                             bool only_if_absent, Retrier& retrier,
                                             const std::stop_token& stop) const {
  std::string body = "<CompleteMultipartUpload>";
  for (size_t i = 0; i < etags.size(); ++i) {
    absl::StrAppend(&body, "<Part><PartNumber>", i + 1, "</PartNumber><ETag>", etags[i],
                    "</ETag></Part>");
  }
  body += "</CompleteMultipartUpload>";
  HttpRequest request =
      Request("POST", absl::StrCat(UrlOf(key), "?uploadId=", PercentEncode(upload_id)));
  if (only_if_absent) request.headers.push_back(kOnlyIfAbsent);
  request.body = body;
  while (true) {
    const absl::StatusOr<HttpReply> reply = Call(request, retrier, stop);
    if (absl::IsAborted(reply.status())) return false;
    if (absl::IsNotFound(reply.status())) {
      // A try whose answer was lost may have completed it.
      SASQ_ASSIGN_OR_RETURN(const std::optional<S3Object> found, Find(key, retrier, stop));
      if (found.has_value()) return true;
    }
    SASQ_RETURN_IF_ERROR(reply.status());
    // S3 answers 200 before it has tried; the body says how it went.
    if (Xml(reply->body, "CompleteMultipartUploadResult").ok()) return true;
    SASQ_RETURN_IF_ERROR(retrier.OnFailure(
        absl::UnavailableError(UrlOf(key) + ": the server could not join the parts"), stop));
  }
}

absl::Status S3Bucket::AbortUpload(const std::string& key, const std::string& upload_id,
                                   Retrier& retrier, const std::stop_token& stop) const {
  const absl::Status status =
      Call(Request("DELETE", absl::StrCat(UrlOf(key), "?uploadId=", PercentEncode(upload_id))),
           retrier, stop)
          .status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status S3Bucket::Delete(const std::string& key, Retrier& retrier,
                              const std::stop_token& stop) const {
  const absl::Status status = Call(Request("DELETE", UrlOf(key)), retrier, stop).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

// One page at a time: those that were dropped are not in the next one.
absl::Status S3Bucket::AbortUploads(absl::string_view prefix, absl::Time time, Retrier& retrier,
                                    const std::stop_token& stop) const {
  const std::string url =
      absl::StrCat(options_.endpoint, "/", bucket_, "?prefix=", PercentEncode(prefix), "&uploads=");
  SASQ_ASSIGN_OR_RETURN(const HttpReply reply, Call(Request("GET", url), retrier, stop));
  const Xml xml(reply.body, "ListMultipartUploadsResult");
  if (!xml.ok()) return NotAsExpected("list of uploads");
  for (const tinyxml2::XMLElement* upload = xml.root().FirstChildElement("Upload");
       upload != nullptr; upload = upload->NextSiblingElement("Upload")) {
    absl::Time begun;
    std::string error;
    if (!absl::ParseTime(absl::RFC3339_full, TextOf(*upload, "Initiated"), &begun, &error) ||
        begun >= time) {
      continue;
    }
    SASQ_RETURN_IF_ERROR(
        AbortUpload(TextOf(*upload, "Key"), TextOf(*upload, "UploadId"), retrier, stop));
  }
  return absl::OkStatus();
}

}  // namespace sasq
