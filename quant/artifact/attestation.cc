#include "quant/artifact/attestation.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/artifact/json_fields.h"

namespace sasq {
namespace {

using nlohmann::ordered_json;

constexpr char kStatementType[] = "https://in-toto.io/Statement/v1";
constexpr char kPredicateType[] = "https://slsa.dev/provenance/v1";
constexpr char kBuildType[] = "urn:sasq:job:v1";
constexpr char kBuilderId[] = "urn:sasq:worker";
// The digest of a model is that of a list of files, so it has a name of its own.
constexpr char kModelAlgorithm[] = "sasqBaseWeights";

ordered_json DependenciesOf(const Provenance& provenance) {
  ordered_json dependencies = ordered_json::array();
  for (const InputDigest& input : provenance.inputs) {
    dependencies.push_back(
        {{"name", input.role},
         {"uri", input.uri},
         {"digest", {{input.role == "model" ? kModelAlgorithm : "sha256", input.sha256}}}});
  }
  return dependencies;
}

}  // namespace

Subjects SubjectsOf(const Manifest& manifest, absl::string_view manifest_json) {
  Subjects subjects;
  for (const ManifestFile& file : manifest.files) subjects[file.file_name] = file.sha256;
  subjects[kManifestFileName] = Sha256Hex(manifest_json);
  return subjects;
}

std::string ProvenanceStatement(const Manifest& manifest, absl::string_view manifest_json) {
  const Provenance& provenance = manifest.provenance;
  ordered_json subjects = ordered_json::array();
  for (const auto& [name, sha256] : SubjectsOf(manifest, manifest_json)) {
    subjects.push_back({{"name", name}, {"digest", {{"sha256", sha256}}}});
  }
  const ordered_json definition = {
      {"buildType", kBuildType},
      {"externalParameters",
       {{"spec", ordered_json::parse(provenance.spec_json, nullptr, /*allow_exceptions=*/false)}}},
      {"internalParameters",
       {{"device_kind", provenance.device_kind},
        {"device_name", provenance.device_name},
        {"kernel_path", provenance.kernel_path},
        {"thread_count", provenance.thread_count}}},
      {"resolvedDependencies", DependenciesOf(provenance)}};
  const ordered_json builder = {{"id", kBuilderId},
                                {"version", {{"sasq", provenance.code_version}}}};
  const ordered_json statement = {
      {"_type", kStatementType},
      {"subject", std::move(subjects)},
      {"predicateType", kPredicateType},
      {"predicate", {{"buildDefinition", definition}, {"runDetails", {{"builder", builder}}}}}};
  return statement.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

absl::StatusOr<Subjects> ParseStatement(absl::string_view statement, absl::string_view what) {
  SASQ_ASSIGN_OR_RETURN(const nlohmann::json document, ParseArtifactJson(statement, what));
  absl::Status status;
  const JsonFields root(document, std::string(what), &status);
  if (root.String("_type") != kStatementType) root.Refuse("_type", kStatementType);
  if (root.String("predicateType") != kPredicateType) root.Refuse("predicateType", kPredicateType);
  Subjects subjects;
  for (const JsonFields& subject : root.Objects("subject")) {
    const std::string name = subject.String("name");
    if (!subjects.emplace(name, subject.Object("digest").Sha256("sha256")).second) {
      subject.Refuse("name", "each file once");
    }
  }
  SASQ_RETURN_IF_ERROR(status);
  return subjects;
}

}  // namespace sasq
