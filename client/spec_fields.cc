#include "client/spec_fields.h"

#include <cmath>
#include <cstdint>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/enum_names.h"
#include "client/nearest_name.h"
#include "common/status_macros.h"
#include "google/protobuf/duration.pb.h"

namespace sasq {
namespace {

using google::protobuf::FieldDescriptor;

absl::Status Wanted(absl::string_view text, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("is \"", text, "\", want ", wanted));
}

// Zeros that specs as the service writes them hold: shares of which 0 is none, and the percentile
// of a recipe without one.
bool MayBeZero(const FieldDescriptor& field) {
  return field.name() == "max_float_flops" || field.name() == "max_dynamic_flops" ||
         field.name() == "percentile";
}

// The longest google.protobuf.Duration.
constexpr absl::Duration kMaxDuration = absl::Seconds(315'576'000'000);

template <typename Int>
absl::StatusOr<Int> ParseInt(absl::string_view text) {
  int64_t wide = 0;
  if (!absl::SimpleAtoi(text, &wide)) return Wanted(text, "a whole number");
  const auto value = static_cast<Int>(wide);
  if (value != wide) return Wanted(text, "a whole number of at most 32 bits");
  return value;
}

// A local path with the scheme that it gets, or nothing for a scheme that is not about local files.
bool LocalPath(absl::string_view uri, absl::string_view* scheme, std::string* path) {
  *scheme = "file:";
  if (!HasScheme(uri)) {
    *path = std::string(uri);
    return true;
  }
  if (absl::StartsWith(uri, "upload:")) *scheme = "upload:";
  if (!absl::ConsumePrefix(&uri, *scheme)) return false;
  absl::ConsumePrefix(&uri, "//");  // an empty host, as in file:///models
  *path = std::string(uri);
  return true;
}

std::string ResolveUri(const std::filesystem::path& base_folder, const std::string& uri) {
  std::string local;
  absl::string_view scheme;
  if (uri.empty() || !LocalPath(uri, &scheme, &local) || local.empty()) return uri;
  std::string path = (base_folder / local).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return absl::StrCat(scheme, path);
}

absl::StatusOr<google::protobuf::Duration> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || absl::AbsDuration(duration) > kMaxDuration) {
    return Wanted(text, "a time with its unit, such as 90s, 10m or 2h30m");
  }
  const timespec spec = absl::ToTimespec(duration);
  google::protobuf::Duration value;
  value.set_seconds(spec.tv_sec);
  value.set_nanos(static_cast<int32_t>(spec.tv_nsec));
  return value;
}

}  // namespace

bool IsDuration(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == google::protobuf::Duration::descriptor();
}

absl::Status SetScalarField(google::protobuf::Message* message, const FieldDescriptor* field,
                            absl::string_view text) {
  const google::protobuf::Reflection* reflection = message->GetReflection();
  // On the wire a zero of these types is no value at all. The one int64, the seed, means its zero.
  const auto says_nothing = [field](double value) {
    return value == 0 && !field->has_presence() && !MayBeZero(*field);
  };
  constexpr absl::string_view kMoreThanZero = "more than 0, or nothing for the default";
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(message, field, std::string(text));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_INT32: {
      SASQ_ASSIGN_OR_RETURN(const int32_t value, ParseInt<int32_t>(text));
      if (says_nothing(value)) return Wanted(text, kMoreThanZero);
      reflection->SetInt32(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      SASQ_ASSIGN_OR_RETURN(const int64_t value, ParseInt<int64_t>(text));
      reflection->SetInt64(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) return Wanted(text, "a number");
      if (says_nothing(value)) return Wanted(text, kMoreThanZero);
      reflection->SetDouble(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return Wanted(text, "true or false");
      reflection->SetBool(message, field, text == "true");
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM: {
      SASQ_ASSIGN_OR_RETURN(const int value, ParseEnum(field->enum_type(), text));
      reflection->SetEnumValue(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (IsDuration(*field)) {
        SASQ_ASSIGN_OR_RETURN(const google::protobuf::Duration value, ParseDuration(text));
        reflection->MutableMessage(message, field)->CopyFrom(value);
        return absl::OkStatus();
      }
      [[fallthrough]];
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("has the type ", field->cpp_type_name(), ", which this program cannot set"));
  }
}

absl::Status AddScalar(google::protobuf::Message* message, const FieldDescriptor* field,
                       absl::string_view text) {
  const google::protobuf::Reflection* reflection = message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->AddString(message, field, std::string(text));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_INT32: {
      SASQ_ASSIGN_OR_RETURN(const int32_t value, ParseInt<int32_t>(text));
      reflection->AddInt32(message, field, value);
      return absl::OkStatus();
    }
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("is a list of ", field->cpp_type_name(), ", which this program cannot set"));
  }
}

absl::Status SetFieldAt(v1::JobSpec* spec, absl::string_view path, absl::string_view text) {
  google::protobuf::Message* message = spec;
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0;; ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(names[i]);
    SASQ_CHECK(field != nullptr);
    if (i + 1 == names.size()) return SetScalarField(message, field, text);
    message = message->GetReflection()->MutableMessage(message, field);
  }
}

std::vector<std::string> FieldNames(const google::protobuf::Descriptor* type) {
  std::vector<std::string> names;
  names.reserve(static_cast<size_t>(type->field_count()));
  for (int i = 0; i < type->field_count(); ++i) names.push_back(type->field(i)->name());
  return names;
}

absl::Status ParseRecipe(absl::string_view text, v1::Recipe* recipe) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  const absl::StatusOr<int> preset = ParseEnum(v1::Preset_descriptor(), parts[0]);
  const absl::StatusOr<int> method = ParseEnum(v1::Method_descriptor(), parts[0]);
  if (preset.ok()) {
    recipe->set_preset(static_cast<v1::Preset>(*preset));
  } else if (method.ok()) {
    recipe->set_method(static_cast<v1::Method>(*method));
  } else {
    std::vector<std::string> names = ShortEnumNames(v1::Method_descriptor());
    for (std::string& name : ShortEnumNames(v1::Preset_descriptor())) names.push_back(name);
    return Wanted(parts[0], absl::StrCat(absl::StrJoin(names, ", "), DidYouMean(parts[0], names)));
  }
  if (parts.size() == 1) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const int first_token, ParseEnum(v1::FirstToken_descriptor(), parts[1]));
  recipe->set_first_token(static_cast<v1::FirstToken>(first_token));
  return absl::OkStatus();
}

absl::Status ParseNamedText(absl::string_view text, v1::NamedText* named) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) {
    return Wanted(text, "NAME=FILE, such as code=corpus/code.txt");
  }
  named->set_name(parts[0]);
  named->mutable_text()->set_uri(parts[1]);
  return absl::OkStatus();
}

bool HasScheme(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos || colon == 0 || !absl::ascii_isalpha(text[0])) return false;
  for (const char c : text.substr(0, colon)) {
    if (!absl::ascii_isalnum(c) && c != '+' && c != '-' && c != '.') return false;
  }
  return true;
}

void ForEachUri(v1::JobSpec* spec,
                absl::FunctionRef<void(std::string* uri, bool is_uploaded)> change) {
  const auto change_text = [&](v1::TextSource* text) {
    change(text->mutable_uri(), text->has_file());
  };
  if (spec->has_model()) {
    change(spec->mutable_model()->mutable_uri(), spec->model().files_size() > 0);
  }
  if (spec->has_training_text()) change_text(spec->mutable_training_text());
  if (spec->has_evaluation_text()) change_text(spec->mutable_evaluation_text());
  if (!spec->has_evaluation()) return;
  v1::EvaluationOptions& evaluation = *spec->mutable_evaluation();
  for (auto* list : {evaluation.mutable_other_texts(), evaluation.mutable_tasks()}) {
    for (v1::NamedText& named : *list) {
      if (named.has_text()) change_text(named.mutable_text());
    }
  }
  if (evaluation.has_prompts()) change_text(evaluation.mutable_prompts());
}

void ResolveUris(const std::string& base_folder, v1::JobSpec* spec) {
  const std::filesystem::path base(base_folder);
  ForEachUri(spec, [&base](std::string* uri, bool is_uploaded) {
    if (!is_uploaded) *uri = ResolveUri(base, *uri);
  });
}

}  // namespace sasq
