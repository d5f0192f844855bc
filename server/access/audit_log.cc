#include "server/access/audit_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

// One write, so that lines of several threads and processes do not mix.
absl::Status AppendLine(const std::string& path, absl::string_view line) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return SystemError(errno, "open", path);
  absl::Status status;
  if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    status = SystemError(errno, "append to", path);
  }
  ::close(file);
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Create(std::string path, const Clock& clock) {
  if (!path.empty()) SASQ_RETURN_IF_ERROR(AppendLine(path, ""));
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(path), clock));
}

void AuditLog::Write(const Call& call, const absl::Status& outcome) {
  const Principal& who = call.principal;
  const std::initializer_list<LogField> fields = {
      {"token", who.token_id.empty() ? "none" : who.token_id},
      {"tenant", who.tenant},
      {"role", who.token_id.empty() ? "none" : RoleName(who.role)},
      {"method", RuleOf(call.rpc).method},
      {"resource", call.resource},
      {"outcome", absl::StatusCodeToString(outcome.code())},
      {"reason", ReasonOf(outcome)},
      {"peer", call.peer},
      {"request", call.request_id},
      {"trace", call.trace_id()}};
  if (path_.empty()) return LogInfo("audit", fields);
  std::vector<LogField> all = {LogTime(clock_.Now()), {"event", "audit"}};
  all.insert(all.end(), fields.begin(), fields.end());
  const std::string line = FormatLogLine(all);
  const absl::Status written = AppendLine(path_, line + "\n");
  if (!written.ok()) LogError("audit_not_written", {{"error", written}, {"line", line}});
}

}  // namespace sasq
