// Prints, as JSON, the fragments of mma and ldmatrix by the traits of NVIDIA's CuTe: for each lane
// and value (byte, sum or register) the element. fragments_test.py compares the interpreter's maps.
#include <cstdio>
#include <cute/atom/copy_traits_sm75.hpp>
#include <cute/atom/mma_atom.hpp>
#include <cute/tensor.hpp>

namespace {

constexpr int kLanes = 32;

template <class Layout>
void PrintLayout(const char* name, Layout layout, int values) {
  std::printf("\"%s\": [", name);
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int value = 0; value < values; ++value) {
      const bool first = lane == 0 && value == 0;
      std::printf("%s%d", first ? "" : ", ", static_cast<int>(layout(lane, value)));
    }
  }
  std::printf("]");
}

// For each lane and register of ldmatrix.x4, the place of its first bit among the bits that all
// lanes' addresses give, 128 each.
void PrintLdmatrix() {
  using Copy = cute::Copy_Traits<cute::SM75_U32x4_LDSM_N>;
  std::printf("\"ldmatrix_source\": [");
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int matrix = 0; matrix < 4; ++matrix) {
      const int bit = static_cast<int>(Copy::DstLayout{}(lane, matrix * 32));
      // The lane and bit that supply it.
      int found = -1;
      for (int source = 0; source < kLanes && found < 0; ++source) {
        for (int offset = 0; offset < 128 && found < 0; offset += 32) {
          if (static_cast<int>(Copy::SrcLayout{}(source, offset)) == bit) {
            found = source * 4 + offset / 32;
          }
        }
      }
      std::printf("%s%d", lane == 0 && matrix == 0 ? "" : ", ", found);
    }
  }
  std::printf("]");
}

}  // namespace

int main() {
  using Product = cute::MMA_Traits<cute::SM80_16x8x32_S32S8S8S32_TN>;
  std::printf("{");
  PrintLayout("a", Product::ALayout{}, 16);
  std::printf(",\n");
  PrintLayout("b", Product::BLayout{}, 8);
  std::printf(",\n");
  PrintLayout("c", Product::CLayout{}, 4);
  std::printf(",\n");
  PrintLdmatrix();
  std::printf("}\n");
  return 0;
}
