#!/usr/bin/env bash
# Builds the wheel of the Python client with what .deps/venv holds, without the network.
#
# usage: build_python.sh [FOLDER]
#   FOLDER  where the wheel goes (build/python)
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

[ $# -le 1 ] || fail "unknown argument: $2" "usage: build_python.sh [FOLDER]"
out=$(realpath --canonicalize-missing "${1:-$SASQ_ROOT/build/python}")
cd "$SASQ_ROOT"
"$SASQ_DEPS/venv/bin/python" -c 'import grpc_tools' 2>/dev/null ||
  fail "there is no grpcio-tools in .deps/venv" "Run 'scripts/install_deps.sh --tests' first."
rm -f "$out"/sasq-*.whl
"$SASQ_DEPS/venv/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-index --no-deps \
  --no-build-isolation --wheel-dir "$out" client/python
note "the wheel is in $out"
