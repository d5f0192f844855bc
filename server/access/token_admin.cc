#include "server/access/token_admin.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "server/access/token.h"
#include "server/access/token_book.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

using server::v1::TokenFile;
using server::v1::TokenRecord;

// Held by one process at a time, from its reading of the tokens file to its writing.
class FileLock {
 public:
  // Waits for it.
  static absl::StatusOr<FileLock> Take(const std::string& path) {
    FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.file_ < 0) return SystemError(errno, "open", path);
    while (::flock(lock.file_, LOCK_EX) != 0) {
      if (errno != EINTR) return SystemError(errno, "lock", path);
    }
    return lock;
  }
  FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (file_ >= 0) ::close(file_);
  }

 private:
  explicit FileLock(int file) : file_(file) {}
  int file_;
};

absl::Status ChangeFile(const std::string& path,
                        absl::FunctionRef<absl::Status(TokenFile&)> change) {
  SASQ_ASSIGN_OR_RETURN(const FileLock lock, FileLock::Take(path + ".lock"));
  absl::StatusOr<TokenFile> file = ReadTokenFile(path);
  if (absl::IsNotFound(file.status())) file = TokenFile();
  SASQ_RETURN_IF_ERROR(file.status());
  SASQ_RETURN_IF_ERROR(change(*file));
  return WriteTokenFile(path, *file);
}

absl::StatusOr<TokenRecord*> FindRecord(TokenFile& file, const std::string& id) {
  for (TokenRecord& record : *file.mutable_tokens()) {
    if (record.id() == id) return &record;
  }
  return absl::NotFoundError(
      absl::StrCat("there is no token ", id, "; `sasqd token list` shows all"));
}

absl::Time ExpireTimeOf(const TokenRecord& record) {
  return record.has_expire_time() ? ToTime(record.expire_time()) : absl::InfiniteFuture();
}

// Fills in what every new record has, adds it, and returns the token.
std::string AddRecord(TokenRecord record, absl::Duration lifetime, absl::Time now,
                      TokenFile& file) {
  const Token token = NewToken();
  record.set_id(token.id);
  record.set_secret_hash(HashSecret(token.secret));
  SetTimestamp(now, record.mutable_create_time());
  record.clear_expire_time();
  if (lifetime != absl::InfiniteDuration()) {
    SetTimestamp(now + lifetime, record.mutable_expire_time());
  }
  *file.add_tokens() = std::move(record);
  return token.ToString();
}

std::string TimeText(absl::Time time) {
  return time == absl::InfiniteFuture()
             ? "never"
             : absl::FormatTime("%Y-%m-%dT%H:%MZ", time, absl::UTCTimeZone());
}

std::string TableRow(absl::string_view id, absl::string_view tenant, absl::string_view role,
                     absl::string_view made, absl::string_view expires,
                     absl::string_view description) {
  return absl::StrFormat("%-16s  %-16s  %-9s  %-17s  %-17s  %s\n", id, tenant, role, made, expires,
                         description);
}

}  // namespace

absl::StatusOr<std::string> AddToken(const std::string& path, const NewTokenOptions& options,
                                     absl::Time now) {
  TokenRecord record;
  record.set_tenant(options.tenant);
  record.set_role(options.role);
  record.set_description(options.description);
  std::string token;
  SASQ_RETURN_IF_ERROR(ChangeFile(path, [&](TokenFile& file) -> absl::Status {
    token = AddRecord(record, options.lifetime, now, file);
    return absl::OkStatus();
  }));
  return token;
}

absl::StatusOr<std::string> RotateToken(const std::string& path, const std::string& id,
                                        absl::Duration grace, absl::Time now) {
  std::string token;
  SASQ_RETURN_IF_ERROR(ChangeFile(path, [&](TokenFile& file) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(TokenRecord* const old, FindRecord(file, id));
    const absl::Time expire_time = ExpireTimeOf(*old);
    if (expire_time <= now) {
      return absl::FailedPreconditionError(
          absl::StrCat("token ", id, " expired or was revoked; add a new one"));
    }
    const absl::Duration lifetime = expire_time - ToTime(old->create_time());
    TokenRecord fresh = *old;
    SetTimestamp(std::min(expire_time, now + grace), old->mutable_expire_time());
    token = AddRecord(std::move(fresh), lifetime, now, file);
    return absl::OkStatus();
  }));
  return token;
}

absl::Status ExpireToken(const std::string& path, const std::string& id, absl::Time time) {
  return ChangeFile(path, [&](TokenFile& file) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(TokenRecord* const record, FindRecord(file, id));
    SetTimestamp(time, record->mutable_expire_time());
    return absl::OkStatus();
  });
}

absl::StatusOr<std::string> ListTokens(const std::string& path, absl::Time now) {
  SASQ_ASSIGN_OR_RETURN(const TokenFile file, ReadTokenFile(path));
  std::string text = TableRow("ID", "TENANT", "ROLE", "MADE", "EXPIRES", "DESCRIPTION");
  for (const TokenRecord& record : file.tokens()) {
    const absl::Time expire_time = ExpireTimeOf(record);
    text += TableRow(record.id(), record.tenant(), RoleName(record.role()),
                     TimeText(ToTime(record.create_time())),
                     expire_time <= now ? "refused" : TimeText(expire_time), record.description());
  }
  return text;
}

}  // namespace sasq
