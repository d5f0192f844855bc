// Who makes a call.
#ifndef SASQ_SERVER_ACCESS_PRINCIPAL_H_
#define SASQ_SERVER_ACCESS_PRINCIPAL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sasq/server/v1/token_file.pb.h"

namespace sasq {

using server::v1::Role;

struct Principal {
  std::string token_id;  // public half of the token; empty: the server asks for none
  std::string tenant;    // whose jobs the caller has; empty: as above
  Role role = server::v1::ROLE_ADMIN;

  bool sees_all_tenants() const { return role == server::v1::ROLE_ADMIN; }
  // Whether a job, or whatever else, of `owner` is there for the caller.
  bool Sees(absl::string_view owner) const { return sees_all_tenants() || tenant == owner; }
};

// "viewer", "submitter", "worker" or "admin".
std::string RoleName(Role role);

// INVALID_ARGUMENT for any other name.
absl::StatusOr<Role> ParseRole(absl::string_view name);

}  // namespace sasq

#endif  // SASQ_SERVER_ACCESS_PRINCIPAL_H_
