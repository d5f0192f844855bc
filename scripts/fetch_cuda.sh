#!/usr/bin/env bash
# Puts CUDA's compiler and headers and CUTLASS' headers into .deps/cuda, from the PyPI wheels pinned
# by hash in requirements-cuda.txt: enough to compile the CUDA kernels on a machine without a GPU.
# Skips what is there already. Needs .deps/venv (install_deps.sh).
#
# usage: fetch_cuda.sh
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

readonly REQUIREMENTS="$SASQ_ROOT/scripts/requirements-cuda.txt"
readonly TARGET="$SASQ_DEPS/cuda"

[ $# -eq 0 ] || fail "unknown argument: $1" "usage: fetch_cuda.sh"

# The stamp is written last, inside the new folder: with it, the folder is whole.
if cmp --silent "$REQUIREMENTS" "$TARGET/requirements.txt"; then
  note "CUDA's compiler is there"
  exit 0
fi

mkdir -p "$SASQ_DEPS"
work=$(mktemp -d "$SASQ_DEPS/cuda.XXXXXX")
trap 'rm -rf "$work"' EXIT

note "downloading the wheels (about 115 MB)"
run_or_stop "Check that pip reaches a package index; see 'pip config list'." \
  "$SASQ_DEPS/venv/bin/python" -m pip download --quiet --disable-pip-version-check \
  --no-deps --require-hashes --only-binary :all: --python-version 3.11 \
  --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
  --platform manylinux_2_12_x86_64 --platform manylinux2010_x86_64 --platform any \
  --dest "$work/wheels" --requirement "$REQUIREMENTS"

note "unpacking"
for wheel in "$work"/wheels/nvidia_cuda_*.whl "$work"/wheels/nvidia_nvvm-*.whl; do
  unzip -q -o "$wheel" 'nvidia/cu13/*' -d "$work/unpacked"
done
unzip -q "$work"/wheels/nvidia_cutlass-*.whl 'cutlass_library/source/include/*' \
  'cutlass_library/source/tools/util/include/*' -d "$work/unpacked"
find "$work/unpacked/nvidia/cu13/bin" "$work/unpacked/nvidia/cu13/nvvm/bin" -maxdepth 1 -type f \
  -exec chmod +x {} +
mv "$work/unpacked/nvidia/cu13" "$work/new"
mv "$work/unpacked/cutlass_library/source" "$work/new/cutlass"
ln -s lib "$work/new/lib64"  # where nvcc looks for libraries
cp "$REQUIREMENTS" "$work/new/requirements.txt"
replace_folder "$work/new" "$TARGET"
note "CUDA's compiler is in ${TARGET#"$SASQ_ROOT"/}"
