#include "server/access/principal.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sasq {
namespace {

constexpr absl::string_view kPrefix = "ROLE_";

}  // namespace

std::string RoleName(Role role) {
  return absl::AsciiStrToLower(absl::StripPrefix(server::v1::Role_Name(role), kPrefix));
}

absl::StatusOr<Role> ParseRole(absl::string_view name) {
  Role role = server::v1::ROLE_UNSPECIFIED;
  const bool is_lower_case = absl::AsciiStrToLower(name) == name;
  if (is_lower_case &&
      server::v1::Role_Parse(absl::StrCat(kPrefix, absl::AsciiStrToUpper(name)), &role) &&
      role != server::v1::ROLE_UNSPECIFIED) {
    return role;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the role is \"", name, "\", want viewer, submitter, worker or admin"));
}

}  // namespace sasq
