#include "worker/capabilities.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "worker/utf8.h"

namespace sasq {
namespace {

constexpr size_t kMaxDeviceNameBytes = 256;
constexpr char kCgroupRoot[] = "sys/fs/cgroup";

// The file's text, or an empty string if it cannot be read: not every system has every file. Files
// of the kernel have no size, so that ReadFile (common/file.h) would find them empty.
std::string ReadOrEmpty(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// The folders of this process' control group for `controllers` (empty: version 2) and of its
// parents, below the root. https://man7.org/linux/man-pages/man7/cgroups.7.html
std::vector<std::string> CgroupFolders(const std::string& root, absl::string_view controllers) {
  std::vector<std::string> folders;
  const std::string mount =
      absl::StrCat(root, kCgroupRoot, controllers.empty() ? "" : "/", controllers);
  for (absl::string_view line : absl::StrSplit(ReadOrEmpty(root + "proc/self/cgroup"), '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || fields[1] != controllers) continue;
    absl::string_view group = fields[2];
    while (group.size() > 1) {
      folders.push_back(absl::StrCat(mount, group));
      group = group.substr(0, group.rfind('/'));
    }
  }
  folders.push_back(mount);  // in a container, its own group is mounted there
  return folders;
}

}  // namespace

std::string CpuName(const std::string& root) {
  for (absl::string_view line : absl::StrSplit(ReadOrEmpty(root + "proc/cpuinfo"), '\n')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (parts.size() == 2 && absl::StripAsciiWhitespace(parts[0]) == "model name") {
      return ToUtf8(absl::StripAsciiWhitespace(parts[1]), kMaxDeviceNameBytes);
    }
  }
  return "unknown CPU";
}

int64_t UsableMemoryBytes(const std::string& root) {
  constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  int64_t least = kNone;
  for (absl::string_view line : absl::StrSplit(ReadOrEmpty(root + "proc/meminfo"), '\n')) {
    int64_t kibibytes;
    if (absl::ConsumePrefix(&line, "MemTotal:") &&
        absl::SimpleAtoi(absl::StripSuffix(line, "kB"), &kibibytes)) {
      least = kibibytes * 1024;
    }
  }
  const auto limit = [&least](const std::string& path) {
    int64_t bytes;  // version 2 writes `max` for no limit, version 1 a number beyond all memory
    if (absl::SimpleAtoi(ReadOrEmpty(path), &bytes) && bytes > 0) least = std::min(least, bytes);
  };
  for (const std::string& folder : CgroupFolders(root, "")) limit(folder + "/memory.max");
  for (const std::string& folder : CgroupFolders(root, "memory")) {
    limit(folder + "/memory.limit_in_bytes");
  }
  return least == kNone ? 0 : least;
}

int UsableCpuCount(const std::string& root) {
  int64_t count = std::max<int64_t>(std::thread::hardware_concurrency(), 1);
  for (const std::string& folder : CgroupFolders(root, "")) {
    const std::string text = ReadOrEmpty(folder + "/cpu.max");  // "QUOTA PERIOD" or "max PERIOD"
    const std::vector<absl::string_view> fields =
        absl::StrSplit(absl::StripAsciiWhitespace(text), ' ');
    int64_t quota;
    int64_t period;
    if (fields.size() == 2 && absl::SimpleAtoi(fields[0], &quota) &&
        absl::SimpleAtoi(fields[1], &period) && quota > 0 && period > 0) {
      count = std::min(count, (quota + period - 1) / period);
    }
  }
  return static_cast<int>(count);
}

v1::WorkerCapabilities CpuCapabilities(int thread_count, const std::string& kernel_path,
                                       double float_flops_per_second) {
  v1::WorkerCapabilities capabilities;
  capabilities.set_device_kind(v1::DEVICE_KIND_CPU);
  capabilities.set_device_name(CpuName());
  capabilities.set_memory_bytes(UsableMemoryBytes());
  capabilities.set_thread_count(thread_count);
  capabilities.set_kernel_path(kernel_path);
  capabilities.set_float_flops_per_second(float_flops_per_second);
  return capabilities;
}

std::string DeviceKindName(const v1::WorkerCapabilities& capabilities) {
  return absl::AsciiStrToLower(
      absl::StripPrefix(v1::DeviceKind_Name(capabilities.device_kind()), "DEVICE_KIND_"));
}

}  // namespace sasq
