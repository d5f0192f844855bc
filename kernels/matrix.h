// Operands of the kernels: row-major matrices of floating-point values in memory of the context's
// device (host memory for a CpuContext, device memory for a CudaContext).
#ifndef SASQ_KERNELS_MATRIX_H_
#define SASQ_KERNELS_MATRIX_H_

#include <cstdint>

namespace sasq::kernels {

// IEEE 754 binary32 and binary16, and bfloat16. Arithmetic is float32 whatever the storage; results
// are rounded to the storage type half to even. "The same bits" leaves open which NaN a NaN is.
enum class DataType { kFloat32, kFloat16, kBFloat16 };

inline constexpr int64_t DataTypeBytes(DataType type) { return type == DataType::kFloat32 ? 4 : 2; }

// [rows, cols] values to read; row r begins at element r * row_stride, row_stride >= cols. `data`
// is aligned to the element on the CPU; what CUDA demands beyond that is said by each operation.
struct ConstMatrix {
  const void* data = nullptr;
  DataType type = DataType::kFloat32;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t row_stride = 0;
};

// [rows, cols] values to write, or to read and write where an operation says so.
struct Matrix {
  void* data = nullptr;
  DataType type = DataType::kFloat32;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t row_stride = 0;

  // What may be written may be read. NOLINTNEXTLINE(google-explicit-constructor)
  operator ConstMatrix() const { return {data, type, rows, cols, row_stride}; }
};

// Dense matrices.
inline ConstMatrix DenseMatrix(const float* data, int64_t rows, int64_t cols) {
  return {data, DataType::kFloat32, rows, cols, cols};
}
inline Matrix DenseMatrix(float* data, int64_t rows, int64_t cols) {
  return {data, DataType::kFloat32, rows, cols, cols};
}

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_MATRIX_H_
