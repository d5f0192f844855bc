#!/usr/bin/env bash
# Compares every method on SmolLM2-135M in one job: installs, builds, gets a model and texts, starts
# the service on loopback, prints the table and writes the report. About an hour on two cores with
# the default windows. The second run skips what is there.
#
# usage: compare.sh [--keep] [--dataset-dir FOLDER] [--data-dir FOLDER] [--eval-windows N]
#                   [--eval-text FILE] [--baseline METHOD[:FIRST_TOKEN]]...
#   --keep                leave the service up, and print how to talk to it
#   --dataset-dir FOLDER  WikiText-2: a folder with wiki.test.raw (default: $SASQ_WIKITEXT2_DIR, or
#                         Wikipedia text, which is not WikiText-2)
#   --eval-text FILE      evaluate on this text as it is, such as wiki.test.tokens
#   --data-dir FOLDER     where sasqd keeps jobs and artifacts (default: build/compare/data)
#   --eval-windows N      2,048-token windows of each row and text (default: 4; 0: all)
#   --baseline METHOD     measure this row; may be repeated (default: every method and preset)
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"
# shellcheck source=scripts/service.sh
. "$SASQ_ROOT/scripts/service.sh"

readonly OUT="$SASQ_ROOT/build/compare"
readonly SUITE="$SASQ_ROOT/quant/eval/suite"

keep=0 dataset_dir="" data_dir="$OUT/data" eval_windows=4 eval_text="" baseline_flags=()
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=1 && shift ;;
    --dataset-dir) dataset_dir=${2:?"$1 wants a folder"} && shift 2 ;;
    --data-dir) data_dir=${2:?"$1 wants a folder"} && shift 2 ;;
    --eval-windows) eval_windows=${2:?"$1 wants a number"} && shift 2 ;;
    --eval-text) eval_text=$(realpath "${2:?"$1 wants a file"}") && shift 2 ;;
    --baseline) baseline_flags+=(--baseline "${2:?"$1 wants a method"}") && shift 2 ;;
    *) fail "unknown argument: $1" "$(sed -n 's/^# usage: /usage: /p' "$0")" ;;
  esac
done
data_dir=$(realpath --canonicalize-missing "$data_dir")
[ -z "$dataset_dir" ] || dataset_dir=$(realpath --canonicalize-missing "$dataset_dir")

build_programs

step "Model"
model=$(scripts/get_model.sh)
note "$model"

step "Texts"
eval "$(scripts/get_text.sh --other-texts ${dataset_dir:+--dataset-dir "$dataset_dir"})"
[ -z "$eval_text" ] || { DATASET=$(basename "$eval_text") EVAL_TEXT=$eval_text EVAL_LAYOUT=plain; }
note "evaluation: $DATASET"
note "            $EVAL_TEXT"
note "training:   $TRAIN_TEXT"
text_flags=()
for text in "${OTHER_TEXTS[@]}"; do
  note "other:      $text"
  text_flags+=(--other-text "$text")
done

start_service

step "Comparing"
"$BIN/sasq" compare --name "comparison" --model "$model" \
  --train-text "$TRAIN_TEXT" --train-layout "$TRAIN_LAYOUT" \
  --eval-text "$EVAL_TEXT" --eval-layout "$EVAL_LAYOUT" --eval-windows "$eval_windows" \
  "${text_flags[@]}" --task facts="$SUITE/facts.jsonl" --task cloze="$SUITE/cloze.jsonl" \
  --prompts "$SUITE/prompts.jsonl" "${baseline_flags[@]}"

download_newest

note "evaluated on: $DATASET"
note "report:       ${OUT#"$SASQ_ROOT"/}/report.html, report.md and report.json"
note "in all:       $(duration $SECONDS)"
if [ "$keep" -eq 1 ]; then leave_running; fi
