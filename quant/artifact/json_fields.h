// Typed fields of JSON from outside, for the readers of artifacts. Include it in sources, not in
// headers.
#ifndef SASQ_QUANT_ARTIFACT_JSON_FIELDS_H_
#define SASQ_QUANT_ARTIFACT_JSON_FIELDS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Parses one JSON object that has no key twice and nests at most 64 levels deep. INVALID_ARGUMENT
// names `what`.
absl::StatusOr<nlohmann::json> ParseArtifactJson(absl::string_view text, absl::string_view what);

// One object. The first field that is missing or not what it should be is kept as INVALID_ARGUMENT
// in a status that all objects of a document share; getters give an empty value then, so that a
// reader asks for everything and looks at the status once.
class JsonFields {
 public:
  // `path`: of the object, for errors, such as `manifest.json: provenance`. Both outlive this.
  JsonFields(const nlohmann::json& object, std::string path, absl::Status* first_error);

  bool Has(absl::string_view key) const;  // there, and not null
  std::string String(absl::string_view key) const;
  std::string Sha256(absl::string_view key) const;  // 64 lower-case hexadecimal digits
  int64_t Count(absl::string_view key) const;       // 0 or more
  double Number(absl::string_view key) const;
  bool Bool(absl::string_view key) const;
  JsonFields Object(absl::string_view key) const;
  std::vector<JsonFields> Objects(absl::string_view key) const;  // an array of them
  // The object itself.
  const nlohmann::json& value() const { return object_; }

  // Keeps an error of the caller about a field.
  void Refuse(absl::string_view key, absl::string_view wanted) const;

 private:
  const nlohmann::json& Find(absl::string_view key) const;

  const nlohmann::json& object_;
  const std::string path_;
  absl::Status* const first_error_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_JSON_FIELDS_H_
