#include "client/commands/health.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/http.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

absl::Status AskMetricsPage(const CommandContext& context, const std::string& address) {
  HttpRequest request;
  request.url = absl::StrCat("http://", address, "/metrics");
  request.follows_redirects = false;
  HttpLimits limits;
  limits.connect_timeout = context.globals.call_timeout;
  limits.stall_timeout = context.globals.call_timeout;
  SASQ_ASSIGN_OR_RETURN(const HttpResponse response,
                        HttpCall(request, limits, {}, [](const HttpResponse&, absl::string_view) {
                          return absl::OkStatus();
                        }));
  if (response.status == 200) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat(request.url, " answered ", response.status, ", want 200"));
}

}  // namespace

absl::StatusOr<ExitCode> RunHealth(const CommandContext& context, const HealthOptions& options) {
  bool is_serving = true;
  if (!options.metrics_address.empty()) {
    SASQ_RETURN_IF_ERROR(AskMetricsPage(context, options.metrics_address));
  } else {
    SASQ_ASSIGN_OR_RETURN(is_serving, context.client.IsServing(options.service));
  }
  context.console.out.WriteLine(is_serving ? "SERVING" : "NOT_SERVING");
  return is_serving ? ExitCode::kOk : ExitCode::kUnavailable;
}

}  // namespace sasq
