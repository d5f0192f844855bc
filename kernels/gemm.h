// INT8 matrix product with a fused dequantizing epilogue.
//
//   y[m, n] = s_x[m] * s_w[n] * sum_k a[m, k] * w[n, k] + bias[n]
//
// The sum is an exact int32; it is converted to float once and multiplied by the float product
// s_x * s_w[n], with s_x either one scalar (static) or one per row (dynamic per token). The result
// is the same bits on every path and for any number of threads. No int32 matrix goes to memory.
#ifndef SASQ_KERNELS_GEMM_H_
#define SASQ_KERNELS_GEMM_H_

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kernels/cpu_path.h"
#include "kernels/parallel.h"

namespace sasq::kernels {

// Weights of one linear, laid out for one CPU path. Immutable, so thread-safe.
class PackedWeights {
 public:
  // Packs w[out_features, in_features], row-major, with one finite, positive scale per output
  // channel. INVALID_ARGUMENT if `path` cannot run here, `w` is null, a size is not positive,
  // in_features is beyond kMaxInFeatures (the int32 sum could overflow), or a scale is not finite
  // and positive.
  static absl::StatusOr<PackedWeights> Pack(CpuPath path, const int8_t* w, int64_t out_features,
                                            int64_t in_features, absl::Span<const float> scales);

  // Writes the float32 values scales[n] * w[n, k] as [out_features, in_features], row-major.
  void Dequantize(float* w, ParallelFor parallel_for) const;

  CpuPath path() const { return path_; }
  int64_t out_features() const { return out_features_; }
  int64_t in_features() const { return in_features_; }
  absl::Span<const float> scales() const { return scales_; }

 private:
  friend absl::Status Gemm(const int8_t*, int64_t, absl::Span<const float>, const PackedWeights&,
                           absl::Span<const float>, float*, ParallelFor);
  // Vector loads that cross cache lines cost double.
  template <class T>
  struct CacheLineAllocator {
    using value_type = T;
    static constexpr std::align_val_t kAlignment{64};
    T* allocate(size_t count) {
      return static_cast<T*>(::operator new(count * sizeof(T), kAlignment));
    }
    void deallocate(T* data, size_t) { ::operator delete(data, kAlignment); }
    bool operator==(const CacheLineAllocator&) const = default;
  };

  PackedWeights() = default;
  int64_t PanelBytes() const;
  void PackPanel(const int8_t* w, int64_t panel, int32_t code_offset);
  void DequantizePanel(int64_t panel, float* w) const;

  CpuPath path_ = CpuPath::kPortable;
  int64_t out_features_ = 0;
  int64_t in_features_ = 0;
  int64_t group_codes_ = 0;  // layout of `path_`: see cpu_kernels.h
  int64_t panel_columns_ = 0;
  std::vector<float> scales_;  // [out_features]
  std::vector<int8_t, CacheLineAllocator<int8_t>> codes_;
  std::vector<int32_t> first_sums_;  // what the sums start from: takes back offsets of operands
};

// 2^31 / (128 * 128) - 1: the largest K whose sum of products fits an int32 whatever the codes.
inline constexpr int64_t kMaxInFeatures = (int64_t{1} << 31) / (128 * 128) - 1;

// y[rows, out_features] of codes[rows, in_features]. `x_scales` holds 1 or `rows` finite, positive
// scales; `bias` is empty or holds out_features values. No rows are no work. INVALID_ARGUMENT names
// what is wrong (null, negative, count, scale, or `y` overlapping an input); `y` is untouched then.
// Each running body of `parallel_for` takes up to 0.4 MB of scratch memory (4 MB at the largest K).
absl::Status Gemm(const int8_t* codes, int64_t rows, absl::Span<const float> x_scales,
                  const PackedWeights& weights, absl::Span<const float> bias, float* y,
                  ParallelFor parallel_for);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_GEMM_H_
