// One line for every change: who, of which tenant, what, to what, with what outcome, from where.
#ifndef SASQ_SERVER_ACCESS_AUDIT_LOG_H_
#define SASQ_SERVER_ACCESS_AUDIT_LOG_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "server/access/call.h"

namespace sasq {

// Thread-safe.
class AuditLog {
 public:
  // `path`: a file that is made, readable by its owner, and appended to; empty: the server's log,
  // as events `audit`. Errors as of SystemError.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Create(std::string path, const Clock& clock);

  // Blocks on the file, which is opened anew for every line, so that it can be moved away. A line
  // that cannot be written goes to the server's log with the reason.
  void Write(const Call& call, const absl::Status& outcome);

 private:
  AuditLog(std::string path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}

  const std::string path_;
  const Clock& clock_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_ACCESS_AUDIT_LOG_H_
