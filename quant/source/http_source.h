// What hub and S3 share: requests with retries, and what a status means.
#ifndef SASQ_QUANT_SOURCE_HTTP_SOURCE_H_
#define SASQ_QUANT_SOURCE_HTTP_SOURCE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/http.h"
#include "quant/source/remote_file.h"
#include "quant/source/retry.h"

namespace sasq {

// What a person is told when a server refuses.
struct HttpRemedies {
  std::string denied;   // 401 and 403
  std::string missing;  // 404 and 410
};

struct HttpReply {
  HttpResponse response;
  std::string body;
};

// OK for 200, 204 and 206. UNAVAILABLE with the wait that Retry-After asks for (408, 409, 425, 429,
// 5xx), PERMISSION_DENIED (401, 403), NOT_FOUND (404, 410), ABORTED (412: the file changed),
// RESOURCE_EXHAUSTED (507), FAILED_PRECONDITION otherwise. `what`: names the thing.
absl::Status HttpStatusError(const HttpResponse& response, absl::string_view what,
                             const HttpRemedies& remedies, absl::Time now);

// A whole answer of at most `max_bytes`, tried again as `retrier` allows.
absl::StatusOr<HttpReply> CallAll(const HttpRequest& request, const HttpLimits& limits,
                                  const HttpRemedies& remedies, int64_t max_bytes, Retrier& retrier,
                                  const std::stop_token& stop);

// One try to read a file from `offset` on. Gives `on_response` the first answer's headers. A server
// that ignores the range sends from 0 on.
absl::Status GetFrom(HttpRequest request, const HttpLimits& limits, const HttpRemedies& remedies,
                     int64_t offset, const std::stop_token& stop, TakePiece take,
                     absl::FunctionRef<void(const HttpResponse&)> on_response);

// Checks an endpoint, and takes slashes off its end. INVALID_ARGUMENT names `flag`.
absl::Status CheckHttpEndpoint(absl::string_view flag, std::string& endpoint);

// The URL without its query: for messages.
std::string WithoutQuery(absl::string_view url);

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_HTTP_SOURCE_H_
