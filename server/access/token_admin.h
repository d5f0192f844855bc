// What an operator does to tokens: offline, on the tokens file, which a running coordinator reads
// again within seconds. Changes of several processes come one after the other.
#ifndef SASQ_SERVER_ACCESS_TOKEN_ADMIN_H_
#define SASQ_SERVER_ACCESS_TOKEN_ADMIN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/access/principal.h"

namespace sasq {

struct NewTokenOptions {
  std::string tenant;
  Role role = server::v1::ROLE_UNSPECIFIED;
  std::string description;
  absl::Duration lifetime = absl::InfiniteDuration();  // more than 0
};

// Each reads the file, changes it and writes it. Errors as of ReadTokenFile; NOT_FOUND for an
// unknown id.

// Makes a token, and the file if there is none; returns the token, which nothing can show again.
absl::StatusOr<std::string> AddToken(const std::string& path, const NewTokenOptions& options,
                                     absl::Time now);

// Makes a token with the tenant, role, description and lifetime of another one, which stays valid
// for `grace` so that its users can change over. Returns the new one. FAILED_PRECONDITION if the
// old one is refused already.
absl::StatusOr<std::string> RotateToken(const std::string& path, const std::string& id,
                                        absl::Duration grace, absl::Time now);

// Lets a token be refused from `time` on.
absl::Status ExpireToken(const std::string& path, const std::string& id, absl::Time time);

// The tokens as a table for people: id, tenant, role, made, expires, description.
absl::StatusOr<std::string> ListTokens(const std::string& path, absl::Time now);

}  // namespace sasq

#endif  // SASQ_SERVER_ACCESS_TOKEN_ADMIN_H_
