#include "kernels/cpu_path.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/cpu/dispatch.h"

namespace sasq::kernels {
namespace {

constexpr CpuPath kAllPaths[] = {CpuPath::kPortable, CpuPath::kAvx2, CpuPath::kAvx512,
                                 CpuPath::kAvx512Vnni};

#ifdef __x86_64__
// Not every compiler's __builtin_cpu_supports knows this one. It uses AVX's registers, no others.
bool HasF16c() {
  static const bool has_f16c = [] {  // virtual machines trap CPUID: ask once
    unsigned int a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
  }();
  return has_f16c;
}
#endif

// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
bool IsAvailable(CpuPath path) {
#ifdef __x86_64__
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasF16c();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  switch (path) {
    case CpuPath::kPortable:
      return true;
    case CpuPath::kAvx2:
      return avx2;
    case CpuPath::kAvx512:
      return avx512;
    case CpuPath::kAvx512Vnni:
      return avx512 && __builtin_cpu_supports("avx512vnni");
  }
  return false;
#else
  return path == CpuPath::kPortable;
#endif
}

std::string JoinNames(const std::vector<CpuPath>& paths) {
  return absl::StrJoin(
      paths, ", ", [](std::string* out, CpuPath path) { absl::StrAppend(out, CpuPathName(path)); });
}

}  // namespace

absl::string_view CpuPathName(CpuPath path) {
  switch (path) {
    case CpuPath::kPortable:
      return "portable";
    case CpuPath::kAvx2:
      return "avx2";
    case CpuPath::kAvx512:
      return "avx512";
    case CpuPath::kAvx512Vnni:
      return "avx512_vnni";
  }
  return "unknown";
}

std::vector<CpuPath> AvailableCpuPaths() {
  std::vector<CpuPath> available;
  for (CpuPath path : kAllPaths) {
    if (IsAvailable(path)) available.push_back(path);
  }
  return available;
}

absl::StatusOr<CpuPath> SelectCpuPath() {
  const char* forced = std::getenv("SASQ_KERNEL_PATH");
  if (forced == nullptr || *forced == '\0') return AvailableCpuPaths().back();
  for (CpuPath path : kAllPaths) {
    if (CpuPathName(path) != forced) continue;
    if (IsAvailable(path)) return path;
    return absl::FailedPreconditionError(absl::StrCat(
        "SASQ_KERNEL_PATH is ", forced, ", which this CPU cannot run: unset it or use one of ",
        JoinNames(AvailableCpuPaths())));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("SASQ_KERNEL_PATH is \"", forced, "\", want one of ",
                   JoinNames({std::begin(kAllPaths), std::end(kAllPaths)})));
}

absl::StatusOr<const CpuKernels*> FindKernels(CpuPath path) {
  if (!IsAvailable(path)) {
    return absl::InvalidArgumentError(absl::StrCat("kernel path ", CpuPathName(path),
                                                   " cannot run on this CPU, want one of ",
                                                   JoinNames(AvailableCpuPaths())));
  }
  switch (path) {
    case CpuPath::kPortable:
      return &kPortableKernels;
#ifdef __x86_64__
    case CpuPath::kAvx2:
      return &kAvx2Kernels;
    case CpuPath::kAvx512:
      return &kAvx512Kernels;
    case CpuPath::kAvx512Vnni:
      return &kAvx512VnniKernels;
#else
    default:
      break;
#endif
  }
  return absl::InvalidArgumentError("kernel path is not one of the known ones");
}

}  // namespace sasq::kernels
