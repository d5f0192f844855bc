#!/usr/bin/env bash
# A pipeline's quantization step as it would run in CI, by deploy/ci/quantize.sh, against a live service: exits 0
# where the result is good, 3 where it does not pass a gate.
#
# usage: ci_example.sh MODEL TRAIN_TEXT EVAL_TEXT [GATE...]
#   GATE  such as max-ppl-increase=5% (the default)
# environment: SASQ_ENDPOINT  host:port of the service (127.0.0.1:7433)
#              SASQ           the program (build/bin/sasq)
#              OUT            folder for the results (build/ci_example)
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

[ $# -ge 3 ] || fail "want a model and two texts" "usage: ci_example.sh MODEL TRAIN_TEXT EVAL_TEXT [GATE...]"
model=$1 train_text=$2 eval_text=$3
shift 3
out=${OUT:-$SASQ_ROOT/build/ci_example}
export SASQ=${SASQ:-$SASQ_ROOT/build/bin/sasq}
export SASQ_GATES="${*:-max-ppl-increase=5%}"

step "Quantizing ${model##*/}, gates: $SASQ_GATES"
status=0
"$SASQ_ROOT/deploy/ci/quantize.sh" "$out" --model "$model" --train-text "$train_text" \
  --eval-text "$eval_text" --upload --method sasq --first-token float --steps 30 --window-tokens 128 \
  --eval-windows 2 --eval-tokens 256 --calibration-windows 4 --calibration-tokens 128 || status=$?
end_step
case $status in
  0) note "good: ${out#"$SASQ_ROOT"/}/artifact, report.md beside it" ;;
  3) note "not good enough: ${out#"$SASQ_ROOT"/}/gates.xml and report.md say why" ;;
  *) note "failed with exit code $status" ;;
esac
exit "$status"
