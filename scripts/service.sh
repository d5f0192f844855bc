# Sourced by scripts that run a service of their own on loopback: builds it, starts sasqd and a
# worker, and stops what it started when the script ends. The script sets OUT, a folder for logs and
# ports, and data_dir, where sasqd keeps jobs, after it sourced steps.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154  # what steps.sh and the script set

readonly BIN="$SASQ_ROOT/build/bin"
readonly START_TIMEOUT_SECONDS=60

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

# build_programs: installs what is missing and builds the three programs into build/.
build_programs() {
  cd "$SASQ_ROOT" || exit
  scripts/install_deps.sh
  step "Building into build/"
  export NINJA_STATUS="    [%f/%t, %es] "
  cmake --preset release >/dev/null
  cmake --build --preset release --target sasqd sasq-worker sasq
}

# start_service: starts coordinator and worker, and exports SASQ_ENDPOINT.
start_service() {
  local old_job
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
}

# download_newest: the artifact of the newest job, into OUT.
download_newest() {
  step "Downloading the artifact"
  "$BIN/sasq" download "$("$BIN/sasq" list --quiet --limit 1)" --dir "$OUT" --force
  end_step
}

# leave_running: prints how to talk to the service, which outlives the script.
leave_running() {
  note ""
  note "The service stays up. To talk to it:"
  note "  export SASQ_ENDPOINT=$SASQ_ENDPOINT"
  note "  build/bin/sasq list; build/bin/sasq workers; build/bin/sasq --help"
  note "  curl http://127.0.0.1:$(port_of sasqd metrics)/metrics    (coordinator)"
  note "  curl http://127.0.0.1:$(port_of sasq-worker metrics)/metrics    (worker)"
  note "To stop it: kill ${pids[*]}"
  pids=()
}
