#!/usr/bin/env bash
# Runs the fuzz targets of tests/fuzz under LibFuzzer and the sanitizers, two at a time. A finding ends
# it with exit code 1; its input lies in build-fuzz/findings/TARGET.
#
# usage: fuzz.sh [--seconds N] [TARGET...]
#   --seconds N  how long each target runs; default 10
#   TARGET       such as scale_pack; default all
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

# LibFuzzer counts neither a slow input nor a large one as wrong below these.
readonly TIMEOUT_SECONDS=20
readonly MEMORY_MIB=2048
readonly MAX_INPUT_BYTES=65536

# run_target TARGET SECONDS
run_target() {
  local corpus="$SASQ_ROOT/tests/fuzz/corpus/$1" findings="$SASQ_ROOT/build-fuzz/findings/$1"
  local grown log status=0
  mkdir -p "$findings"
  grown=$(mktemp -d)
  log="$findings/log"
  # What is found on the way goes to the first folder, and away.
  "$SASQ_ROOT/build-fuzz/tests/fuzz_$1" -max_total_time="$2" -timeout="$TIMEOUT_SECONDS" \
    -rss_limit_mb="$MEMORY_MIB" -max_len="$MAX_INPUT_BYTES" -print_final_stats=1 -artifact_prefix="$findings/" \
    "$grown" "$corpus" >"$log" 2>&1 || status=$?
  rm -rf "$grown"
  if [ "$status" -eq 0 ]; then
    note "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $2 s"
  else
    tail -n 60 "$log"
    note "$1: a finding; the input is in ${findings#"$SASQ_ROOT/"}"
  fi
  return "$status"
}

if [ "${1:-}" = --run-target ]; then
  run_target "$2" "$3"
  exit
fi
seconds=10
if [ "${1:-}" = --seconds ]; then
  seconds=${2:?"usage: fuzz.sh [--seconds N] [TARGET...]"}
  shift 2
fi
cd "$SASQ_ROOT"
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  mapfile -t targets < <(cd tests/fuzz/corpus && printf '%s\n' *)
fi

step "Building, preset fuzz"
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --parallel "$(nproc)" --target "${targets[@]/#/fuzz_}"
step "Fuzzing, $seconds s each"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
printf '%s\n' "${targets[@]}" | xargs --max-procs=2 --replace scripts/fuzz.sh --run-target '{}' "$seconds" ||
  fail "a fuzz target found something" "docs/testing.md tells how to reproduce it."
end_step
