#!/usr/bin/env bash
# Installs what building and running need: Debian packages, a Python environment in .deps/venv and
# LibTorch in .deps/libtorch. Does nothing, quickly, where all of it is there.
#
# usage: install_deps.sh [--tests] [--cuda]
#   --tests  also what scripts/test.sh needs
#   --cuda   also what the preset `cuda` needs: CUDA's compiler and the complete PyTorch (5 GB)
# environment: PYTHON  the Python that makes the environment (/usr/bin/python3)
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

readonly BUILD_PACKAGES=(
  ca-certificates ccache cmake curl g++ git mold ninja-build pkg-config python3 python3-venv unzip
  libabsl-dev libbenchmark-dev libcli11-dev libcpp-httplib-dev libcurl4-openssl-dev libgmock-dev
  libgrpc++-dev libgtest-dev libpcre2-dev libpq-dev libprotobuf-dev libsodium-dev libspdlog-dev
  libsqlite3-dev libssl-dev libtinyxml2-dev libutf8proc-dev libyaml-cpp-dev nlohmann-json3-dev
  prometheus-cpp-dev
  protobuf-compiler protobuf-compiler-grpc
)
readonly TEST_PACKAGES=(
  chromium clang clang-format clang-tidy fish groff-base openssl postgresql shellcheck
  tmux zsh
)

tests=0
cuda=0
for argument in "$@"; do
  case "$argument" in
    --tests) tests=1 cuda=1 ;;
    --cuda) cuda=1 ;;
    *) fail "unknown argument: $argument" "usage: install_deps.sh [--tests] [--cuda]" ;;
  esac
done

# missing_packages PACKAGE...: those that are not installed, one a line.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p') || true
  printf '%s\n' "$@" | grep -vxF -e "$installed" || true
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends "$@"
}

update_package_lists() {
  note "fetching new package lists"
  run_or_stop "Check the machine's network and /etc/apt/sources.list*." as_root apt-get update --quiet
}

install_packages() {
  command -v apt-get >/dev/null || fail "there is no apt-get: this script installs on Debian 12" \
    "Elsewhere, install what corresponds to these packages, then build with CMake: $*"
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} -eq 0 ]; then
    note "all $# are installed"
    return
  fi
  note "to install: ${missing[*]}"
  # On a machine just made there are no package lists; on another they may be old.
  apt_install --simulate "${missing[@]}" >/dev/null 2>&1 || update_package_lists
  if ! apt_install "${missing[@]}"; then
    update_package_lists
    run_or_stop "Run it by hand to see why; this script goes on from there." \
      apt_install "${missing[@]}"
  fi
}

# install_requirements FILE: into .deps/venv, every file checked against its hash.
install_requirements() {
  local stamp
  stamp="$SASQ_DEPS/venv/installed-$(basename "$(dirname "$1")")-$(basename "$1")"
  if cmp --silent "$1" "$stamp"; then
    note "${1#"$SASQ_ROOT"/} is installed"
    return
  fi
  run_or_stop "Check that pip reaches a package index; see 'pip config list'." \
    "$SASQ_DEPS/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --only-binary :all: --requirement "$1"
  cp "$1" "$stamp"
  note "installed ${1#"$SASQ_ROOT"/}"
}

# Prometheus for the tests. Its package would start a server when it is installed: only unpack it.
unpack_prometheus() {
  if [ -x "$SASQ_DEPS/tools/promtool" ] && [ -x "$SASQ_DEPS/tools/prometheus" ]; then
    note "Prometheus is there"
    return
  fi
  local folder
  folder=$(mktemp -d)
  (
    cd "$folder"
    run_or_stop "Run 'apt-get update' and this script again." \
      apt-get --quiet -o APT::Sandbox::User=root download prometheus
    dpkg-deb --extract prometheus_*.deb .
  )
  mkdir -p "$SASQ_DEPS/tools"
  mv "$folder/usr/bin/promtool" "$folder/usr/bin/prometheus" "$SASQ_DEPS/tools/"
  rm -rf "$folder"
  note "unpacked Prometheus"
}

mkdir -p "$SASQ_DEPS"

step "Debian packages"
packages=("${BUILD_PACKAGES[@]}")
[ "$tests" -eq 0 ] || packages+=("${TEST_PACKAGES[@]}")
install_packages "${packages[@]}"
[ "$tests" -eq 0 ] || unpack_prometheus

step "Python environment"
if ! "$SASQ_DEPS/venv/bin/python" -m pip --version >/dev/null 2>&1; then
  rm -rf "$SASQ_DEPS/venv"
  run_or_stop "Install python3-venv, or set PYTHON to a Python 3.11 that can make environments." \
    "${PYTHON:-/usr/bin/python3}" -m venv "$SASQ_DEPS/venv"
fi
install_requirements "$SASQ_ROOT/scripts/requirements-run.txt"
[ "$tests" -eq 0 ] || install_requirements "$SASQ_ROOT/tests/requirements.txt"
[ "$cuda" -eq 0 ] || install_requirements "$SASQ_ROOT/scripts/requirements-torch.txt"
[ "$tests" -eq 0 ] || install_requirements "$SASQ_ROOT/tests/requirements-serving.txt"

step "LibTorch"
"$SASQ_ROOT/scripts/fetch_libtorch.sh"

if [ "$cuda" -eq 1 ]; then
  step "CUDA's compiler"
  "$SASQ_ROOT/scripts/fetch_cuda.sh"
fi
end_step
