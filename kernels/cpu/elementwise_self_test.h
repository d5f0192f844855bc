// Internal: the part of SelfTest that looks at everything but the product.
#ifndef SASQ_KERNELS_CPU_ELEMENTWISE_SELF_TEST_H_
#define SASQ_KERNELS_CPU_ELEMENTWISE_SELF_TEST_H_

#include "absl/status/status.h"
#include "kernels/cpu_path.h"

namespace sasq::kernels {

// INTERNAL if `path` differs from the scalar definitions (numerics.h).
absl::Status TestElementwise(CpuPath path);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_ELEMENTWISE_SELF_TEST_H_
