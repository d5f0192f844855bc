#include "quant/format/dtype.h"

#include <array>
#include <utility>

namespace sasq {
namespace {

struct DtypeInfo {
  absl::string_view name;
  int64_t size_bytes;
};

// In the order of the enum.
constexpr std::array<DtypeInfo, 15> kDtypes = {{
    {"BOOL", 1},
    {"U8", 1},
    {"I8", 1},
    {"F8_E5M2", 1},
    {"F8_E4M3", 1},
    {"I16", 2},
    {"U16", 2},
    {"F16", 2},
    {"BF16", 2},
    {"I32", 4},
    {"U32", 4},
    {"F32", 4},
    {"F64", 8},
    {"I64", 8},
    {"U64", 8},
}};
static_assert(kDtypes.size() == static_cast<size_t>(Dtype::kU64) + 1);

}  // namespace

int64_t DtypeSizeBytes(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)].size_bytes; }

absl::string_view DtypeName(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)].name; }

std::optional<Dtype> ParseDtype(absl::string_view name) {
  for (size_t i = 0; i < kDtypes.size(); ++i) {
    if (kDtypes[i].name == name) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

}  // namespace sasq
