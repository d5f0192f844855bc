#!/usr/bin/env bash
# Builds the CUDA kernels, compares them with the CPU's on this machine's GPU, looks for memory errors
# and races with compute-sanitizer where it is installed, and prints their speed. Where there is no
# GPU, what needs one is skipped and the script succeeds.
#
# usage: test_gpu.sh [--sm90a]
#   --sm90a  also the product with Hopper's own instructions
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

sm90a=OFF
case "${1:-}" in
  "") ;;
  --sm90a) sm90a=ON ;;
  *) fail "unknown argument: $1" "usage: test_gpu.sh [--sm90a]" ;;
esac
cd "$SASQ_ROOT"
jobs=$(nproc)

scripts/install_deps.sh --tests
scripts/fetch_cuda.sh

step "Building, preset cuda"
cmake --preset cuda -DSASQ_CUDA_SM90A="$sm90a" >/dev/null
cmake --build --preset cuda --parallel "$jobs" --target \
  kernels_cuda_arguments_test kernels_cuda_gpu_test gpu_bench

step "Tests"
ctest --preset cuda --tests-regex '^kernels_cuda_(arguments|gpu)_test$'

step "compute-sanitizer"
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    note "$tool"
    compute-sanitizer --tool "$tool" --error-exitcode 1 build-cuda/tests/kernels_cuda_gpu_test \
      --gtest_brief=1
  done
else
  note "not installed: skipped"
fi

step "Speed"
build-cuda/bin/gpu_bench
end_step
