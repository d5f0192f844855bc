#include "worker/worker_device.h"

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "kernels/cpu_path.h"
#include "kernels/cuda_device.h"
#include "quant/model/compute_threads.h"
#include "worker/capabilities.h"

namespace sasq {
namespace {

// A job has at most two models in memory at a time; half of the device is left to what they
// compute.
constexpr int64_t kKeptWeightsDivisor = 4;

// The CUDA device, if both the kernels and LibTorch can use it.
absl::StatusOr<kernels::CudaDevice> FindUsableCudaDevice() {
  SASQ_ASSIGN_OR_RETURN(kernels::CudaDevice device, kernels::FindCudaDevice());
  if (!LibTorchHasCuda()) {
    return absl::NotFoundError(
        "LibTorch has no CUDA half: run scripts/fetch_libtorch.sh --cuda and build with the preset "
        "cuda");
  }
  return device;
}

absl::StatusOr<WorkerDevice> OnCuda(const kernels::CudaDevice& found) {
  UseDeterministicCuda();
  WorkerDevice device;
  device.compute = {.is_cuda = true,
                    .ordinal = found.ordinal,
                    .kept_weight_bytes = found.memory_bytes / kKeptWeightsDivisor};
  v1::WorkerCapabilities& capabilities = device.capabilities;
  capabilities.set_device_kind(v1::DEVICE_KIND_CUDA);
  capabilities.set_device_name(found.name);
  capabilities.set_memory_bytes(found.memory_bytes);
  capabilities.set_kernel_path(absl::StrCat("sm_", found.compute_capability));
  SASQ_ASSIGN_OR_RETURN(const double flops, MeasureFloatFlopsPerSecond(device.compute));
  capabilities.set_float_flops_per_second(flops);
  return device;
}

absl::StatusOr<WorkerDevice> OnCpu(kernels::CpuPath path, int thread_count) {
  SASQ_ASSIGN_OR_RETURN(const double flops, MeasureFloatFlopsPerSecond({}));
  WorkerDevice device;
  device.capabilities =
      CpuCapabilities(thread_count, std::string(kernels::CpuPathName(path)), flops);
  return device;
}

}  // namespace

absl::StatusOr<WorkerDevice> ChooseWorkerDevice(absl::string_view wanted, int thread_count) {
  SetComputeThreads(thread_count);
  KeepFreedMemory();
  // Whatever the device, weights are quantized on the CPU.
  SASQ_ASSIGN_OR_RETURN(const kernels::CpuPath path, kernels::SelectCpuPath());
  SASQ_RETURN_IF_ERROR(kernels::SelfTest(path));
  if (wanted == "cpu") return OnCpu(path, thread_count);
  const absl::StatusOr<kernels::CudaDevice> found = FindUsableCudaDevice();
  if (found.ok()) return OnCuda(*found);
  if (wanted == "cuda") return found.status();
  LogInfo("no_cuda", {{"reason", found.status().message()}, {"next", "computing on the CPU"}});
  return OnCpu(path, thread_count);
}

}  // namespace sasq
