#!/usr/bin/env bash
# Installs what is missing, builds everything and runs the tests. The last lines are ctest's summary.
#
# usage: test.sh [--long]
#   --long  also longer fuzzing, the C++ tests under the sanitizers, a hundred rounds of kills on each store, 2,000
#           seeds of the simulation, clang-tidy of the LibTorch sources, and the perplexities of SmolLM2-135M against
#           an independent implementation's
# environment: SASQ_WIKITEXT2_DIR  a folder with wiki.test.raw, for the tests that need WikiText-2
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

long=0
case "${1:-}" in
  "") ;;
  --long) long=1 ;;
  *) fail "unknown argument: $1" "usage: test.sh [--long]" ;;
esac
cd "$SASQ_ROOT"
jobs=$(nproc)
export NINJA_STATUS="    [%f/%t, %es] "

# build PRESET [TARGET...]
build() {
  step "Building, preset $1"
  cmake --preset "$1" >/dev/null
  cmake --build --preset "$1" --parallel "$jobs" ${2:+--target "${@:2}"}
}

scripts/install_deps.sh --tests
step "Model for the tests"
SASQ_MODEL_DIR=$(scripts/get_model.sh)
export SASQ_MODEL_DIR

step "Style"
cmake --preset release -DSASQ_BUILD_TESTS=ON >/dev/null
ctest --preset release --parallel "$jobs" --label-regex '^style$'

build release
# For every compute capability. Without a GPU the worker computes on the CPU and kernels check arguments.
build cuda sasqd sasq sasq-worker kernels_cuda_arguments_test kernels_cuda_gpu_test gpu_bench
# Thread safety annotations are clang's: build what has threads with it.
build clang sasq_common sasq_server sasq_client_commands sasq_worker
end_step
fuzz_seconds=10
[ "$long" -eq 0 ] || fuzz_seconds=60
scripts/fuzz.sh --seconds "$fuzz_seconds"

if [ "$long" -eq 1 ]; then
  for preset in asan tsan; do
    build "$preset"
    step "Tests, preset $preset"
    ctest --preset "$preset" --parallel "$jobs" --label-exclude '^(style|tidy|long|e2e|chaos|python|reference|deploy|docs)$'
  done
  step "A hundred rounds of kills on each store"
  scripts/chaos.sh --rounds 100
  scripts/chaos.sh --rounds 100 --store postgres --coordinators 2
  export SASQ_SIMULATION_SEEDS=2000
fi

step "Tests, preset cuda"
ctest --preset cuda --parallel "$jobs" --tests-regex '^(kernels_(cuda_arguments|cuda_gpu|product_machine_code)|e2e_(job|metrics)$)'

step "Tests"
exclude='^(long|reference)$'
[ "$long" -eq 0 ] || exclude='^$'
exec ctest --preset release --parallel "$jobs" --label-exclude "$exclude"
