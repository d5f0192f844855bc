#include "common/http.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/address.h"
#include "common/metrics.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr long kMaxRedirects = 5;            // NOLINT(google-runtime-int): curl's type
constexpr long kStallBytesPerSecond = 1024;  // NOLINT(google-runtime-int)
constexpr long kReceiveBytes = 256 * 1024;   // NOLINT(google-runtime-int)
constexpr size_t kMaxHeaderCount = 200;
constexpr char kSigningRule[] = "aws:amz:";

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// One transfer: what curl calls back with.
struct Transfer {
  const std::stop_token& stop;
  absl::FunctionRef<absl::Status(const HttpResponse&, absl::string_view)> take;
  CURL* easy = nullptr;
  HttpResponse response;
  absl::Status taken;   // the first status of `take` that is not OK
  std::string refused;  // an address that is not public, and was not connected to
};

// A status line begins a response: of a redirect, or the last one.
size_t OnHeader(char* data, size_t unit, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const absl::string_view line(data, unit * count);
  if (absl::StartsWith(line, "HTTP/")) transfer.response.headers.clear();
  const size_t colon = line.find(':');
  if (colon != absl::string_view::npos && transfer.response.headers.size() < kMaxHeaderCount) {
    transfer.response.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return unit * count;
}

size_t OnBody(char* data, size_t unit, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  long status = 0;  // NOLINT(google-runtime-int): curl's type
  curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  transfer.taken = transfer.take(transfer.response, absl::string_view(data, unit * count));
  return transfer.taken.ok() ? unit * count : 0;
}

// Asked for a socket once a name is resolved, for every address and after every redirect.
curl_socket_t OpenPublicSocket(void* user, curlsocktype, curl_sockaddr* address) {
  if (!IsPublicAddress(address->addr)) {
    static_cast<Transfer*>(user)->refused = AddressText(address->addr);
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(user)->stop.stop_requested() ? 1 : 0;
}

// Once in a process, before the first transfer.
bool InitializeCurl() {
  static const bool initialized = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return initialized;
}

// The body goes as curl's POST fields whatever the method is: what is sent needs no callbacks.
void SetMethod(CURL* easy, const HttpRequest& request) {
  if (request.method == "GET") return;
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.method != "DELETE") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void SetTransport(CURL* easy, const HttpRequest& request, const HttpLimits& limits) {
  // What is fetched over TLS never goes on without.
  const bool is_https = absl::StartsWithIgnoreCase(request.url, "https:");
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, is_https ? "https" : "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request.follows_redirects ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);  // what was signed is what is sent
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBytes);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   absl::ToInt64Milliseconds(limits.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                   std::max<int64_t>(1, absl::ToInt64Seconds(limits.stall_timeout)));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, absl::StrCat("sasq/", Version()).c_str());
}

// curl sends a bearer token and a signature to the host of the URL alone.
void SetCredentials(CURL* easy, const HttpRequest& request) {
  if (!request.bearer_token.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, request.bearer_token.c_str());
  }
  if (request.signing.has_value()) {
    const AwsSigning& signing = *request.signing;
    curl_easy_setopt(easy, CURLOPT_AWS_SIGV4,
                     absl::StrCat(kSigningRule, signing.region, ":s3").c_str());
    curl_easy_setopt(easy, CURLOPT_USERNAME, signing.access_key_id.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, signing.secret_access_key.c_str());
  }
}

void SetCallbacks(CURL* easy, Transfer& transfer) {
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

absl::Status TransferError(CURLcode code, const char* detail, const HttpRequest& request) {
  const absl::string_view url = absl::string_view(request.url).substr(0, request.url.find('?'));
  const std::string message =
      absl::StrCat("cannot ", absl::AsciiStrToLower(request.method), " ", url, ": ",
                   detail[0] != '\0' ? detail : curl_easy_strerror(code));
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    return absl::InvalidArgumentError(message);
  }
  return absl::UnavailableError(message);
}

}  // namespace

absl::StatusOr<HttpResponse> HttpCall(
    const HttpRequest& request, const HttpLimits& limits, const std::stop_token& stop,
    absl::FunctionRef<absl::Status(const HttpResponse&, absl::string_view)> take) {
  SASQ_CHECK(InitializeCurl());
  const std::unique_ptr<CURL, EasyDeleter> easy(curl_easy_init());
  SASQ_CHECK(easy != nullptr);
  std::vector<std::string> headers = request.headers;
  if (request.method == "PUT" || request.method == "POST") {
    headers.push_back("Content-Type: application/octet-stream");
  }
  if (request.signing.has_value()) {
    headers.push_back("x-amz-content-sha256: " + Sha256Hex(request.body));  // S3 insists on it
    if (!request.signing->session_token.empty()) {
      headers.push_back("x-amz-security-token: " + request.signing->session_token);
    }
  }
  std::unique_ptr<curl_slist, ListDeleter> list;
  for (const std::string& header : headers) {
    list.reset(curl_slist_append(list.release(), header.c_str()));
  }
  char detail[CURL_ERROR_SIZE] = {};
  Transfer transfer{stop, take, easy.get(), {}, {}, {}};
  SetMethod(easy.get(), request);
  SetTransport(easy.get(), request, limits);
  SetCredentials(easy.get(), request);
  SetCallbacks(easy.get(), transfer);
  if (limits.only_public_addresses) {
    curl_easy_setopt(easy.get(), CURLOPT_OPENSOCKETFUNCTION, OpenPublicSocket);
    curl_easy_setopt(easy.get(), CURLOPT_OPENSOCKETDATA, &transfer);
  }
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, detail);
  const CURLcode code = curl_easy_perform(easy.get());
  if (!transfer.taken.ok()) return transfer.taken;
  if (stop.stop_requested()) return absl::CancelledError("stopped while fetching");
  if (code != CURLE_OK && !transfer.refused.empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot get ", absl::string_view(request.url).substr(0, request.url.find('?')),
                     ": it leads to ", transfer.refused,
                     ", which is no public address; --allow_private_addresses allows it"));
  }
  if (code != CURLE_OK) return TransferError(code, detail, request);
  long status = 0;  // NOLINT(google-runtime-int): curl's type
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  return std::move(transfer.response);
}

std::string PercentEncode(absl::string_view text, absl::string_view kept) {
  constexpr absl::string_view kUnreserved = "-._~";
  std::string encoded;
  for (const char c : text) {
    if (absl::ascii_isalnum(c) || kUnreserved.find(c) != absl::string_view::npos ||
        kept.find(c) != absl::string_view::npos) {
      encoded += c;
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string PercentDecode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_encoded = text[i] == '%' && i + 2 < text.size() &&
                            absl::ascii_isxdigit(text[i + 1]) && absl::ascii_isxdigit(text[i + 2]);
    if (!is_encoded) {
      decoded += text[i];
      continue;
    }
    decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  return decoded;
}

}  // namespace sasq
