// Errors about models, with the reason that travels to the user. Both are INVALID_ARGUMENT: trying
// again does not help, another model does.
#ifndef SASQ_QUANT_FORMAT_MODEL_ERROR_H_
#define SASQ_QUANT_FORMAT_MODEL_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Reason INVALID_MODEL: the folder is missing, damaged or contradicts itself.
absl::Status InvalidModel(absl::string_view message);

// Reason UNSUPPORTED_MODEL: the model is sound, but uses something that this version does not know.
absl::Status UnsupportedModel(absl::string_view message);

// What a failed read of a model's file means: a file that is missing, unreadable or oversized makes
// the model invalid and the message gets a remedy; any other error (I/O, say) stays as it is,
// because trying again may help. `status` is not OK.
absl::Status ModelFileError(const absl::Status& status);

// `status` with "PATH: " before its message and its details kept.
absl::Status AtPath(const absl::Status& status, absl::string_view path);

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_MODEL_ERROR_H_
