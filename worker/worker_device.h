// The device that a worker computes on.
#ifndef SASQ_WORKER_WORKER_DEVICE_H_
#define SASQ_WORKER_WORKER_DEVICE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quant/model/compute_device.h"
#include "sasq/v1/quantization_service.pb.h"

namespace sasq {

struct WorkerDevice {
  ComputeDevice compute;
  v1::WorkerCapabilities capabilities;
};

// Chooses by `wanted`: `cpu`; `cuda`, which is NOT_FOUND, with the reason, where there is none; or
// `auto`, a CUDA device where one can be used and else the CPU, with a log line that says why.
// Computes with `thread_count` threads from here on. The CPU's kernels are proved first:
// INTERNAL if they compute wrong integers on this machine.
absl::StatusOr<WorkerDevice> ChooseWorkerDevice(absl::string_view wanted, int thread_count);

}  // namespace sasq

#endif  // SASQ_WORKER_WORKER_DEVICE_H_
