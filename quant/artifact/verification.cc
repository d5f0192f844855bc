#include "quant/artifact/verification.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/artifact/attestation.h"
#include "quant/artifact/canonical_json.h"
#include "quant/artifact/dsse.h"
#include "quant/artifact/scale_pack.h"
#include "quant/format/checkpoint.h"

namespace sasq {
namespace {

std::string PathIn(const std::string& folder, const std::string& file_name) {
  return (std::filesystem::path(folder) / file_name).string();
}

Check Compared(std::string what, const std::string& found, const std::string& wanted) {
  if (found == wanted) return {std::move(what), true, absl::StrCat("sha256 ", found)};
  return {std::move(what), false, absl::StrCat("sha256 is ", found, ", want ", wanted)};
}

Check CheckFile(const std::string& folder, const ManifestFile& file) {
  const auto mapped = MappedFile::Open(PathIn(folder, file.file_name));
  if (!mapped.ok()) return {file.file_name, false, std::string(mapped.status().message())};
  const absl::string_view bytes = (*mapped)->bytes();
  if (static_cast<int64_t>(bytes.size()) != file.size_bytes) {
    return {file.file_name, false,
            absl::StrCat("has ", bytes.size(), " bytes, want ", file.size_bytes)};
  }
  return Compared(file.file_name, Sha256Hex(bytes), file.sha256);
}

std::string ModelDigest(const Provenance& provenance) {
  for (const InputDigest& input : provenance.inputs) {
    if (input.role == "model") return input.sha256;
  }
  return "not in the manifest";
}

// The pack's own digest, and that it is about what the manifest is about.
void CheckPack(const std::string& folder, const Manifest& manifest, std::vector<Check>& checks) {
  constexpr char kWhat[] = "scale pack";
  const absl::StatusOr<ScalePack> pack = LoadScalePack(PathIn(folder, kScalePackFileName));
  if (!pack.ok()) {
    checks.push_back({kWhat, false, std::string(pack.status().message())});
    return;
  }
  checks.push_back({kWhat, true,
                    absl::StrCat("its content digest holds, ", pack->prefill_scales.size(),
                                 " scales by ", pack->method)});
  checks.push_back(Compared("scale pack: base weights", pack->base_weight_sha256,
                            ModelDigest(manifest.provenance)));
  checks.push_back(Compared("scale pack: spec", Sha256Hex(pack->spec_json),
                            Sha256Hex(manifest.provenance.spec_json)));
}

absl::StatusOr<Check> CheckModel(const std::string& folder, const Provenance& provenance) {
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<const Checkpoint> checkpoint,
                        Checkpoint::Open(folder));
  return Compared("model", checkpoint->Digest(), ModelDigest(provenance));
}

absl::StatusOr<Check> CheckText(const std::string& path, const Provenance& provenance) {
  SASQ_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  const std::string sha256 = Sha256Hex(file->bytes());
  std::vector<std::string> roles;
  std::vector<std::string> known;
  for (const InputDigest& input : provenance.inputs) {
    if (input.role == "model") continue;
    known.push_back(absl::StrCat(input.role, " ", input.sha256));
    if (input.sha256 == sha256) roles.push_back(input.role);
  }
  Check check{absl::StrCat("text ", path), !roles.empty(), ""};
  check.detail = roles.empty() ? absl::StrCat("sha256 is ", sha256, ", want that of ",
                                              absl::StrJoin(known, " or "))
                               : absl::StrCat(absl::StrJoin(roles, ", "), ", sha256 ", sha256);
  return check;
}

// What differs between what was signed and what is there; empty if nothing does.
std::string SubjectDifference(const Subjects& signed_files, const Subjects& files) {
  for (const auto& [name, sha256] : files) {
    const auto found = signed_files.find(name);
    if (found == signed_files.end()) return absl::StrCat("does not speak of ", name);
    if (found->second != sha256) {
      return absl::StrCat("says that ", name, " has sha256 ", found->second, ", it has ", sha256);
    }
  }
  for (const auto& [name, sha256] : signed_files) {
    if (files.count(name) == 0) return absl::StrCat("speaks of ", name, ", which is not there");
  }
  return "";
}

absl::StatusOr<Check> CheckAttestation(const VerificationInputs& inputs,
                                       const FolderManifest& folder) {
  SASQ_ASSIGN_OR_RETURN(const std::string envelope,
                        ReadFile(inputs.attestation, kMaxAttestationBytes));
  Check check{"attestation", false, ""};
  const absl::StatusOr<std::string> payload =
      OpenEnvelope(envelope, kStatementPayloadType, *inputs.public_key, inputs.attestation);
  const absl::StatusOr<Subjects> subjects =
      payload.ok() ? ParseStatement(*payload, inputs.attestation) : payload.status();
  check.detail = subjects.ok()
                     ? SubjectDifference(*subjects, SubjectsOf(folder.manifest, folder.json))
                     : std::string(subjects.status().message());
  check.passed = check.detail.empty();
  if (check.passed) {
    check.detail = absl::StrCat("signed by ", inputs.public_key->KeyId().substr(0, 12), ", of ",
                                subjects->size(), " files");
  }
  return check;
}

}  // namespace

absl::StatusOr<FolderManifest> ReadManifest(const std::string& folder) {
  const std::string path = PathIn(folder, kManifestFileName);
  FolderManifest result;
  SASQ_ASSIGN_OR_RETURN(result.json, ReadFile(path, kMaxManifestBytes));
  absl::StatusOr<Manifest> manifest = ParseManifest(result.json, path);
  if (absl::IsInvalidArgument(manifest.status())) {
    return absl::DataLossError(manifest.status().message());
  }
  SASQ_RETURN_IF_ERROR(manifest.status());
  result.manifest = *std::move(manifest);
  return result;
}

absl::StatusOr<std::vector<Check>> VerifyArtifact(const FolderManifest& folder,
                                                  const VerificationInputs& inputs) {
  const Provenance& provenance = folder.manifest.provenance;
  std::vector<Check> checks;
  bool has_pack = false;
  for (const ManifestFile& file : folder.manifest.files) {
    checks.push_back(CheckFile(inputs.folder, file));
    has_pack |= file.file_name == kScalePackFileName;
  }
  if (has_pack) CheckPack(inputs.folder, folder.manifest, checks);
  if (!inputs.model_folder.empty()) {
    SASQ_ASSIGN_OR_RETURN(Check check, CheckModel(inputs.model_folder, provenance));
    checks.push_back(std::move(check));
  }
  for (const std::string& text : inputs.texts) {
    SASQ_ASSIGN_OR_RETURN(Check check, CheckText(text, provenance));
    checks.push_back(std::move(check));
  }
  if (!inputs.attestation.empty()) {
    SASQ_CHECK(inputs.public_key.has_value());
    SASQ_ASSIGN_OR_RETURN(Check check, CheckAttestation(inputs, folder));
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace sasq
