// Signed envelopes: DSSE, the Dead Simple Signing Envelope
// (https://github.com/secure-systems-lab/dsse, protocol.md and envelope.md), with Ed25519.
#ifndef SASQ_QUANT_ARTIFACT_DSSE_H_
#define SASQ_QUANT_ARTIFACT_DSSE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ed25519.h"

namespace sasq {

// What is signed, PAE(type, body) in the protocol: "DSSEv1", the type and the payload, each after
// its length in bytes, separated by blanks.
std::string DsseEncoding(absl::string_view payload_type, absl::string_view payload);

// One line of JSON, ended by a line feed: {"payload": BASE64, "payloadType": ..., "signatures":
// [{"keyid": Ed25519PublicKey::KeyId, "sig": BASE64}]}.
std::string SignEnvelope(absl::string_view payload_type, absl::string_view payload,
                         const Ed25519PrivateKey& key);

// The payload of an envelope of one JSON object, once any of its signatures is found to be that of
// `key`. `keyid` is a hint only and not looked at. `what` names the envelope in errors:
// INVALID_ARGUMENT if it is malformed or of another payload type, PERMISSION_DENIED if no signature
// is that of the key. Nothing of the payload is read before.
absl::StatusOr<std::string> OpenEnvelope(absl::string_view envelope, absl::string_view payload_type,
                                         const Ed25519PublicKey& key, absl::string_view what);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_DSSE_H_
