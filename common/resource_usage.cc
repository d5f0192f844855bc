#include "common/resource_usage.h"

#include <sys/resource.h>

#include "common/status_macros.h"

namespace sasq {
namespace {

rusage Usage() {
  rusage usage{};
  SASQ_CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  return usage;
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

double ProcessCpuSeconds() {
  const rusage usage = Usage();
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

int64_t PeakMemoryBytes() { return int64_t{Usage().ru_maxrss} * 1024; }

}  // namespace sasq
