#include "quant/source/hub.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int64_t kMaxReplyBytes = 16 << 20;
constexpr int kMaxPages = 100;

using nlohmann::json;

absl::Status Strange(absl::string_view url, absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat(url, ": ", what, "; is the endpoint a Hugging Face compatible hub?"));
}

// A member of an object, or its type's empty value.
std::string StringAt(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

int64_t SizeAt(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<int64_t>() : -1;
}

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits && absl::c_all_of(text, [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

// The folder of a path, empty at the top.
std::string FolderOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? "" : std::string(path.substr(0, slash));
}

std::string ApiUrl(absl::string_view endpoint, const SourceUri& uri) {
  return absl::StrCat(endpoint, "/api/", uri.is_dataset ? "datasets/" : "models/", uri.repository);
}

// RFC 8288: `<URL>; rel="next"`. Empty on the last page.
std::string NextPage(const HttpResponse& response) {
  const auto found = response.headers.find("link");
  if (found == response.headers.end()) return "";
  for (const absl::string_view link : absl::StrSplit(found->second, ',')) {
    const size_t begin = link.find('<'), end = link.find('>');
    if (begin == absl::string_view::npos || end == absl::string_view::npos || end < begin) continue;
    if (absl::StrContains(link.substr(end), "rel=\"next\"")) {
      return std::string(link.substr(begin + 1, end - begin - 1));
    }
  }
  return "";
}

}  // namespace

HttpRequest HubClient::Request(std::string url) const {
  HttpRequest request;
  request.url = std::move(url);
  request.bearer_token = options_.token;
  return request;
}

HttpRemedies HubClient::Remedies(const SourceUri& uri) const {
  HttpRemedies remedies;
  remedies.denied = absl::StrCat(
      uri.repository, " does not exist, is private or has terms to accept: check its name, and ",
      options_.token.empty() ? "start the worker with a HF_TOKEN that may read it"
                             : "let the account of the worker's HF_TOKEN read it");
  remedies.missing =
      absl::StrCat("check the name ", uri.repository, ", the revision ", uri.revision,
                   uri.path.empty() ? "" : absl::StrCat(" and the path ", uri.path));
  return remedies;
}

absl::StatusOr<std::string> HubClient::FindCommit(const SourceUri& uri, Retrier& retrier,
                                                  const std::stop_token& stop) const {
  const std::string url =
      absl::StrCat(ApiUrl(options_.endpoint, uri), "/revision/", PercentEncode(uri.revision));
  SASQ_ASSIGN_OR_RETURN(const HttpReply reply, CallAll(Request(url), options_.limits, Remedies(uri),
                                                       kMaxReplyBytes, retrier, stop));
  const json info = json::parse(reply.body, nullptr, /*allow_exceptions=*/false);
  if (!info.is_object() || !IsHex(StringAt(info, "sha"), 40)) {
    return Strange(url, "the answer has no commit");
  }
  return StringAt(info, "sha");
}

absl::Status HubClient::AddPage(absl::string_view text, const SourceUri& uri,
                                HubListing& listing) const {
  const json page = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!page.is_array()) return Strange(ApiUrl(options_.endpoint, uri), "the tree is no list");
  for (const json& entry : page) {
    if (!entry.is_object() || StringAt(entry, "type") != "file") continue;
    const std::string path = StringAt(entry, "path");
    RemoteFile file;
    file.name = path.substr(path.rfind('/') + 1);
    if (!IsPlainName(file.name) || FolderOf(path) != FolderOf(uri.path)) continue;
    file.size_bytes = SizeAt(entry, "size");
    const auto lfs = entry.find("lfs");
    if (lfs != entry.end() && lfs->is_object()) {
      file.sha256 = StringAt(*lfs, "oid");
      file.size_bytes = SizeAt(*lfs, "size");
      file.cache_key = absl::StrCat("sha256-", file.sha256);
    } else {
      file.git_sha1 = StringAt(entry, "oid");
      file.cache_key = absl::StrCat("git-", file.git_sha1);
    }
    if (file.size_bytes < 0 || !(IsSha256Hex(file.sha256) || IsHex(file.git_sha1, 40))) {
      return Strange(ApiUrl(options_.endpoint, uri),
                     absl::StrCat("the tree tells no size and digest of ", file.name));
    }
    const std::string url =
        absl::StrCat(options_.endpoint, "/", uri.is_dataset ? "datasets/" : "", uri.repository,
                     "/resolve/", listing.commit, "/", PercentEncode(path, "/"));
    file.description = url;
    file.read = [request = Request(url), limits = options_.limits, remedies = Remedies(uri)](
                    int64_t offset, const std::stop_token& stop, TakePiece take) {
      return GetFrom(request, limits, remedies, offset, stop, take, [](const HttpResponse&) {});
    };
    listing.files.push_back(std::move(file));
  }
  return absl::OkStatus();
}

absl::StatusOr<HubListing> HubClient::List(const SourceUri& uri, Retrier& retrier,
                                           const std::stop_token& stop) const {
  HubListing listing;
  SASQ_ASSIGN_OR_RETURN(listing.commit, FindCommit(uri, retrier, stop));
  const std::string folder = FolderOf(uri.path);
  std::string url = absl::StrCat(ApiUrl(options_.endpoint, uri), "/tree/", listing.commit,
                                 folder.empty() ? "" : "/", PercentEncode(folder, "/"));
  for (int page = 0; page < kMaxPages && !url.empty(); ++page) {
    // The token goes to the hub alone, whatever a page says.
    if (!absl::StartsWith(url, absl::StrCat(options_.endpoint, "/"))) {
      return Strange(WithoutQuery(url), "the next page of the tree is not on the hub");
    }
    SASQ_ASSIGN_OR_RETURN(
        const HttpReply reply,
        CallAll(Request(url), options_.limits, Remedies(uri), kMaxReplyBytes, retrier, stop));
    SASQ_RETURN_IF_ERROR(AddPage(reply.body, uri, listing));
    url = NextPage(reply.response);
  }
  return listing;
}

}  // namespace sasq
