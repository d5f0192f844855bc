// Fields of a message by name, filled from text: the common ground of spec files and flags.
#ifndef SASQ_CLIENT_SPEC_FIELDS_H_
#define SASQ_CLIENT_SPEC_FIELDS_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// Whether a field is a google.protobuf.Duration, which is written as one word: `90s` or `2h30m`.
bool IsDuration(const google::protobuf::FieldDescriptor& field);

// Sets a field that is neither repeated nor a message other than a Duration. INVALID_ARGUMENT says
// what is wrong with the text and what was wanted, without the field's name: `is "x", want a whole
// number`. A zero that the service would take for "not said" is refused; other ranges are left to
// the service.
absl::Status SetScalarField(google::protobuf::Message* message,
                            const google::protobuf::FieldDescriptor* field, absl::string_view text);

// Adds an entry to a repeated field that is no message. INVALID_ARGUMENT as above.
absl::Status AddScalar(google::protobuf::Message* message,
                       const google::protobuf::FieldDescriptor* field, absl::string_view text);

// Sets the field that a dotted path such as `recipe.training.step_count` leads to. The path must
// exist.
absl::Status SetFieldAt(v1::JobSpec* spec, absl::string_view path, absl::string_view text);

// Names of a message's fields.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor* type);

// A recipe in short form: METHOD or PRESET, alone or with `:FIRST_TOKEN`, such as `sasq_max` or
// `static_mse:float`.
absl::Status ParseRecipe(absl::string_view text, v1::Recipe* recipe);

// A named text in short form: NAME=FILE.
absl::Status ParseNamedText(absl::string_view text, v1::NamedText* named);

// Writes the URIs of a spec in the form that the service wants: a path, or `file:` and a
// path, becomes `file:` and the absolute path, relative ones starting at `base_folder`. The same
// with `upload:` where the spec has no uploaded files yet: what is to be uploaded. Other schemes
// stay.
void ResolveUris(const std::string& base_folder, v1::JobSpec* spec);

// Calls `change` for the model's URI and for that of every text that is there, each with whether
// the spec has its uploaded files.
void ForEachUri(v1::JobSpec* spec,
                absl::FunctionRef<void(std::string* uri, bool is_uploaded)> change);

// Whether `text` begins with a URI scheme.
bool HasScheme(absl::string_view text);

}  // namespace sasq

#endif  // SASQ_CLIENT_SPEC_FIELDS_H_
