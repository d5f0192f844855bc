// From the `authorization` of a call to who makes it.
#ifndef SASQ_SERVER_ACCESS_AUTHENTICATOR_H_
#define SASQ_SERVER_ACCESS_AUTHENTICATOR_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/mutex.h"
#include "server/access/principal.h"
#include "server/access/token.h"
#include "server/access/token_book.h"

namespace sasq {

// Checks bearer tokens against the tokens file. A password hash is slow on purpose, so a token that
// was right is remembered by its SHA-256 for a while, hashes are computed one at a time on a thread
// of their own, few calls wait for it, and an address that sends wrong tokens is not listened to
// for the rest of a minute. Thread-safe.
class Authenticator {
 public:
  struct Options {
    std::string tokens_file;
    // A record that is revoked, expired or gone counts at once, remembered or not.
    absl::Duration remembered_for = absl::Minutes(5);
    size_t max_remembered = 10'000;  // tokens
    size_t max_waiting = 128;        // tokens to be hashed
    int max_wrong_tokens = 20;       // of one address, in wrong_token_window
    absl::Duration wrong_token_window = absl::Minutes(1);
    const Clock* clock = Clock::Real();
  };
  // Told on the caller's thread or on the one that hashes; quick.
  using Then = std::function<void(absl::StatusOr<Principal>)>;

  // Errors as of TokenBook::Open.
  static absl::StatusOr<std::unique_ptr<Authenticator>> Create(const Options& options);

  // `authorization`: the header's value, empty if there is none. `address`: of the caller, without
  // its port. Tells `then` who it is, or UNAUTHENTICATED (TOKEN_MISSING, TOKEN_INVALID,
  // TOKEN_EXPIRED) or RESOURCE_EXHAUSTED (TOO_MANY_WRONG_TOKENS, SERVER_BUSY).
  void Authenticate(absl::string_view authorization, absl::string_view address, Then then)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // As TokenBook::Reload.
  absl::Status Reload() { return book_->Reload(); }

  // Answers what waits; afterwards nothing is told any more.
  void Stop() { hasher_.Stop(); }

 private:
  // What is known of a token by the SHA-256 of its text.
  struct Remembered {
    std::string id;
    std::string secret_hash;  // that it matched
    absl::Time until;
  };
  struct WrongTokens {
    absl::Time since;
    int count = 0;
  };

  Authenticator(const Options& options, std::unique_ptr<TokenBook> book)
      : options_(options),
        book_(std::move(book)),
        hasher_({.thread_count = 1, .max_queued = options.max_waiting}) {}

  // Who a record stands for, unless it is expired.
  absl::StatusOr<Principal> PrincipalOf(const server::v1::TokenRecord& record) const;
  bool IsRemembered(const std::string& digest, const server::v1::TokenRecord& record)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Hashes, on the thread for it, and tells everyone who waits for this digest.
  void Verify(const Token& token, const std::string& digest, const std::string& address)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remember(const std::string& digest, const server::v1::TokenRecord& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsShutOut(const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  void CountWrongToken(const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<Then> TakeWaiting(const std::string& digest) ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  const Options options_;
  const std::unique_ptr<TokenBook> book_;

  Mutex mutex_;
  std::unordered_map<std::string, Remembered> remembered_ ABSL_GUARDED_BY(mutex_);      // by digest
  std::unordered_map<std::string, std::vector<Then>> waiting_ ABSL_GUARDED_BY(mutex_);  // by digest
  std::map<std::string, WrongTokens> wrong_ ABSL_GUARDED_BY(mutex_);  // by address

  Executor hasher_;  // last: uses the members above
};

}  // namespace sasq

#endif  // SASQ_SERVER_ACCESS_AUTHENTICATOR_H_
