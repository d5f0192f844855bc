#include "quant/model/torch_guard.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"

namespace sasq {
namespace {

absl::Status OutOfMemory(absl::string_view what) {
  return WithReason(
      absl::ResourceExhaustedError(absl::StrCat(
          "memory ran out (", what,
          "); use shorter windows, fewer jobs at a time, or a worker with more memory")),
      "OUT_OF_MEMORY");
}

}  // namespace

absl::Status CatchTorch(absl::FunctionRef<absl::Status()> body) {
  try {
    return body();
  } catch (const std::bad_alloc& error) {
    return OutOfMemory(error.what());
  } catch (const c10::OutOfMemoryError& error) {
    return OutOfMemory(error.what_without_backtrace());
  } catch (const c10::AcceleratorError& error) {
    return WithReason(
        absl::InternalError(absl::StrCat("the device failed: ", error.what_without_backtrace())),
        "DEVICE_FAULT");
  } catch (const c10::ValueError& error) {
    return absl::InvalidArgumentError(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    // LibTorch's CPU allocator has no exception type of its own.
    const absl::string_view what = error.what_without_backtrace();
    if (absl::StrContains(what, "DefaultCPUAllocator")) return OutOfMemory(what);
    return absl::InternalError(absl::StrCat("LibTorch: ", what));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("unexpected exception: ", error.what()));
  }
}

}  // namespace sasq
