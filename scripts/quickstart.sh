#!/usr/bin/env bash
# From nothing to a result: installs, builds, gets a model and text, starts the service on loopback,
# trains the activation scales of SmolLM2-135M, prints the comparison and stops what it started.
# The second run skips what is there.
#
# usage: quickstart.sh [--keep] [--dataset-dir FOLDER] [--data-dir FOLDER] [--eval-windows N]
#   --keep                leave the service up, and print how to talk to it
#   --dataset-dir FOLDER  WikiText-2: a folder with wiki.test.raw (default: $SASQ_WIKITEXT2_DIR)
#   --data-dir FOLDER     where sasqd keeps jobs and artifacts (default: build/quickstart/data)
#   --eval-windows N      2,048-token windows of each row of the comparison (default: 4)
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

readonly OUT="$SASQ_ROOT/build/quickstart"
readonly BIN="$SASQ_ROOT/build/bin"
readonly START_TIMEOUT_SECONDS=60
# What the trained row is compared with. The job adds the float rows scored on the same tokens.
readonly BASELINES=(fp rtn_dynamic static_absmax static_mse sasq
  fp:float rtn_dynamic:float static_absmax:float static_mse:float)

keep=0 dataset_dir="" data_dir="$OUT/data" eval_windows=4
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=1 && shift ;;
    --dataset-dir) dataset_dir=${2:?"$1 wants a folder"} && shift 2 ;;
    --data-dir) data_dir=${2:?"$1 wants a folder"} && shift 2 ;;
    --eval-windows) eval_windows=${2:?"$1 wants a number"} && shift 2 ;;
    *) fail "unknown argument: $1" "$(sed -n 's/^# usage: /usage: /p' "$0")" ;;
  esac
done

pids=()
# stop_service: stops what start_program started, newest first, and waits for it.
stop_service() {
  local index
  for ((index = ${#pids[@]} - 1; index >= 0; index--)); do
    kill -TERM "${pids[index]}" 2>/dev/null || true
    wait "${pids[index]}" 2>/dev/null || true
  done
  pids=()
}

finish() {
  local status=$? log
  trap - EXIT INT TERM
  # 130 and 143: interrupted, nothing is wrong.
  if [ "$status" -ne 0 ] && [ "$status" -ne 130 ] && [ "$status" -ne 143 ] && [ ${#pids[@]} -gt 0 ]; then
    for log in "$OUT"/*.log; do
      printf '%s--- the end of %s%s\n' "$dim" "$log" "$plain" >&2
      tail -n 15 "$log" >&2
    done
  fi
  stop_service
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start_program NAME FLAG...: starts build/bin/NAME and waits until it wrote its ports.
start_program() {
  local name=$1 waited=0
  shift
  rm -f "$OUT/$name.ports"
  # Its own process group: Ctrl-C reaches this script, which stops it in order.
  setsid "$BIN/$name" "$@" --port_file="$OUT/$name.ports" >"$OUT/$name.log" 2>&1 </dev/null &
  pids+=($!)
  until [ -s "$OUT/$name.ports" ]; do
    kill -0 "${pids[-1]}" 2>/dev/null || fail "$name ended at its start; its log is below"
    [ "$waited" -lt $((START_TIMEOUT_SECONDS * 10)) ] ||
      fail "$name is not ready after $START_TIMEOUT_SECONDS s"
    sleep 0.1
    waited=$((waited + 1))
  done
  note "$name is up, process ${pids[-1]}, log ${OUT#"$SASQ_ROOT"/}/$name.log"
}

# port_of NAME KIND: a port that NAME wrote.
port_of() {
  "$SASQ_DEPS/venv/bin/python" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
    "$OUT/$1.ports" "$2"
}

data_dir=$(realpath --canonicalize-missing "$data_dir")
[ -z "$dataset_dir" ] || dataset_dir=$(realpath --canonicalize-missing "$dataset_dir")
cd "$SASQ_ROOT"
scripts/install_deps.sh

step "Building into build/"
export NINJA_STATUS="    [%f/%t, %es] "
cmake --preset release >/dev/null
cmake --build --preset release --target sasqd sasq-worker sasq

step "Model"
model=$(scripts/get_model.sh)
note "$model"

step "Text"
eval "$(scripts/get_text.sh ${dataset_dir:+--dataset-dir "$dataset_dir"})"
note "evaluation: $DATASET"
note "            $EVAL_TEXT"
note "training:   $TRAIN_TEXT"

step "Starting the service on loopback"
mkdir -p "$OUT" "$data_dir"
start_program sasqd --listen_address=127.0.0.1:0 --metrics_address=127.0.0.1:0 --data_dir="$data_dir"
SASQ_ENDPOINT="127.0.0.1:$(port_of sasqd grpc)"
export SASQ_ENDPOINT
# A run that was interrupted left its job behind: it must not go before this one.
if [ "$data_dir" = "$OUT/data" ]; then
  for old_job in $("$BIN/sasq" list --quiet --state queued --state running); do
    "$BIN/sasq" cancel "$old_job" >/dev/null
    note "cancelled $old_job, left over from an interrupted run"
  done
fi
start_program sasq-worker --coordinator="$SASQ_ENDPOINT" --threads="$(nproc)" \
  --metrics_address=127.0.0.1:0

step "Training and measuring"
baseline_flags=()
for baseline in "${BASELINES[@]}"; do baseline_flags+=(--baseline "$baseline"); done
"$BIN/sasq" submit --wait --name "quick start" --model "$model" \
  --train-text "$TRAIN_TEXT" --train-layout "$TRAIN_LAYOUT" \
  --eval-text "$EVAL_TEXT" --eval-layout "$EVAL_LAYOUT" --eval-windows "$eval_windows" \
  --method sasq --first-token float "${baseline_flags[@]}"

step "Downloading the artifact"
job=$("$BIN/sasq" list --quiet --limit 1)
"$BIN/sasq" download "$job" --dir "$OUT" --force
end_step

note "evaluated on: $DATASET"
note "scales:       ${OUT#"$SASQ_ROOT"/}/scales.safetensors"
note "report:       ${OUT#"$SASQ_ROOT"/}/report.html and report.json"
note "in all:       $(duration $SECONDS)"
if [ "$keep" -eq 1 ]; then
  note ""
  note "The service stays up. To talk to it:"
  note "  export SASQ_ENDPOINT=$SASQ_ENDPOINT"
  note "  build/bin/sasq list; build/bin/sasq workers; build/bin/sasq --help"
  note "  curl http://127.0.0.1:$(port_of sasqd metrics)/metrics    (coordinator)"
  note "  curl http://127.0.0.1:$(port_of sasq-worker metrics)/metrics    (worker)"
  note "To stop it: kill ${pids[*]}"
  pids=()
fi
