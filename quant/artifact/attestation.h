// What is said of an artifact under a signature: an in-toto Statement, version 1
// (https://in-toto.io/Statement/v1), with SLSA's provenance, version 1
// (https://slsa.dev/provenance/v1). docs/provenance.md shows one.
#ifndef SASQ_QUANT_ARTIFACT_ATTESTATION_H_
#define SASQ_QUANT_ARTIFACT_ATTESTATION_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quant/artifact/manifest.h"

namespace sasq {

inline constexpr char kStatementPayloadType[] = "application/vnd.in-toto+json";

// SHA-256 by file name.
using Subjects = std::map<std::string, std::string>;

// The artifact's files by digest: those of the manifest, and the manifest itself.
Subjects SubjectsOf(const Manifest& manifest, absl::string_view manifest_json);

// The statement as one line of JSON. The same manifest always gives the same bytes.
std::string ProvenanceStatement(const Manifest& manifest, absl::string_view manifest_json);

// The subjects of a statement. INVALID_ARGUMENT, naming `what`, if it is not one of the two types
// above, or a subject has no name or no SHA-256.
absl::StatusOr<Subjects> ParseStatement(absl::string_view statement, absl::string_view what);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_ATTESTATION_H_
