#include "quant/format/model_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"

namespace sasq {

absl::Status InvalidModel(absl::string_view message) {
  return WithReason(absl::InvalidArgumentError(message), "INVALID_MODEL");
}

absl::Status UnsupportedModel(absl::string_view message) {
  return WithReason(absl::InvalidArgumentError(message), "UNSUPPORTED_MODEL");
}

absl::Status ModelFileError(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return InvalidModel(absl::StrCat(
          status.message(),
          "; want a Hugging Face folder with config.json, *.safetensors and tokenizer.json or "
          "tokenizer.model, at the same path on the machine that reads it"));
    case absl::StatusCode::kPermissionDenied:
      return InvalidModel(
          absl::StrCat(status.message(), "; let the account that runs this program read it"));
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kInvalidArgument:
      return InvalidModel(status.message());
    default:
      return status;
  }
}

absl::Status AtPath(const absl::Status& status, absl::string_view path) {
  absl::Status result(status.code(), absl::StrCat(path, ": ", status.message()));
  status.ForEachPayload([&result](absl::string_view url, const absl::Cord& payload) {
    result.SetPayload(url, payload);
  });
  return result;
}

}  // namespace sasq
