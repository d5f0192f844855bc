// run_on_path PATH PROGRAM [ARGUMENT...]: runs the program with SASQ_KERNEL_PATH=PATH. Where this
// CPU cannot run the path it says so and exits with 77, which CTest counts as skipped.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "kernels/cpu_path.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: run_on_path PATH PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  setenv("SASQ_KERNEL_PATH", argv[1], 1);
  const auto path = sasq::kernels::SelectCpuPath();
  if (path.status().code() == absl::StatusCode::kFailedPrecondition) {
    std::printf("skipped: %s\n", std::string(path.status().message()).c_str());
    return 77;
  }
  if (!path.ok()) {
    std::fprintf(stderr, "%s\n", std::string(path.status().message()).c_str());
    return 2;
  }
  execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 2;
}
