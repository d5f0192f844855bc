#!/usr/bin/env bash
# One step of a pipeline: submits a quantization job, waits for it, asks its quality gates, and leaves what a
# pipeline shows and keeps. Exits as `sasq` does: 0 good, 1 the job failed, 2 usage, 3 a gate was not passed,
# 4 not found or denied, 5 the service is away, 124 it took too long, 130 or 143 the pipeline was stopped.
# A job that is not waited for any more is cancelled.
#
# usage: quantize.sh OUT_DIR [ARGUMENT...]
#   ARGUMENT  of `sasq submit`: a spec file, --model, --train-text, --gate ...
# environment:
#   SASQ_ENDPOINT    host:port of the service; SASQ_TOKEN and SASQ_TLS_CA where it has tokens and TLS
#   SASQ_GATES       more gates, separated by white space: max-ppl-increase=1% min-task-accuracy@facts=70%
#   SASQ_JOB         ask the gates of this finished job instead of submitting one (no ARGUMENT then)
#   SASQ_MAX_AGE     with SASQ_JOB: how long ago it may have ended, such as 168h
#   SASQ_TIMEOUT     how long to wait (2h)
#   SASQ_REQUEST_ID  makes a repeat of the step safe: the same id and spec give the same job
#   SASQ             the program (sasq)
# leaves in OUT_DIR:
#   job              the job's name
#   report.md        for a pull request; report.html, report.json
#   gates.xml        the gates as JUnit XML, if there are any
#   artifact/        the artifact, if every gate was passed
set -euo pipefail

sasq=${SASQ:-sasq}
job=${SASQ_JOB:-}
must_cancel=""

if [ $# -lt 1 ]; then
  echo "usage: quantize.sh OUT_DIR [ARGUMENT...]; the head of the script says more" >&2
  exit 2
fi
out=$1
shift
mkdir -p "$out"
rm -rf "$out"/{job,report.md,report.html,report.json,gates.xml,artifact}

read -r -d '' -a gate_words <<<"${SASQ_GATES:-}" || true
gates=()
for word in "${gate_words[@]}"; do gates+=(--gate "$word"); done

# shellcheck disable=SC2317  # the trap calls it
finish() {
  local status=$?
  trap - EXIT INT TERM
  if [ -n "$must_cancel" ]; then "$sasq" cancel "$job" || true; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

status=0
if [ -z "$job" ]; then
  job=$("$sasq" submit "$@" "${gates[@]}" ${SASQ_REQUEST_ID:+--request-id "$SASQ_REQUEST_ID"})
  must_cancel=1
  echo "$job" >"$out/job"
  # In the background, so that a stop is heeded at once.
  "$sasq" wait "$job" --timeout "${SASQ_TIMEOUT:-2h}" &
  wait $! || status=$?
  case $status in
    0 | 1 | 3) must_cancel="" ;;
    *) exit "$status" ;;
  esac
  [ "$status" -ne 1 ] || exit 1
  asked=()
else
  [ $# -eq 0 ] || { echo "quantize.sh: with SASQ_JOB nothing is submitted: $*" >&2; exit 2; }
  echo "$job" >"$out/job"
  asked=("${gates[@]}" ${SASQ_MAX_AGE:+--max-age "$SASQ_MAX_AGE"})
  "$sasq" get "$job" >/dev/null
fi

for form in markdown html json; do
  "$sasq" report "$job" --format "$form" >"$out/report.${form/markdown/md}"
done
# Without gates there is nothing to judge.
if [ ${#asked[@]} -gt 0 ] || "$sasq" get "$job" --output json | grep --quiet '"gate": "'; then
  status=0
  # An earlier job's result, judged by other gates, has a report that does not tell of these.
  said=$("$sasq" gate "$job" "${asked[@]}" --junit "$out/gates.xml") || status=$?
  echo "$said"
  # shellcheck disable=SC2016  # Markdown's quotes
  printf '\n## Quality gates\n\n```\n%s\n```\n' "$said" >>"$out/report.md"
fi
[ "$status" -ne 0 ] || "$sasq" download "$job" --dir "$out/artifact"
exit "$status"
