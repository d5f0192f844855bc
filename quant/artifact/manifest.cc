#include "quant/artifact/manifest.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/artifact/canonical_json.h"
#include "quant/artifact/json_fields.h"
#include "quant/artifact/provenance_json.h"

namespace sasq {
namespace {

using nlohmann::ordered_json;

constexpr int kFormatVersion = 2;

// A name that stays inside the artifact's folder.
bool IsPlainFileName(const std::string& name) {
  return !name.empty() && name.size() <= 128 && name[0] != '.' &&
         name.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
             std::string::npos;
}

void ReadFiles(const JsonFields& root, Manifest& manifest) {
  std::set<std::string> names;
  for (const JsonFields& entry : root.Objects("files")) {
    ManifestFile& file = manifest.files.emplace_back();
    file.file_name = entry.String("file_name");
    file.sha256 = entry.Sha256("sha256");
    file.size_bytes = entry.Count("size_bytes");
    file.reproducible = entry.Bool("reproducible");
    if (!IsPlainFileName(file.file_name) || file.file_name == kManifestFileName ||
        !names.insert(file.file_name).second) {
      entry.Refuse("file_name", "the plain name of another file than the manifest, once");
    }
  }
}

void ReadProvenance(const JsonFields& fields, Provenance& provenance) {
  provenance.code_version = fields.String("code_version");
  provenance.device_kind = fields.String("device_kind");
  provenance.device_name = fields.String("device_name");
  provenance.kernel_path = fields.String("kernel_path");
  const int64_t thread_count = fields.Count("thread_count");
  provenance.thread_count = static_cast<int>(thread_count);
  if (provenance.thread_count != thread_count) fields.Refuse("thread_count", "a small number");
  for (const JsonFields& input : fields.Objects("inputs")) {
    provenance.inputs.push_back(
        {input.String("role"), input.String("uri"), input.Sha256("sha256")});
  }
  const absl::StatusOr<std::string> spec =
      CanonicalJson(fields.Object("spec").value().dump(), "spec");
  if (!spec.ok() || Sha256Hex(*spec) != fields.Sha256("spec_sha256")) {
    fields.Refuse("spec_sha256", "the SHA-256 of spec as canonical JSON");
  }
  provenance.spec_json = spec.value_or("");
}

}  // namespace

std::string ManifestJson(const Manifest& manifest) {
  ordered_json files = ordered_json::array();
  for (const ManifestFile& file : manifest.files) {
    files.push_back({{"file_name", file.file_name},
                     {"sha256", file.sha256},
                     {"size_bytes", file.size_bytes},
                     {"reproducible", file.reproducible}});
  }
  return JsonText({{"format_version", kFormatVersion},
                   {"files", std::move(files)},
                   {"rejected", manifest.rejected},
                   {"provenance", ProvenanceToJson(manifest.provenance)}});
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view json, absl::string_view what) {
  SASQ_ASSIGN_OR_RETURN(const nlohmann::json document, ParseArtifactJson(json, what));
  absl::Status status;
  const JsonFields root(document, std::string(what), &status);
  const int64_t version = root.Count("format_version");
  SASQ_RETURN_IF_ERROR(status);
  if (version != kFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat(what, ": format_version is ", version,
                                                      ", this program reads ", kFormatVersion,
                                                      "; use one that fits"));
  }
  Manifest manifest;
  ReadFiles(root, manifest);
  manifest.rejected = root.Bool("rejected");
  ReadProvenance(root.Object("provenance"), manifest.provenance);
  SASQ_RETURN_IF_ERROR(status);
  return manifest;
}

}  // namespace sasq
