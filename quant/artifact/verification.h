// Whether an artifact is what its manifest says, and its manifest what a signature says.
#ifndef SASQ_QUANT_ARTIFACT_VERIFICATION_H_
#define SASQ_QUANT_ARTIFACT_VERIFICATION_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ed25519.h"
#include "quant/artifact/manifest.h"

namespace sasq {

inline constexpr int64_t kMaxManifestBytes = 4 << 20;
inline constexpr int64_t kMaxAttestationBytes = 16 << 20;

// One thing that was looked at.
struct Check {
  std::string what;  // such as `scales.safetensors` or `attestation`
  bool passed = false;
  std::string detail;  // the digest that was found, or what is wrong
};

struct VerificationInputs {
  std::string folder;  // the artifact's files
  // Optional: what it was made from, and what vouches for it.
  std::string model_folder;        // base weights; empty: not looked at
  std::vector<std::string> texts;  // files of texts, tasks and prompts
  std::string attestation;         // file with one envelope; empty: none. Then with a key:
  std::optional<Ed25519PublicKey> public_key;
};

// The manifest of a folder, and its bytes.
struct FolderManifest {
  Manifest manifest;
  std::string json;
};
// NOT_FOUND if there is none, DATA_LOSS if it is damaged, FAILED_PRECONDITION if its version is
// another one.
absl::StatusOr<FolderManifest> ReadManifest(const std::string& folder);

// Recomputes every digest: of the files that the manifest lists, of what the scale pack holds, and
// of the inputs that are given. `folder`: the manifest of inputs.folder. A check that fails says
// what differs; an error means that one of the inputs could not be read at all.
absl::StatusOr<std::vector<Check>> VerifyArtifact(const FolderManifest& folder,
                                                  const VerificationInputs& inputs);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_VERIFICATION_H_
