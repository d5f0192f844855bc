#include "client/enum_names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/nearest_name.h"
#include "google/protobuf/descriptor.h"

namespace sasq {
namespace {

std::string ShortName(const google::protobuf::EnumValueDescriptor& value) {
  const std::string& zero = value.type()->value(0)->name();
  const absl::string_view prefix = absl::StripSuffix(zero, "UNSPECIFIED");
  return absl::AsciiStrToLower(absl::StripPrefix(value.name(), prefix));
}

}  // namespace

std::string ShortEnumName(const google::protobuf::EnumDescriptor* type, int number) {
  const auto* value = type->FindValueByNumber(number);
  return value == nullptr ? absl::StrCat(number) : ShortName(*value);
}

std::vector<std::string> ShortEnumNames(const google::protobuf::EnumDescriptor* type) {
  std::vector<std::string> names;
  for (int i = 1; i < type->value_count(); ++i) names.push_back(ShortName(*type->value(i)));
  return names;
}

absl::StatusOr<int> ParseEnum(const google::protobuf::EnumDescriptor* type,
                              absl::string_view name) {
  const std::string wanted = absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"-", "_"}});
  for (int i = 0; i < type->value_count(); ++i) {
    const auto& value = *type->value(i);
    if (name == value.name() || (i > 0 && wanted == ShortName(value))) return value.number();
  }
  const std::vector<std::string> names = ShortEnumNames(type);
  return absl::InvalidArgumentError(absl::StrCat(
      "is \"", name, "\", want ", absl::StrJoin(names, ", "), DidYouMean(wanted, names)));
}

}  // namespace sasq
