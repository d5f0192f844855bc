// What every fuzz target defines: LibFuzzer's entry, called once for each input.
#ifndef SASQ_TESTS_FUZZ_FUZZ_TARGET_H_
#define SASQ_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

// Returns 0. Ends the program if what is tested breaks a promise.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace sasq::testing {

inline absl::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace sasq::testing

#endif  // SASQ_TESTS_FUZZ_FUZZ_TARGET_H_
