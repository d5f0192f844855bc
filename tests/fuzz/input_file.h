// The bytes of an input as a file, for parsers that take a path. It lies in memory.
#ifndef SASQ_TESTS_FUZZ_INPUT_FILE_H_
#define SASQ_TESTS_FUZZ_INPUT_FILE_H_

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"

namespace sasq::testing {

class InputFile {
 public:
  explicit InputFile(absl::string_view bytes) : descriptor_(::memfd_create("input", MFD_CLOEXEC)) {
    SASQ_CHECK(descriptor_ >= 0);
    SASQ_CHECK(::write(descriptor_, bytes.data(), bytes.size()) ==
               static_cast<ssize_t>(bytes.size()));
  }
  ~InputFile() { ::close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::string path() const { return absl::StrCat("/proc/self/fd/", descriptor_); }

 private:
  const int descriptor_;
};

}  // namespace sasq::testing

#endif  // SASQ_TESTS_FUZZ_INPUT_FILE_H_
