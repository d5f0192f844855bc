#!/usr/bin/env bash
# Kills workers and coordinators of a running service with -9, round by round, and checks that no job
# was lost, doubled or changed. Needs a built tree (scripts/test.sh makes one).
#
# usage: chaos.sh [--rounds N] [--store sqlite|postgres] [--coordinators N] [--seed N]
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

cd "$SASQ_ROOT"
export SASQ_BIN_DIR=${SASQ_BIN_DIR:-$SASQ_ROOT/build/bin}
[ -x "$SASQ_BIN_DIR/sasqd" ] || fail "there is no $SASQ_BIN_DIR/sasqd" "build first: scripts/test.sh"
exec "$SASQ_ROOT/.deps/venv/bin/python" -B tests/chaos/chaos.py "$@"
