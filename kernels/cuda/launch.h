// Internal: what the launchers share on the host side.
#ifndef SASQ_KERNELS_CUDA_LAUNCH_H_
#define SASQ_KERNELS_CUDA_LAUNCH_H_

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kernels/context.h"
#include "kernels/matrix.h"

namespace sasq::kernels::cuda {

// The largest grid: x and y.
inline constexpr int64_t kMaxGridX = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kMaxGridY = 65535;

// INTERNAL "<operation>: <CUDA's name for the error>: <its text>"; OK for cudaSuccess.
absl::Status CudaStatus(absl::string_view operation, cudaError_t error);

// Makes the context's device the calling thread's own while it lives.
class ScopedDevice {
 public:
  // INVALID_ARGUMENT if there is no such device, INTERNAL for other errors of CUDA.
  static absl::StatusOr<ScopedDevice> Create(absl::string_view operation,
                                             const CudaContext& context);
  ScopedDevice(ScopedDevice&& other) noexcept : previous_(std::exchange(other.previous_, kNone)) {}
  ScopedDevice& operator=(ScopedDevice&&) = delete;
  ~ScopedDevice();

 private:
  static constexpr int kNone = -1;
  explicit ScopedDevice(int previous) : previous_(previous) {}

  int previous_;  // the device to go back to
};

inline cudaStream_t StreamOf(const CudaContext& context) {
  return static_cast<cudaStream_t>(context.stream);
}

// The error of a launch that was just made, or an earlier sticky one.
inline absl::Status LaunchStatus(absl::string_view operation) {
  return CudaStatus(operation, cudaGetLastError());
}

// INVALID_ARGUMENT if there are more rows than a grid has blocks.
absl::Status CheckGridRows(absl::string_view operation, int64_t rows);

// Whether every row of a matrix, or a vector, can be accessed in steps of 16 bytes.
bool RowsAreAligned(const ConstMatrix& matrix);
inline bool IsAligned(const void* data, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(bytes) == 0;
}

// Elements of 16 bytes of storage.
inline int64_t StepElements(DataType type) { return 16 / DataTypeBytes(type); }

// Dense rows are one long row: fewer blocks with idle threads.
inline bool IsDense(const ConstMatrix& matrix) { return matrix.row_stride == matrix.cols; }
inline ConstMatrix Flat(const ConstMatrix& matrix) {
  const int64_t count = matrix.rows * matrix.cols;
  return {matrix.data, matrix.type, 1, count, count};
}

// A grid of blocks of `block_columns` columns of each row, within CUDA's limits: the kernel walks
// on by the size of the grid.
inline dim3 ElementGrid(int64_t rows, int64_t cols, int64_t block_columns) {
  const int64_t blocks = (cols - 1) / block_columns + 1;
  return dim3(static_cast<unsigned>(std::min(blocks, kMaxGridX)),
              static_cast<unsigned>(std::min(rows, kMaxGridY)));
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_LAUNCH_H_
