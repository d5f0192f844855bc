#!/usr/bin/env bash
# Puts LibTorch into .deps/libtorch: the C++ half of the PyPI wheels pinned by hash in
# requirements-libtorch.txt. Skips what is there already. Needs .deps/venv (install_deps.sh).
#
# usage: fetch_libtorch.sh
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

readonly REQUIREMENTS="$SASQ_ROOT/scripts/requirements-libtorch.txt"
readonly TARGET="$SASQ_DEPS/libtorch"

[ $# -eq 0 ] || fail "unknown argument: $1" "usage: fetch_libtorch.sh"

# The stamp is written last, inside the new folder: with it, the folder is whole.
if cmp --silent "$REQUIREMENTS" "$TARGET/requirements.txt"; then
  note "LibTorch is there"
  exit 0
fi

mkdir -p "$SASQ_DEPS"
work=$(mktemp -d "$SASQ_DEPS/libtorch.XXXXXX")
trap 'rm -rf "$work"' EXIT

note "downloading the wheels (about 530 MB)"
# The tags are fixed so that any Python chooses the one file whose hash is pinned.
run_or_stop "Check that pip reaches a package index; see 'pip config list'." \
  "$SASQ_DEPS/venv/bin/python" -m pip download --disable-pip-version-check \
  --no-deps --require-hashes --only-binary :all: \
  --python-version 3.11 --implementation cp --abi cp311 \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
  --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
  --dest "$work/wheels" --requirement "$REQUIREMENTS"

note "unpacking"
# The wheel's copy of google/protobuf would shadow Debian's.
unzip -q "$work"/wheels/torch-*.whl torch/lib/libtorch_cpu.so torch/lib/libc10.so \
  'torch/lib/libgomp*.so*' 'torch/include/*' \
  'torch-*.dist-info/licenses/*' -x 'torch/include/google/*' 'torch/include/pybind11/*' \
  'torch/include/dnnl*' 'torch/include/oneapi/*' -d "$work/new"
unzip -q "$work"/wheels/nvidia_cuda_runtime-*.whl nvidia/cu13/lib/libcudart.so.13 -d "$work/new"
unzip -q "$work"/wheels/nvidia_cuda_cupti-*.whl nvidia/cu13/lib/libcupti.so.13 -d "$work/new"
cp "$REQUIREMENTS" "$work/new/requirements.txt"
replace_folder "$work/new" "$TARGET"
note "LibTorch is in ${TARGET#"$SASQ_ROOT"/}"
