#include "quant/methods/smoothing.h"

namespace sasq {

absl::StatusOr<PreparedModel> SmoothModel(const MethodInputs&, PreparedModel,
                                          const v1::Smoothing&) {
  return absl::UnimplementedError("smoothing");
}

}  // namespace sasq
