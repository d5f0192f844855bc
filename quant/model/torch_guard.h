// The one place where LibTorch's exceptions become statuses.
#ifndef SASQ_QUANT_MODEL_TORCH_GUARD_H_
#define SASQ_QUANT_MODEL_TORCH_GUARD_H_

#include <type_traits>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sasq {

// Runs `body` and returns its status. Anything thrown becomes a status: out of memory
// (std::bad_alloc or LibTorch's allocators) RESOURCE_EXHAUSTED with the reason OUT_OF_MEMORY, a
// wrong argument of an operator (c10::ValueError) INVALID_ARGUMENT, a CUDA error INTERNAL with the
// reason DEVICE_FAULT (such errors are sticky: the process can do no more on the device), anything
// else INTERNAL, with LibTorch's message.
absl::Status CatchTorch(absl::FunctionRef<absl::Status()> body);

// The same for a body that returns absl::StatusOr<T>.
template <typename Body, typename Result = std::invoke_result_t<Body>>
Result CatchTorchOr(Body body) {
  Result result = absl::UnknownError("not run");
  absl::Status status = CatchTorch([&]() -> absl::Status {
    result = body();
    return result.status();
  });
  if (!status.ok()) return status;
  return result;
}

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_TORCH_GUARD_H_
