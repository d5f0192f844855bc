#include "quant/source/http_source.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int kNoContent = 204;
constexpr int kPartialContent = 206;
constexpr int kRangeNotSatisfiable = 416;
constexpr int kInsufficientStorage = 507;

// RFC 9110, section 10.2.3: seconds, or a date.
std::optional<absl::Duration> RetryAfterOf(const HttpResponse& response, absl::Time now) {
  const auto found = response.headers.find("retry-after");
  if (found == response.headers.end()) return std::nullopt;
  int64_t seconds = 0;
  if (absl::SimpleAtoi(found->second, &seconds)) {
    return absl::Seconds(std::max<int64_t>(0, seconds));
  }
  absl::Time date;
  std::string error;
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", found->second, &date, &error)) {
    return std::nullopt;
  }
  return std::max(absl::ZeroDuration(), date - now);
}

bool MayPass(int status) {
  return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

// Where the bytes of an answer begin: `bytes 100-199/200`, or 0 without a range.
absl::StatusOr<int64_t> BeginOf(const HttpResponse& response) {
  if (response.status != kPartialContent) return 0;
  const auto found = response.headers.find("content-range");
  absl::string_view range;
  if (found != response.headers.end()) range = found->second;
  int64_t begin = 0;
  if (!absl::ConsumePrefix(&range, "bytes ") ||
      !absl::SimpleAtoi(range.substr(0, range.find('-')), &begin)) {
    return absl::UnavailableError("the server answered a part of a file without saying which");
  }
  return begin;
}

}  // namespace

absl::Status CheckHttpEndpoint(absl::string_view flag, std::string& endpoint) {
  absl::string_view rest = endpoint;
  while (absl::ConsumeSuffix(&rest, "/")) continue;
  endpoint = std::string(rest);
  const bool is_http =
      absl::StartsWith(endpoint, "http://") || absl::StartsWith(endpoint, "https://");
  if (is_http && !absl::StrContains(endpoint, "?") && !absl::StrContains(endpoint, "@")) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      flag, " is not `https://HOST` or `http://HOST:PORT`; credentials come from the environment"));
}

std::string WithoutQuery(absl::string_view url) {
  return std::string(url.substr(0, url.find('?')));
}

absl::Status HttpStatusError(const HttpResponse& response, absl::string_view what,
                             const HttpRemedies& remedies, absl::Time now) {
  if (response.status == 200 || response.status == kNoContent ||
      response.status == kPartialContent) {
    return absl::OkStatus();
  }
  const std::string message = absl::StrCat(what, ": the server answered ", response.status);
  if (response.status == kInsufficientStorage) {
    return absl::ResourceExhaustedError(absl::StrCat(message, ": it is full"));
  }
  if (MayPass(response.status)) return RetryAfter(message, RetryAfterOf(response, now));
  switch (response.status) {
    case 401:
    case 403:
      return absl::PermissionDeniedError(absl::StrCat(message, "; ", remedies.denied));
    case 404:
    case 410:
      return absl::NotFoundError(absl::StrCat(message, "; ", remedies.missing));
    case 412:
      return absl::AbortedError(absl::StrCat(message, ": it changed while it was fetched"));
    default:
      return absl::FailedPreconditionError(absl::StrCat(
          message, ", want 200; check the endpoint that this program was started with"));
  }
}

absl::StatusOr<HttpReply> CallAll(const HttpRequest& request, const HttpLimits& limits,
                                  const HttpRemedies& remedies, int64_t max_bytes, Retrier& retrier,
                                  const std::stop_token& stop) {
  const std::string what = WithoutQuery(request.url);
  while (true) {
    HttpReply reply;
    absl::StatusOr<HttpResponse> response = HttpCall(
        request, limits, stop, [&](const HttpResponse&, absl::string_view data) -> absl::Status {
          if (static_cast<int64_t>(reply.body.size() + data.size()) > max_bytes) {
            return absl::FailedPreconditionError(
                absl::StrCat(what, " answered more than ", max_bytes, " bytes"));
          }
          absl::StrAppend(&reply.body, data);
          return absl::OkStatus();
        });
    absl::Status status = response.status();
    if (status.ok()) {
      status = HttpStatusError(*response, what, remedies, Clock::Real()->Now());
      reply.response = *std::move(response);
    }
    if (status.ok()) return reply;
    SASQ_RETURN_IF_ERROR(retrier.OnFailure(status, stop));
  }
}

absl::Status GetFrom(HttpRequest request, const HttpLimits& limits, const HttpRemedies& remedies,
                     int64_t offset, const std::stop_token& stop, TakePiece take,
                     absl::FunctionRef<void(const HttpResponse&)> on_response) {
  const std::string what = WithoutQuery(request.url);
  if (offset > 0) request.headers.push_back(absl::StrCat("Range: bytes=", offset, "-"));
  const auto check = [&](const HttpResponse& response) {
    return HttpStatusError(response, what, remedies, Clock::Real()->Now());
  };
  int64_t next = -1;  // offset of the next byte; negative before the first
  const absl::StatusOr<HttpResponse> response = HttpCall(
      request, limits, stop, [&](const HttpResponse& head, absl::string_view data) -> absl::Status {
        if (!check(head).ok()) return absl::OkStatus();  // an error's page: read to its end
        if (next < 0) {
          SASQ_ASSIGN_OR_RETURN(next, BeginOf(head));
          on_response(head);
        }
        SASQ_RETURN_IF_ERROR(take(next, data));
        next += static_cast<int64_t>(data.size());
        return absl::OkStatus();
      });
  SASQ_RETURN_IF_ERROR(response.status());
  if (response->status == kRangeNotSatisfiable) {
    SASQ_RETURN_IF_ERROR(take(0, ""));  // what is there is of another file: begin anew
    return absl::UnavailableError(absl::StrCat(what, ": the server has no bytes from ", offset));
  }
  return check(*response);
}

}  // namespace sasq
