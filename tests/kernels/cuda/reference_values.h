// Slow, obvious definitions of the operations, element by element, and buffers for their tests.
#ifndef SASQ_TESTS_KERNELS_CUDA_REFERENCE_VALUES_H_
#define SASQ_TESTS_KERNELS_CUDA_REFERENCE_VALUES_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <random>
#include <vector>

#include "kernels/cuda/device.cuh"
#include "kernels/numerics.h"

namespace sasq::kernels::cuda {

// Elements at `offset` elements from an aligned address, with nothing behind the last: the address
// sanitizer sees what goes beyond.
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t count, int64_t offset = 0)
      : count_(count),
        offset_(offset),
        memory_(static_cast<T*>(
            ::operator new(static_cast<size_t>(count + offset) * sizeof(T), kAlignment))) {
    std::memset(static_cast<void*>(memory_), 0x55, static_cast<size_t>(count + offset) * sizeof(T));
  }
  Buffer(const Buffer& other) : Buffer(other.count_, other.offset_) {
    std::memcpy(data(), other.data(), static_cast<size_t>(count_) * sizeof(T));
  }
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { ::operator delete(memory_, kAlignment); }

  T* data() { return memory_ + offset_; }
  const T* data() const { return memory_ + offset_; }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) { return data()[i]; }
  const T& operator[](int64_t i) const { return data()[i]; }

 private:
  static constexpr std::align_val_t kAlignment{16};
  int64_t count_;
  int64_t offset_;
  T* memory_;
};

// Elements of the same bits.
template <class T>
bool SameBits(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

// How many elements of two buffers differ in a bit.
template <class T>
int64_t Differences(const Buffer<T>& a, const Buffer<T>& b) {
  int64_t count = 0;
  for (int64_t i = 0; i < a.size(); ++i) count += !SameBits(a[i], b[i]);
  return count;
}

template <class T>
void FillRandom(Buffer<T>* buffer, uint32_t seed, float largest) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> values(-largest, largest);
  for (int64_t i = 0; i < buffer->size(); ++i) (*buffer)[i] = FromFloat<T>(values(generator));
}

inline void FillRandom(Buffer<int8_t>* buffer, uint32_t seed) {
  std::mt19937 generator(seed);
  for (int64_t i = 0; i < buffer->size(); ++i) {
    (*buffer)[i] = static_cast<int8_t>(generator() >> 24);
  }
}

// quantize.h.
inline int8_t ReferenceCode(float x, float scale) {
  const float v = x / scale;
  if (std::isnan(v)) return 0;
  return static_cast<int8_t>(std::nearbyint(std::clamp(v, -128.0f, 127.0f)));
}

inline float ReferenceRowScale(const std::vector<float>& row) {
  float largest = 0;
  for (float value : row) {
    if (!std::isfinite(value)) return NAN;
    largest = std::max(largest, std::fabs(value));
  }
  const float scale = largest / 127.0f;
  return std::fpclassify(scale) == FP_NORMAL ? scale : 1.0f;
}

// rms_norm.h: the sum of squares.
inline float ReferenceSumOfSquares(const std::vector<float>& h) {
  std::vector<float> lanes(1024);
  for (size_t c = 0; c < h.size(); ++c) lanes[c % 1024] += h[c] * h[c];
  for (size_t width = 512; width > 0; width /= 2) {
    for (size_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

// hadamard.h: one block, in place.
inline void ReferenceHadamard(float* values, int64_t block) {
  for (int64_t distance = 1; distance < block; distance *= 2) {
    for (int64_t i = 0; i < block; ++i) {
      if ((i & distance) != 0) continue;
      const float a = values[i];
      const float b = values[i + distance];
      values[i] = a + b;
      values[i + distance] = a - b;
    }
  }
  for (int64_t i = 0; i < block; ++i) {
    values[i] = values[i] * (1.0f / std::sqrt(static_cast<float>(block)));
  }
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_TESTS_KERNELS_CUDA_REFERENCE_VALUES_H_
