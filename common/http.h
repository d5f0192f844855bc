// HTTP, by libcurl: one request, once. Retries are the caller's.
#ifndef SASQ_COMMON_HTTP_H_
#define SASQ_COMMON_HTTP_H_

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sasq {

// What signs a request to S3 (AWS signature, version 4).
struct AwsSigning {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty: none
  std::string region;         // such as `us-east-1`
};

struct HttpRequest {
  std::string method = "GET";        // GET, HEAD, PUT, POST or DELETE
  std::string url;                   // http or https
  absl::string_view body;            // of PUT and POST; outlives the call
  std::vector<std::string> headers;  // `Name: value`
  std::string bearer_token;          // empty: none. Never sent to another host, port or scheme
  std::optional<AwsSigning> signing;
  bool follows_redirects = true;  // at most 5, and never from https to http
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // of the last response; names in lower case
};

struct HttpLimits {
  absl::Duration connect_timeout = absl::Seconds(15);
  // A transfer that stays below 1 KiB/s for this long has stalled. Whole seconds, at least 1.
  absl::Duration stall_timeout = absl::Seconds(30);
  // Connect to public addresses alone (IsPublicAddress), whatever names and redirects lead to.
  bool only_public_addresses = false;
};

// Does what `request` says, whatever the status is: `take` gets the answer's body piece by piece,
// with the status and headers. UNAVAILABLE if there is no whole answer (no connection, a reset, a
// stall, a body shorter than its Content-Length), CANCELLED within a second of a stop,
// INVALID_ARGUMENT for a malformed URL, PERMISSION_DENIED for an address that is not allowed, and
// any status of `take`, which ends the transfer. Messages name the URL without its query, and no
// secret. Thread-safe.
absl::StatusOr<HttpResponse> HttpCall(
    const HttpRequest& request, const HttpLimits& limits, const std::stop_token& stop,
    absl::FunctionRef<absl::Status(const HttpResponse&, absl::string_view)> take);

// `text` with every byte but A-Z a-z 0-9 - . _ ~ and those of `kept` as %XX (RFC 3986).
std::string PercentEncode(absl::string_view text, absl::string_view kept = "");

// The reverse. A % that two hexadecimal digits do not follow stays.
std::string PercentDecode(absl::string_view text);

}  // namespace sasq

#endif  // SASQ_COMMON_HTTP_H_
