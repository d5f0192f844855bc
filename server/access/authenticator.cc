#include "server/access/authenticator.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/log.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "server/server_status.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

using server::v1::TokenRecord;

constexpr size_t kMaxAddresses = 10'000;

absl::Status InvalidToken() {
  return WithReason(absl::UnauthenticatedError("the token is not one of this service; check which "
                                               "service it is for, or ask the operator for one"),
                    "TOKEN_INVALID");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Authenticator>> Authenticator::Create(const Options& options) {
  SASQ_ASSIGN_OR_RETURN(std::unique_ptr<TokenBook> book, TokenBook::Open(options.tokens_file));
  return std::unique_ptr<Authenticator>(new Authenticator(options, std::move(book)));
}

void Authenticator::Authenticate(absl::string_view authorization, absl::string_view address,
                                 Then then) {
  if (authorization.empty()) {
    return then(WithReason(
        absl::UnauthenticatedError("this service wants a token: send `authorization: Bearer "
                                   "TOKEN`; programs of SASQ read it from SASQ_TOKEN"),
        "TOKEN_MISSING"));
  }
  const bool is_bearer = absl::ConsumePrefix(&authorization, "Bearer ") ||
                         absl::ConsumePrefix(&authorization, "bearer ");
  const absl::StatusOr<Token> token = ParseToken(authorization);
  if (!is_bearer || !token.ok()) return then(InvalidToken());
  const std::optional<TokenRecord> record = book_->Find(token->id);
  if (!record.has_value()) return then(InvalidToken());
  absl::StatusOr<Principal> principal = PrincipalOf(*record);
  // Looked up by a digest: how long that takes says nothing of the secret.
  const std::string digest = Sha256Hex(authorization);
  if (!principal.ok() || IsRemembered(digest, *record)) return then(std::move(principal));
  const std::string from(address);
  if (IsShutOut(from)) {
    return then(WithReason(absl::ResourceExhaustedError(absl::StrCat(
                               from, " sent too many wrong tokens; mend that, then try again in ",
                               absl::FormatDuration(options_.wrong_token_window))),
                           "TOO_MANY_WRONG_TOKENS"));
  }
  {
    MutexLock lock(&mutex_);
    std::vector<Then>& waiting = waiting_[digest];
    waiting.push_back(std::move(then));
    if (waiting.size() > 1) return;  // its hash is on the way
  }
  if (hasher_.TrySubmit([this, token = *token, digest, from] { Verify(token, digest, from); })) {
    return;
  }
  for (const Then& waiting : TakeWaiting(digest)) waiting(ServerBusyStatus());
}

void Authenticator::Verify(const Token& token, const std::string& digest,
                           const std::string& address) {
  const std::optional<TokenRecord> record = book_->Find(token.id);
  absl::StatusOr<Principal> principal = InvalidToken();
  if (record.has_value() && VerifySecret(token.secret, record->secret_hash())) {
    principal = PrincipalOf(*record);
    MutexLock lock(&mutex_);
    Remember(digest, *record);
  } else {
    LogWarning("wrong_token", {{"token", token.id}, {"address", address}});
    CountWrongToken(address);
  }
  for (const Then& waiting : TakeWaiting(digest)) waiting(principal);
}

absl::StatusOr<Principal> Authenticator::PrincipalOf(const TokenRecord& record) const {
  if (record.has_expire_time() && ToTime(record.expire_time()) <= options_.clock->Now()) {
    return WithReason(
        absl::UnauthenticatedError(absl::StrCat(
            "token ", record.id(), " has expired or was revoked; ask the operator for a new one")),
        "TOKEN_EXPIRED");
  }
  return Principal{record.id(), record.tenant(), record.role()};
}

bool Authenticator::IsRemembered(const std::string& digest, const TokenRecord& record) {
  MutexLock lock(&mutex_);
  const auto found = remembered_.find(digest);
  if (found == remembered_.end()) return false;
  if (found->second.until > options_.clock->Now() && found->second.id == record.id() &&
      found->second.secret_hash == record.secret_hash()) {
    return true;
  }
  remembered_.erase(found);
  return false;
}

void Authenticator::Remember(const std::string& digest, const TokenRecord& record) {
  const absl::Time now = options_.clock->Now();
  if (remembered_.size() >= options_.max_remembered) {
    for (auto it = remembered_.begin(); it != remembered_.end();) {
      it = it->second.until <= now ? remembered_.erase(it) : std::next(it);
    }
  }
  if (remembered_.size() >= options_.max_remembered) remembered_.erase(remembered_.begin());
  remembered_[digest] = {record.id(), record.secret_hash(), now + options_.remembered_for};
}

bool Authenticator::IsShutOut(const std::string& address) {
  MutexLock lock(&mutex_);
  const auto found = wrong_.find(address);
  return found != wrong_.end() && found->second.count >= options_.max_wrong_tokens &&
         options_.clock->Now() < found->second.since + options_.wrong_token_window;
}

void Authenticator::CountWrongToken(const std::string& address) {
  const absl::Time now = options_.clock->Now();
  MutexLock lock(&mutex_);
  if (wrong_.size() >= kMaxAddresses) {
    for (auto it = wrong_.begin(); it != wrong_.end();) {
      it = it->second.since + options_.wrong_token_window <= now ? wrong_.erase(it) : std::next(it);
    }
  }
  if (wrong_.size() >= kMaxAddresses) wrong_.erase(wrong_.begin());
  WrongTokens& entry = wrong_[address];
  if (entry.since + options_.wrong_token_window <= now) entry = {now, 0};
  ++entry.count;
}

std::vector<Authenticator::Then> Authenticator::TakeWaiting(const std::string& digest) {
  MutexLock lock(&mutex_);
  const auto found = waiting_.find(digest);
  SASQ_CHECK(found != waiting_.end());
  std::vector<Then> taken = std::move(found->second);
  waiting_.erase(found);
  return taken;
}

}  // namespace sasq
