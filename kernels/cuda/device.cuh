// What the kernels know of the machine: its threads, barriers, shuffles, memory accesses and
// conversions. The only file with PTX and warp intrinsics; a host build puts another one of the
// same names in its place (tests/kernels/cuda/hostsim).
#ifndef SASQ_KERNELS_CUDA_DEVICE_CUH_
#define SASQ_KERNELS_CUDA_DEVICE_CUH_

#include <stdint.h>
#include <string.h>

namespace sasq::kernels::cuda {

inline constexpr int kWarpThreads = 32;

// Blocks are one-dimensional, grids have up to two dimensions.
__device__ __forceinline__ int ThreadIndex() { return static_cast<int>(threadIdx.x); }
__device__ __forceinline__ int ThreadCount() { return static_cast<int>(blockDim.x); }
__device__ __forceinline__ int64_t BlockX() { return blockIdx.x; }
__device__ __forceinline__ int64_t BlockY() { return blockIdx.y; }
__device__ __forceinline__ int64_t GridX() { return gridDim.x; }
__device__ __forceinline__ int64_t GridY() { return gridDim.y; }

// Waits for every thread of the block; what they wrote to shared memory is seen then.
__device__ __forceinline__ void SyncBlock() { __syncthreads(); }

// The value of the lane whose number differs by `mask`, for all lanes of a warp.
template <class T>
__device__ __forceinline__ T ShuffleXor(T value, int mask) {
  return __shfl_xor_sync(0xFFFFFFFFu, value, mask);
}

// The block's shared memory that the launch asked for, aligned to 16 bytes.
__device__ __forceinline__ float* DynamicShared() {
  extern __shared__ float4 dynamic_shared[];
  return reinterpret_cast<float*>(dynamic_shared);
}

// sum + the four products of the signed bytes of a and b.
__device__ __forceinline__ int32_t DotBytes(uint32_t a, uint32_t b, int32_t sum) {
  return __dp4a(static_cast<int32_t>(a), static_cast<int32_t>(b), sum);
}

// IEEE 754 binary16 and bfloat16 in memory.
struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

__device__ __forceinline__ float ToFloat(float value) { return value; }
__device__ __forceinline__ float ToFloat(Float16 value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}
__device__ __forceinline__ float ToFloat(BFloat16 value) {
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
}

// Rounds half to even.
template <class T>
__device__ __forceinline__ T FromFloat(float value);
template <>
__device__ __forceinline__ float FromFloat<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ Float16 FromFloat<Float16>(float value) {
  Float16 result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
}
template <>
__device__ __forceinline__ BFloat16 FromFloat<BFloat16>(float value) {
  BFloat16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
}

// The unsigned type of one access of `bytes` bytes.
template <int bytes>
struct AccessOf;
template <>
struct AccessOf<4> {
  using Type = uint32_t;
};
template <>
struct AccessOf<8> {
  using Type = uint2;
};
template <>
struct AccessOf<16> {
  using Type = uint4;
};

// All elements in one access; `data` is aligned to their size.
template <class T, int count>
__device__ __forceinline__ void LoadWhole(const T* data, T (&values)[count]) {
  using Access = typename AccessOf<sizeof(values)>::Type;
  const Access access = *reinterpret_cast<const Access*>(data);
  memcpy(values, &access, sizeof(values));
}
// In PTX: nvcc takes a store of a whole vector apart where it copied the values one by one.
__device__ __forceinline__ void StoreWords(void* data, const uint32_t (&words)[1]) {
  *static_cast<uint32_t*>(data) = words[0];
}
__device__ __forceinline__ void StoreWords(void* data, const uint32_t (&words)[2]) {
  asm volatile("st.global.v2.b32 [%0], {%1, %2};"
               :
               : "l"(__cvta_generic_to_global(data)), "r"(words[0]), "r"(words[1])
               : "memory");
}
__device__ __forceinline__ void StoreWords(void* data, const uint32_t (&words)[4]) {
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};"
               :
               : "l"(__cvta_generic_to_global(data)), "r"(words[0]), "r"(words[1]), "r"(words[2]),
                 "r"(words[3])
               : "memory");
}
template <class T, int count>
__device__ __forceinline__ void StoreWhole(T* data, const T (&values)[count]) {
  uint32_t words[sizeof(values) / sizeof(uint32_t)];
  memcpy(words, values, sizeof(values));
  StoreWords(data, words);
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_DEVICE_CUH_
