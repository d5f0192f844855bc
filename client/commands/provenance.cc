#include "client/commands/provenance.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/artifact_folder.h"
#include "client/proto_output.h"
#include "client/table.h"
#include "client/text.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/artifact/attestation.h"
#include "quant/artifact/dsse.h"
#include "quant/artifact/verification.h"

namespace sasq {
namespace {

constexpr char kAttestationFileName[] = "provenance.intoto.jsonl";
constexpr char kPassphraseVariable[] = "SASQ_KEY_PASSPHRASE";
constexpr int64_t kMaxKeyBytes = 64 << 10;

absl::StatusOr<std::unique_ptr<const ArtifactFolder>> OpenFolder(const CommandContext& context,
                                                                 const std::string& typed) {
  Reconnector reconnector =
      context.MakeReconnector([&context](const std::string& line) { context.console.Note(line); });
  return ArtifactFolder::Open(context.client, typed, reconnector);
}

std::vector<std::string> FailedChecks(const std::vector<Check>& checks) {
  std::vector<std::string> failed;
  for (const Check& check : checks) {
    if (!check.passed) failed.push_back(CleanLine(absl::StrCat(check.what, ": ", check.detail)));
  }
  return failed;
}

void PrintChecks(const CommandContext& context, const std::string& name,
                 const std::vector<Check>& checks) {
  OutputStream& out = context.console.out;
  if (!context.wants_table()) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Check& check : checks) {
      list.push_back({{"what", check.what}, {"passed", check.passed}, {"detail", check.detail}});
    }
    const nlohmann::ordered_json result = {
        {"artifact", name}, {"passed", FailedChecks(checks).empty()}, {"checks", list}};
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    out.Write(FormatJson(result.dump(1, ' ', false, replace) + "\n", context.globals.output));
    return;
  }
  Table table({{"check"}, {"", Table::Align::kLeft}, {"found"}});
  for (const Check& check : checks) {
    table.AddRow(
        {check.what,
         {check.passed ? "ok" : "differs", check.passed ? TextColor::kGreen : TextColor::kRed},
         check.detail});
  }
  out.Write(table.Render(out.style(), /*max_width=*/1000));  // a digest is of use only whole
}

// For everyone who only reads the exit code of `verify`: what the job's gates said.
void NoteRejection(const CommandContext& context, const Manifest& manifest) {
  if (manifest.rejected) {
    context.console.Note("note: the artifact was rejected by its job's quality gates");
  }
}

std::optional<std::string> Passphrase() {
  const char* const value = std::getenv(kPassphraseVariable);
  if (value == nullptr) return std::nullopt;
  return value;
}

absl::StatusOr<Ed25519PrivateKey> ReadPrivateKey(const std::string& path) {
  SASQ_ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, kMaxKeyBytes));
  absl::StatusOr<Ed25519PrivateKey> key = Ed25519PrivateKey::FromPem(pem, Passphrase(), path);
  if (key.ok()) return key;
  return absl::InvalidArgumentError(absl::StrCat(
      key.status().message(), "; an encrypted key is opened by $", kPassphraseVariable));
}

// Writes the attestation unless another one is there.
absl::Status WriteAttestation(const std::string& path, const std::string& envelope, bool force) {
  std::error_code ignored;
  if (!force && std::filesystem::exists(path, ignored)) {
    const absl::StatusOr<std::string> there = ReadFile(path, kMaxAttestationBytes);
    if (there.ok() && *there == envelope) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        path, " exists with other content; choose another --out, or replace it with --force"));
  }
  return WriteFileDurably(path, envelope);
}

}  // namespace

absl::StatusOr<ExitCode> RunVerify(const CommandContext& context, const VerifyOptions& options) {
  VerificationInputs inputs;
  inputs.model_folder = options.model_folder;
  inputs.texts = options.texts;
  inputs.attestation = options.attestation;
  if (!options.public_key.empty()) {
    SASQ_ASSIGN_OR_RETURN(const std::string pem, ReadFile(options.public_key, kMaxKeyBytes));
    SASQ_ASSIGN_OR_RETURN(inputs.public_key, Ed25519PublicKey::FromPem(pem, options.public_key));
  }
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<const ArtifactFolder> folder,
                        OpenFolder(context, options.job_or_folder));
  inputs.folder = folder->path();
  SASQ_ASSIGN_OR_RETURN(const FolderManifest manifest, ReadManifest(folder->path()));
  SASQ_ASSIGN_OR_RETURN(const std::vector<Check> checks, VerifyArtifact(manifest, inputs));
  PrintChecks(context, folder->name(), checks);
  NoteRejection(context, manifest.manifest);
  const std::vector<std::string> failed = FailedChecks(checks);
  if (failed.empty()) return ExitCode::kOk;
  context.console.err.WriteLine(
      absl::StrCat("sasq: ", CleanLine(folder->name()), " differs: ", absl::StrJoin(failed, "; ")));
  return ExitCode::kFailed;
}

absl::StatusOr<ExitCode> RunSign(const CommandContext& context, const SignOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const Ed25519PrivateKey key, ReadPrivateKey(options.key));
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<const ArtifactFolder> folder,
                        OpenFolder(context, options.job_or_folder));
  VerificationInputs inputs;
  inputs.folder = folder->path();
  SASQ_ASSIGN_OR_RETURN(const FolderManifest manifest, ReadManifest(folder->path()));
  SASQ_ASSIGN_OR_RETURN(const std::vector<Check> checks, VerifyArtifact(manifest, inputs));
  const std::vector<std::string> failed = FailedChecks(checks);
  if (!failed.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        folder->name(),
        " differs from its manifest and is not signed: ", absl::StrJoin(failed, "; ")));
  }
  std::string path = options.out;
  if (path.empty()) {
    const std::string beside = folder->is_temporary() ? "." : folder->path();
    path = (std::filesystem::path(beside) / kAttestationFileName).lexically_normal().string();
  }
  const std::string envelope = SignEnvelope(
      kStatementPayloadType, ProvenanceStatement(manifest.manifest, manifest.json), key);
  SASQ_RETURN_IF_ERROR(WriteAttestation(path, envelope, options.force));
  if (context.wants_table()) {
    context.console.out.WriteLine(path);
  } else {
    const nlohmann::ordered_json result = {{"path", path}, {"key_id", key.public_key().KeyId()}};
    context.console.out.Write(FormatJson(result.dump(1) + "\n", context.globals.output));
  }
  NoteRejection(context, manifest.manifest);
  return ExitCode::kOk;
}

}  // namespace sasq
