// Takes the place of the product's device.cuh: what kernels know of the machine, here the
// simulator. This folder comes first on the include path.
#ifndef SASQ_KERNELS_CUDA_DEVICE_CUH_
#define SASQ_KERNELS_CUDA_DEVICE_CUH_

#include <stdint.h>
#include <string.h>

#include "tests/kernels/cuda/hostsim/simulator.h"

// Blocks run one after the other on one thread: a static is what a block shares.
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static

namespace sasq::kernels::cuda {

using hostsim::BlockX;
using hostsim::BlockY;
using hostsim::DynamicShared;
using hostsim::GridX;
using hostsim::GridY;
using hostsim::SyncBlock;
using hostsim::ThreadCount;
using hostsim::ThreadIndex;

inline constexpr int kWarpThreads = 32;

template <class T>
T ShuffleXor(T value, int mask) {
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(value));
  bits = hostsim::ShuffleXor(bits, mask);
  memcpy(&value, &bits, sizeof(value));
  return value;
}

inline int32_t DotBytes(uint32_t a, uint32_t b, int32_t sum) {
  for (int i = 0; i < 32; i += 8) {
    sum += static_cast<int8_t>(a >> i) * static_cast<int8_t>(b >> i);
  }
  return sum;
}

struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

inline float ToFloat(float value) { return value; }
inline float ToFloat(Float16 value) {
  _Float16 half;
  memcpy(&half, &value, sizeof(half));
  return static_cast<float>(half);
}
inline float ToFloat(BFloat16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  memcpy(&result, &bits, sizeof(result));
  return result;
}

template <class T>
T FromFloat(float value);
template <>
inline float FromFloat<float>(float value) {
  return value;
}
template <>
inline Float16 FromFloat<Float16>(float value) {
  const _Float16 half = static_cast<_Float16>(value);
  Float16 result;
  memcpy(&result, &half, sizeof(result));
  return result;
}
template <>
inline BFloat16 FromFloat<BFloat16>(float value) {
  if (value != value) return {0x7FFF};
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return {static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

template <class T, int count>
void LoadWhole(const T* data, T (&values)[count]) {
  hostsim::CheckAlignment(data, sizeof(values));
  memcpy(values, data, sizeof(values));
}
template <class T, int count>
void StoreWhole(T* data, const T (&values)[count]) {
  hostsim::CheckAlignment(data, sizeof(values));
  memcpy(data, values, sizeof(values));
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_DEVICE_CUH_
