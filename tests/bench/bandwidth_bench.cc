// Operations that memory should bound, as a share of the copy bandwidth of this machine.
//
// Every operation runs over [2048, 4096] matrices that take turns, so that no input and no output
// is in a cache when its turn comes. Counted are the bytes that the operation has to read and
// write: inputs once, outputs once; for the copy (STREAM's: the faster of memcpy and a loop of
// plain vector stores) the bytes read plus the bytes written. Lines that a store fetches first are
// not counted.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/cpu_path.h"
#include "kernels/fake_quantize.h"
#include "kernels/hadamard.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/silu_mul.h"
#include "tests/bench/median_reporter.h"

namespace sasq::kernels {
namespace {

constexpr int64_t kRows = 2048;
constexpr int64_t kCols = 4096;
constexpr int64_t kElements = kRows * kCols;
// The bytes over which turns go: several times a last-level cache.
constexpr int64_t kTurnBytes = int64_t{192} << 20;

constexpr DataType kTypes[] = {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16};
const char* NameOfType(DataType type) {
  constexpr const char* kNames[] = {"float32", "float16", "bfloat16"};
  return kNames[static_cast<int>(type)];
}

// Memory for the turns of one operand, shared by all benchmarks.
class Pool {
 public:
  explicit Pool(int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {}
  std::byte* data() { return bytes_.data(); }

 private:
  std::vector<std::byte> bytes_;
};

// Values of one type around 1 in size, with random signs and fractions, the same in every MiB.
void Fill(DataType type, std::byte* data, int64_t bytes) {
  const uint32_t kept = type == DataType::kFloat32   ? 0x80FFFFFFu
                        : type == DataType::kFloat16 ? 0x87FF87FFu
                                                     : 0x80FF80FFu;
  const uint32_t exponents = type == DataType::kFloat32   ? 0x3F000000u
                             : type == DataType::kFloat16 ? 0x38003800u
                                                          : 0x3F003F00u;
  std::mt19937 random(1);
  std::vector<uint32_t> words(1 << 18);
  for (uint32_t& word : words) word = (static_cast<uint32_t>(random()) & kept) | exponents;
  const auto size = static_cast<int64_t>(words.size() * sizeof(uint32_t));
  for (int64_t i = 0; i < bytes; i += size) {
    std::memcpy(data + i, words.data(), static_cast<size_t>(std::min(size, bytes - i)));
  }
}

struct Operation {
  const char* name;
  int inputs, outputs;  // matrices of the type that are read and written
  bool writes_codes;
  // The matrices `in`, `in + kElements` elements on ... are the inputs.
  std::function<absl::Status(const CpuContext&, ConstMatrix first, ConstMatrix second, Matrix out,
                             const void* gain, int8_t* codes, float* scales)>
      run;
};

constexpr float kScale = 0.01f;

const std::vector<Operation>& Operations() {
  using M = const ConstMatrix&;
  static const std::vector<Operation> operations = {
      {"quantize_static", 1, 0, true,
       [](const CpuContext& c, M x, M, Matrix, const void*, int8_t* codes, float*) {
         return QuantizeStatic(c, x, kScale, codes);
       }},
      {"quantize_per_token", 1, 0, true,
       [](const CpuContext& c, M x, M, Matrix, const void*, int8_t* codes, float* scales) {
         return QuantizePerToken(c, x, codes, scales);
       }},
      {"rms_norm_static", 1, 0, true,
       [](const CpuContext& c, M x, M, Matrix, const void* gain, int8_t* codes, float*) {
         return RmsNormQuantizeStatic(c, {x, gain, 1e-5f, {}}, kScale, codes);
       }},
      {"rms_norm_per_token", 1, 0, true,
       [](const CpuContext& c, M x, M, Matrix, const void* gain, int8_t* codes, float* scales) {
         return RmsNormQuantizePerToken(c, {x, gain, 1e-5f, {}}, codes, scales);
       }},
      {"add_rms_norm_static", 2, 1, true,
       [](const CpuContext& c, M x, M, Matrix out, const void* gain, int8_t* codes, float*) {
         return RmsNormQuantizeStatic(c, {x, gain, 1e-5f, out}, kScale, codes);
       }},
      {"add_rms_norm_per_token", 2, 1, true,
       [](const CpuContext& c, M x, M, Matrix out, const void* gain, int8_t* codes, float* scales) {
         return RmsNormQuantizePerToken(c, {x, gain, 1e-5f, out}, codes, scales);
       }},
      {"silu_mul_static", 2, 0, true,
       [](const CpuContext& c, M x, M z, Matrix, const void*, int8_t* codes, float*) {
         return SiluMulQuantizeStatic(c, x, z, kScale, codes);
       }},
      {"silu_mul_per_token", 2, 0, true,
       [](const CpuContext& c, M x, M z, Matrix, const void*, int8_t* codes, float* scales) {
         return SiluMulQuantizePerToken(c, x, z, codes, scales);
       }},
      {"fake_quantize", 1, 1, false,
       [](const CpuContext& c, M x, M, Matrix out, const void*, int8_t*, float*) {
         return FakeQuantize(c, x, kScale, out);
       }},
      {"hadamard_128", 1, 1, false,
       [](const CpuContext& c, M x, M, Matrix out, const void*, int8_t*, float*) {
         return HadamardTransform(c, x, 128, out);
       }},
      {"hadamard_4096", 1, 1, false,
       [](const CpuContext& c, M x, M, Matrix out, const void*, int8_t*, float*) {
         return HadamardTransform(c, x, 4096, out);
       }},
  };
  return operations;
}

int64_t BytesOf(const Operation& operation, DataType type) {
  return kElements * ((operation.inputs + operation.outputs) * DataTypeBytes(type) +
                      (operation.writes_codes ? 1 : 0));
}

std::string NameOf(const Operation& operation, DataType type, CpuPath path) {
  return absl::StrCat(operation.name, "/", NameOfType(type), "/", CpuPathName(path));
}

void SetRate(benchmark::State& state, int64_t bytes) {
  state.counters["bytes"] =
      benchmark::Counter(static_cast<double>(bytes), benchmark::Counter::kIsIterationInvariantRate,
                         benchmark::Counter::kIs1000);
}

void RunOperation(benchmark::State& state, const Operation& operation, DataType type,
                  CpuPath path) {
  static Pool first_pool(kTurnBytes), second_pool(kTurnBytes), out_pool(kTurnBytes),
      codes_pool(kTurnBytes / 2), gain_pool(4 * kCols);
  static const std::byte* filled = nullptr;
  static DataType filled_type = DataType::kFloat32;
  if (filled == nullptr || filled_type != type) {
    Fill(type, first_pool.data(), kTurnBytes);
    Fill(type, second_pool.data(), kTurnBytes);
    Fill(type, gain_pool.data(), 4 * kCols);
    std::memset(out_pool.data(), 0, static_cast<size_t>(kTurnBytes));
    filled = first_pool.data();
    filled_type = type;
  }
  const int64_t matrix_bytes = kElements * DataTypeBytes(type);
  const int64_t turns = kTurnBytes / matrix_bytes;
  std::vector<float> scales(kRows);
  int64_t turn = 0;
  for (auto unused : state) {
    const int64_t offset = turn * matrix_bytes;
    // Sums grow when the residual is used again and again; they stay far below the type's end.
    const absl::Status status =
        operation.run({path, SerialFor}, {first_pool.data() + offset, type, kRows, kCols, kCols},
                      {second_pool.data() + offset, type, kRows, kCols, kCols},
                      {out_pool.data() + offset, type, kRows, kCols, kCols}, gain_pool.data(),
                      reinterpret_cast<int8_t*>(codes_pool.data()) +
                          turn % (kTurnBytes / 2 / kElements) * kElements,
                      scales.data());
    SASQ_CHECK(status.ok());
    turn = (turn + 1) % turns;
    benchmark::ClobberMemory();
  }
  SetRate(state, BytesOf(operation, type));
}

constexpr int64_t kCopyBytes = kTurnBytes / 2;
constexpr char kCopy[] = "copy_memcpy";
constexpr char kCopyLoop[] = "copy_plain_stores";

// A vector of the width that every x86-64 has; stores go through the caches.
void PlainCopy(std::byte* to, const std::byte* from, int64_t bytes) {
  typedef int64_t Vector __attribute__((vector_size(16)));
  for (int64_t i = 0; i < bytes; i += 64) {
    Vector line[4];
    for (int v = 0; v < 4; ++v) std::memcpy(&line[v], from + i + 16 * v, 16);
    for (int v = 0; v < 4; ++v) std::memcpy(to + i + 16 * v, &line[v], 16);
    benchmark::DoNotOptimize(to);  // else the compiler makes it memcpy
  }
}

void Copy(benchmark::State& state, bool plain) {
  static Pool from(kCopyBytes), to(kCopyBytes);
  Fill(DataType::kFloat32, from.data(), kCopyBytes);
  for (auto unused : state) {
    if (plain) {
      PlainCopy(to.data(), from.data(), kCopyBytes);
    } else {
      std::memcpy(to.data(), from.data(), static_cast<size_t>(kCopyBytes));
    }
    benchmark::ClobberMemory();
  }
  SetRate(state, 2 * kCopyBytes);
}

}  // namespace

void AddMemoryOperations() {
  AddBenchmark(kCopy, [](benchmark::State& state) { Copy(state, false); });
  AddBenchmark(kCopyLoop, [](benchmark::State& state) { Copy(state, true); });
  for (const Operation& operation : Operations()) {
    for (DataType type : kTypes) {
      for (CpuPath path : AvailableCpuPaths()) {
        AddBenchmark(NameOf(operation, type, path), [&operation, type, path](benchmark::State& s) {
          RunOperation(s, operation, type, path);
        });
      }
    }
  }
}

void PrintMemoryOperations(const MedianReporter& reporter) {
  const double slowest = static_cast<double>(2 * kCopyBytes);
  double copy = 0;
  for (const char* name : {kCopy, kCopyLoop}) {
    const double seconds = reporter.Seconds(name);
    if (seconds > 0) copy = std::max(copy, slowest / seconds / 1e9);
  }
  std::printf(
      "\nGB/s of [%lld, %lld] matrices (bytes that must be read plus bytes written), and the share "
      "of the copy bandwidth, %.1f GB/s (1 thread, medians):\n%-34s",
      static_cast<long long>(kRows), static_cast<long long>(kCols), copy, "operation");
  for (CpuPath path : AvailableCpuPaths()) {
    std::printf("%18s", std::string(CpuPathName(path)).c_str());
  }
  for (const Operation& operation : Operations()) {
    for (DataType type : kTypes) {
      std::printf("\n%-34s", absl::StrCat(operation.name, "/", NameOfType(type)).c_str());
      for (CpuPath path : AvailableCpuPaths()) {
        const double seconds = reporter.Seconds(NameOf(operation, type, path));
        const double rate =
            seconds == 0 ? 0 : static_cast<double>(BytesOf(operation, type)) / seconds / 1e9;
        std::printf("%11.1f (%3.0f%%)", rate, copy == 0 ? 0.0 : 100 * rate / copy);
      }
    }
  }
  std::printf("\n");
}

}  // namespace sasq::kernels
