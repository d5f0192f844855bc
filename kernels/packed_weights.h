// Weights of one linear, laid out once for the product.
#ifndef SASQ_KERNELS_PACKED_WEIGHTS_H_
#define SASQ_KERNELS_PACKED_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kernels/context.h"

namespace sasq::kernels {

// 2^31 / (128 * 128) - 1: the largest K whose sum of products fits an int32 whatever the codes.
inline constexpr int64_t kMaxInFeatures = (int64_t{1} << 31) / (128 * 128) - 1;

// Packed weights of one CPU path in memory that somebody else owns.
struct PackedWeightsView {
  CpuPath path = CpuPath::kPortable;
  int64_t out_features = 0;
  int64_t in_features = 0;
  const std::byte* packed = nullptr;  // as PackWeights wrote them, aligned to kPackedAlignment
  const float* scales = nullptr;      // [out_features]
};

// Vector loads that cross cache lines cost double.
inline constexpr int64_t kPackedAlignment = 64;

// Bytes that PackWeights writes. INVALID_ARGUMENT if `path` cannot run here, a size is not
// positive, or in_features is beyond kMaxInFeatures (the int32 sum could overflow).
absl::StatusOr<int64_t> PackedWeightsBytes(CpuPath path, int64_t out_features, int64_t in_features);

// Packs w[out_features, in_features], row-major and dense, into `packed`, PackedWeightsBytes bytes
// aligned to kPackedAlignment. INVALID_ARGUMENT also for null, misaligned or overlapping buffers.
absl::Status PackWeights(CpuPath path, const int8_t* w, int64_t out_features, int64_t in_features,
                         std::byte* packed);

// Packed weights that own their memory. Immutable, so thread-safe.
class PackedWeights {
 public:
  // As PackWeights, with one finite, positive scale per output channel.
  static absl::StatusOr<PackedWeights> Pack(CpuPath path, const int8_t* w, int64_t out_features,
                                            int64_t in_features, absl::Span<const float> scales);

  PackedWeightsView view() const;
  CpuPath path() const { return path_; }
  int64_t out_features() const { return out_features_; }
  int64_t in_features() const { return in_features_; }
  absl::Span<const float> scales() const { return scales_; }

 private:
  template <class T>
  struct AlignedAllocator {
    using value_type = T;
    static constexpr std::align_val_t kAlignment{kPackedAlignment};
    T* allocate(size_t count) {
      return static_cast<T*>(::operator new(count * sizeof(T), kAlignment));
    }
    void deallocate(T* data, size_t) { ::operator delete(data, kAlignment); }
    bool operator==(const AlignedAllocator&) const = default;
  };

  PackedWeights() = default;

  CpuPath path_ = CpuPath::kPortable;
  int64_t out_features_ = 0;
  int64_t in_features_ = 0;
  std::vector<float> scales_;  // [out_features]
  std::vector<std::byte, AlignedAllocator<std::byte>> packed_;
};

// Weights on a CUDA device: tensor cores read rows of codes as they are, so packing is the copy
// itself.
struct CudaWeightsView {
  int64_t out_features = 0;
  int64_t in_features = 0;        // a multiple of 16, at most kMaxInFeatures
  const int8_t* codes = nullptr;  // [out_features, in_features], row-major, 16-byte aligned
  const float* scales = nullptr;  // [out_features]
};

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_PACKED_WEIGHTS_H_
