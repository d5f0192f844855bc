// Short names of the API's enums: METHOD_STATIC_MSE is `static_mse`.
#ifndef SASQ_CLIENT_ENUM_NAMES_H_
#define SASQ_CLIENT_ENUM_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class EnumDescriptor;
}  // namespace google::protobuf

namespace sasq {

// The name of `number` in lower case without the enum's prefix; the number where this program does
// not know it. By the rule that an enum's zero is PREFIX_UNSPECIFIED.
std::string ShortEnumName(const google::protobuf::EnumDescriptor* type, int number);

// Short names of every value but zero.
std::vector<std::string> ShortEnumNames(const google::protobuf::EnumDescriptor* type);

// The number of a short name (`-` counts as `_`) or of a full one; the zero has only its full name.
// INVALID_ARGUMENT lists the short names.
absl::StatusOr<int> ParseEnum(const google::protobuf::EnumDescriptor* type, absl::string_view name);

}  // namespace sasq

#endif  // SASQ_CLIENT_ENUM_NAMES_H_
