#include "server/postgres_notices.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "server/postgres_pool.h"

namespace sasq {
namespace {

constexpr char kListen[] = "LISTEN sasq_jobs";
constexpr int kForever = -1;

}  // namespace

absl::Status SendNotice(PostgresConnection& connection, absl::string_view origin,
                        const StoreChange& change) {
  std::string flags;
  if (change.changed) flags += 'c';
  if (change.log_grew) flags += 'l';
  if (change.queued) flags += 'q';
  if (change.deleted) flags += 'd';
  if (flags.empty()) return absl::OkStatus();
  PostgresValues values;
  values.Text(absl::StrCat(origin, " ", flags, " ", change.job_id));
  return connection.Run("SELECT pg_notify('sasq_jobs', $1)", values).status();
}

std::optional<StoreChange> ParseNotice(absl::string_view payload, absl::string_view origin) {
  const std::vector<absl::string_view> words = absl::StrSplit(payload, ' ');
  if (words.size() != 3 || words[0] == origin) return std::nullopt;
  const auto has = [&words](char flag) { return words[1].find(flag) != absl::string_view::npos; };
  StoreChange change;
  change.job_id = std::string(words[2]);
  change.changed = has('c');
  change.log_grew = has('l');
  change.queued = has('q');
  change.deleted = has('d');
  return change;
}

PostgresListener::PostgresListener(PostgresOptions options, std::string origin,
                                   StoreChanges& changes)
    : options_(std::move(options)),
      origin_(std::move(origin)),
      changes_(changes),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Run(); }) {}

PostgresListener::~PostgresListener() {
  const uint64_t one = 1;
  SASQ_CHECK(::write(stop_.get(), &one, sizeof(one)) == sizeof(one));
  thread_.join();
}

bool PostgresListener::WaitFor(int socket, absl::Duration timeout) {
  pollfd waited[] = {{stop_.get(), POLLIN, 0}, {socket, POLLIN, 0}};
  const bool forever = timeout < absl::ZeroDuration();
  ::poll(waited, 2, forever ? kForever : static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  return (waited[0].revents & POLLIN) == 0;
}

absl::Status PostgresListener::Listen(PostgresConnection& connection) {
  SASQ_RETURN_IF_ERROR(connection.Execute(kListen));
  changes_.OnStoreGap();
  do {
    SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> payloads, connection.TakeNotices());
    for (const std::string& payload : payloads) {
      const std::optional<StoreChange> change = ParseNotice(payload, origin_);
      if (change.has_value()) changes_.OnStoreChange(*change);
    }
  } while (WaitFor(connection.socket(), absl::Milliseconds(kForever)));
  return absl::OkStatus();
}

void PostgresListener::Run() {
  Backoff backoff;
  while (true) {
    absl::StatusOr<std::unique_ptr<PostgresConnection>> connection =
        PostgresConnection::Open(options_);
    absl::Status status = connection.status();
    if (status.ok()) {
      backoff.Reset();
      status = Listen(**connection);
      if (status.ok()) return;
      LogWarning("store_notices_lost", {{"error", status}});
    }
    if (!WaitFor(-1, backoff.NextPause())) return;
  }
}

}  // namespace sasq
