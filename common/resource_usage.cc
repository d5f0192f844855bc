#include "common/resource_usage.h"

#include <sys/resource.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

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

int64_t PeakMemoryBytes() {
  // `ru_maxrss` also remembers the program that started this one, and knows of no reset.
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    int64_t kilobytes = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %" SCNd64 " kB", &kilobytes) == 1) {
      return kilobytes * 1024;
    }
  }
  return int64_t{Usage().ru_maxrss} * 1024;
}

bool ResetPeakMemory() {
  // proc(5): 5 resets the high water mark of the resident set (Linux 4.0).
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

}  // namespace sasq
