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

# shellcheck source=scripts/service.sh
. "$SASQ_ROOT/scripts/service.sh"

readonly OUT="$SASQ_ROOT/build/quickstart"
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

data_dir=$(realpath --canonicalize-missing "$data_dir")
[ -z "$dataset_dir" ] || dataset_dir=$(realpath --canonicalize-missing "$dataset_dir")
build_programs

step "Model"
model=$(scripts/get_model.sh)
note "$model"

step "Text"
eval "$(scripts/get_text.sh ${dataset_dir:+--dataset-dir "$dataset_dir"})"
note "evaluation: $DATASET"
note "            $EVAL_TEXT"
note "training:   $TRAIN_TEXT"

start_service

step "Training and measuring"
baseline_flags=()
for baseline in "${BASELINES[@]}"; do baseline_flags+=(--baseline "$baseline"); done
"$BIN/sasq" submit --wait --name "quick start" --model "$model" \
  --train-text "$TRAIN_TEXT" --train-layout "$TRAIN_LAYOUT" \
  --eval-text "$EVAL_TEXT" --eval-layout "$EVAL_LAYOUT" --eval-windows "$eval_windows" \
  --method sasq --first-token float "${baseline_flags[@]}"

download_newest

note "evaluated on: $DATASET"
note "scales:       ${OUT#"$SASQ_ROOT"/}/scales.safetensors"
note "report:       ${OUT#"$SASQ_ROOT"/}/report.html and report.json"
note "in all:       $(duration $SECONDS)"
if [ "$keep" -eq 1 ]; then leave_running; fi
