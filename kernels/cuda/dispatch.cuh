// Internal: from values of the arguments to template arguments of kernels.
#ifndef SASQ_KERNELS_CUDA_DISPATCH_CUH_
#define SASQ_KERNELS_CUDA_DISPATCH_CUH_

#include <type_traits>

#include "kernels/cuda/device.cuh"
#include "kernels/matrix.h"

namespace sasq::kernels::cuda {

// function(element), element being of the storage type that `type` stands for (checked before).
template <class Function>
void WithElement(DataType type, const Function& function) {
  switch (type) {
    case DataType::kFloat32:
      return function(float());
    case DataType::kFloat16:
      return function(Float16());
    case DataType::kBFloat16:
      return function(BFloat16());
  }
}

// function(constant) with a constant of the value of `condition`.
template <class Function>
void WithBool(bool condition, const Function& function) {
  return condition ? function(std::true_type()) : function(std::false_type());
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_DISPATCH_CUH_
