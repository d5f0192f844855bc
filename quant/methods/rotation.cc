#include "quant/methods/rotation.h"

namespace sasq {

absl::StatusOr<PreparedModel> RotateByHadamard(const MethodInputs&, bool) {
  return absl::UnimplementedError("rotation");
}

}  // namespace sasq
