#include "quant/artifact/dsse.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/artifact/json_fields.h"

namespace sasq {
namespace {

// Both alphabets of RFC 4648 are allowed.
std::string Decode(const JsonFields& fields, absl::string_view key) {
  const std::string text = fields.String(key);
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes) && !absl::WebSafeBase64Unescape(text, &bytes)) {
    fields.Refuse(key, "base64");
  }
  return bytes;
}

}  // namespace

std::string DsseEncoding(absl::string_view payload_type, absl::string_view payload) {
  return absl::StrCat("DSSEv1 ", payload_type.size(), " ", payload_type, " ", payload.size(), " ",
                      payload);
}

std::string SignEnvelope(absl::string_view payload_type, absl::string_view payload,
                         const Ed25519PrivateKey& key) {
  const std::string signature = key.Sign(DsseEncoding(payload_type, payload));
  const nlohmann::ordered_json envelope = {
      {"payload", absl::Base64Escape(payload)},
      {"payloadType", std::string(payload_type)},
      {"signatures",
       {{{"keyid", key.public_key().KeyId()}, {"sig", absl::Base64Escape(signature)}}}}};
  return envelope.dump() + "\n";
}

absl::StatusOr<std::string> OpenEnvelope(absl::string_view envelope, absl::string_view payload_type,
                                         const Ed25519PublicKey& key, absl::string_view what) {
  SASQ_ASSIGN_OR_RETURN(const nlohmann::json document, ParseArtifactJson(envelope, what));
  absl::Status status;
  const JsonFields root(document, std::string(what), &status);
  const std::string type = root.String("payloadType");
  std::string payload = Decode(root, "payload");
  std::vector<std::string> signatures;
  for (const JsonFields& signature : root.Objects("signatures")) {
    signatures.push_back(Decode(signature, "sig"));
  }
  SASQ_RETURN_IF_ERROR(status);
  const std::string signed_bytes = DsseEncoding(type, payload);
  const bool is_signed = std::any_of(
      signatures.begin(), signatures.end(),
      [&](const std::string& signature) { return key.Verify(signed_bytes, signature); });
  if (!is_signed) {
    return absl::PermissionDeniedError(
        absl::StrCat(what, ": none of its ", signatures.size(),
                     signatures.size() == 1 ? " signature" : " signatures",
                     " is that of the public key ", key.KeyId().substr(0, 12)));
  }
  if (type != payload_type) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": payloadType is \"", type.substr(0, 128), "\", want ", payload_type));
  }
  return payload;
}

}  // namespace sasq
