#include "quant/export/fast_hadamard.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quant/export/threaded_for.h"

namespace sasq {
namespace {

// Vectors that are transformed side by side, so that the compiler vectorizes over them.
constexpr int64_t kLanes = 16;

void Add(const double* a, int sign, double* sum) {
  if (sign > 0) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sum[lane] += a[lane];
  } else {
    for (int64_t lane = 0; lane < kLanes; ++lane) sum[lane] -= a[lane];
  }
}

}  // namespace

std::optional<FastHadamard> FastHadamard::Create(int64_t size) {
  std::optional<kernels::HadamardFactors> factors = kernels::FactorHadamard(size);
  if (!factors.has_value()) return std::nullopt;
  return FastHadamard(size, *std::move(factors));
}

void FastHadamard::TransformRows(float* rows, int64_t count,
                                 absl::Span<const double> factors) const {
  TransformAll({rows, /*row_stride=*/1, /*lane_stride=*/size_, count}, factors);
}

void FastHadamard::TransformColumns(float* matrix, int64_t column_count,
                                    absl::Span<const double> factors) const {
  TransformAll({matrix, column_count, /*lane_stride=*/1, column_count}, factors);
}

void FastHadamard::TransformAll(const Vectors& vectors, absl::Span<const double> factors) const {
  const double unit = 1 / std::sqrt(static_cast<double>(size_));
  ThreadedFor(kernels::BlockCount(vectors.lane_count, kLanes), [&](int64_t begin, int64_t end) {
    const size_t value_count = static_cast<size_t>(size_ * kLanes);
    std::vector<double> values(value_count), scratch(value_count);
    for (int64_t group = begin; group < end; ++group) {
      const int64_t lanes = std::min(kLanes, vectors.lane_count - group * kLanes);
      float* data = vectors.data + group * kLanes * vectors.lane_stride;
      for (int64_t i = 0; i < size_; ++i) {
        const double factor = factors.empty() ? 1 : factors[static_cast<size_t>(i)];
        for (int64_t lane = 0; lane < lanes; ++lane) {
          values[static_cast<size_t>(i * kLanes + lane)] =
              factor * data[i * vectors.row_stride + lane * vectors.lane_stride];
        }
      }
      TransformLanes(values.data(), scratch.data());
      for (int64_t i = 0; i < size_; ++i) {
        for (int64_t lane = 0; lane < lanes; ++lane) {
          data[i * vectors.row_stride + lane * vectors.lane_stride] =
              static_cast<float>(unit * values[static_cast<size_t>(i * kLanes + lane)]);
        }
      }
    }
  });
}

// `values` [size, kLanes] become those of H_n, without its unit.
void FastHadamard::TransformLanes(double* values, double* scratch) const {
  const int64_t block = factors_.block;
  for (int64_t distance = 1; distance < block; distance *= 2) {
    for (int64_t i = 0; i < size_; ++i) {
      if ((i & distance) != 0) continue;  // blocks begin at multiples of a power of two
      double* a = values + i * kLanes;
      double* b = a + distance * kLanes;
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const double sum = a[lane] + b[lane];
        b[lane] = a[lane] - b[lane];
        a[lane] = sum;
      }
    }
  }
  if (factors_.outer.empty()) return;
  const int64_t order = size_ / block;
  std::copy_n(values, size_ * kLanes, scratch);
  std::fill_n(values, size_ * kLanes, 0.0);
  for (int64_t from = 0; from < order; ++from) {
    for (int64_t to = 0; to < order; ++to) {
      const int sign = factors_.outer[static_cast<size_t>(from)][static_cast<size_t>(to)];
      for (int64_t i = 0; i < block; ++i) {
        Add(scratch + (from * block + i) * kLanes, sign, values + (to * block + i) * kLanes);
      }
    }
  }
}

}  // namespace sasq
