# Sourced by every script here: strict mode, the repository's root, headings with their times, and a
# stop that names what failed and what to do about it.
# shellcheck shell=bash

set -euo pipefail

SASQ_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # for the scripts that source this
SASQ_DEPS="$SASQ_ROOT/.deps"
# Objects compiled in one checkout serve another one.
export CCACHE_BASEDIR="$SASQ_ROOT"
step_title=""
step_start=0

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'
else
  bold="" dim="" red="" plain=""
fi

# duration SECONDS: "7 s" or "3 min 07 s".
duration() {
  if [ "$1" -lt 60 ]; then
    printf '%d s' "$1"
  else
    printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
  fi
}

# step TITLE: ends the step before, with its time, and begins one.
step() {
  end_step
  step_title=$1
  step_start=$SECONDS
  printf '%s==> %s%s\n' "$bold" "$1" "$plain"
}

# end_step: prints what the current step took.
end_step() {
  if [ -n "$step_title" ]; then
    printf '%s    %s: %s%s\n' "$dim" "$step_title" "$(duration $((SECONDS - step_start)))" "$plain"
    step_title=""
  fi
}

# note TEXT: one line about the current step.
note() { printf '    %s\n' "$1"; }

# fail MESSAGE [REMEDY]: stops.
fail() {
  printf '%serror:%s %s\n' "$red" "$plain" "$1" >&2
  [ $# -lt 2 ] || printf '%s\n' "$2" >&2
  exit 1
}

# run_or_stop REMEDY COMMAND...: runs the command, or stops with its text and the remedy.
run_or_stop() {
  local remedy=$1 status=0
  shift
  "$@" || status=$?
  [ "$status" -eq 0 ] || fail "this command failed with exit code $status: $*" "$remedy"
}

# as_root COMMAND...: runs the command as root, through sudo where needed.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this has to run as root, and there is no sudo: $*" "Run the script as root."
  fi
}

# replace_folder NEW FOLDER: puts NEW in FOLDER's place; a reader sees the old one or the new one.
replace_folder() {
  local old="$2.old.$$"
  mkdir -p "$(dirname "$2")"
  [ ! -e "$2" ] || mv "$2" "$old"
  mv "$1" "$2"
  rm -rf "$old"
}
