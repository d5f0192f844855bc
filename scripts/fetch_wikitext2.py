#!/usr/bin/env python3
"""Fetches WikiText-2 raw (CC BY-SA 3.0) from a Hugging Face compatible hub into wiki.*.raw files.

usage: fetch_wikitext2.py [--output FOLDER] [--splits test,validation,train]

The default folder is .deps/wikitext-2, where scripts/get_text.sh finds it. A download that broke off
goes on where it stopped. Run it with .deps/venv/bin/python (scripts/install_deps.sh makes it); it
installs pyarrow there if need be.

environment: HF_ENDPOINT  the hub (https://huggingface.co)
             HF_TOKEN     sent to the hub, if set
"""

import argparse
import hashlib
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEFAULT_HUB = "https://huggingface.co"
FILE_PATH = "datasets/Salesforce/wikitext/resolve/main/wikitext-2-raw-v1/{}-00000-of-00001.parquet"
FILE_NAMES = {"test": "wiki.test.raw", "validation": "wiki.valid.raw", "train": "wiki.train.raw"}
# Of the files as first published. The other splits are trained on, never scored: not pinned.
KNOWN_SHA256 = {"test": "173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08"}
BLANK_LINE = " \n"  # what the published files have where the hub has an empty row
CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 60


class KeepTokenAtHome(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never takes the token to another host."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new and urllib.parse.urlsplit(newurl).netloc != urllib.parse.urlsplit(req.full_url).netloc:
            new.remove_header("Authorization")
        return new


def download(url, target, token):
    """Downloads `url` to `target` through `target`.part, from where an earlier try stopped."""
    part = target.with_name(target.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    opener = urllib.request.build_opener(KeepTokenAtHome)
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: the part is the whole file, or of another one
            raise
        part.unlink()
        return download(url, target, token)
    with response, part.open("ab" if response.status == 206 else "wb") as out:
        while chunk := response.read(CHUNK_BYTES):
            out.write(chunk)
        length = response.headers.get("Content-Length")
        done = out.tell() - (have if response.status == 206 else 0)
    if length is not None and done != int(length):
        raise ConnectionError(f"{url} ended after {done} of {length} bytes; run this again to go on")
    part.rename(target)


def text_of(parquet):
    """The file as published, from the hub's rows."""
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(parquet, columns=["text"]).column("text").to_pylist()
    return "".join(row or BLANK_LINE for row in rows).encode()


def require_pyarrow():
    """Installs pyarrow, pinned by hash, into the environment that runs this, if it is not there."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        requirements = ROOT / "scripts" / "requirements-wikitext2.txt"
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes",
                        "--only-binary", ":all:", "--requirement", requirements], check=True)


def fetch(hub, token, split, folder):
    """Fetches one split into `folder`."""
    target = folder / FILE_NAMES[split]
    if target.exists():
        print(f"{target} is there")
        return
    parquet = folder / f"{split}.parquet"
    if not parquet.exists():
        download(f"{hub}/{FILE_PATH.format(split)}", parquet, token)
    text = text_of(parquet)
    digest = hashlib.sha256(text).hexdigest()
    if digest != KNOWN_SHA256.get(split, digest):
        parquet.unlink()
        sys.exit(f"error: the {split} split from {hub} has the SHA-256 {digest}, want "
                 f"{KNOWN_SHA256[split]}: it is not WikiText-2 raw as published")
    part = target.with_name(target.name + ".part")
    part.write_bytes(text)
    part.rename(target)
    parquet.unlink()
    checked = "as published" if split in KNOWN_SHA256 else "not checked against a known digest"
    print(f"{target}: {len(text)} bytes, SHA-256 {digest} ({checked})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / ".deps" / "wikitext-2")
    parser.add_argument("--splits", default="test,validation,train")
    arguments = parser.parse_args()
    splits = arguments.splits.split(",")
    if unknown := [split for split in splits if split not in FILE_NAMES]:
        parser.error(f"unknown split {unknown[0]}, want some of {','.join(FILE_NAMES)}")
    hub = os.environ.get("HF_ENDPOINT", DEFAULT_HUB).rstrip("/")
    require_pyarrow()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for split in splits:
        try:
            fetch(hub, os.environ.get("HF_TOKEN"), split, arguments.output)
        except (OSError, ConnectionError) as error:
            sys.exit(f"error: could not fetch the {split} split from {hub}: {error}\n"
                     "Set HF_ENDPOINT to a hub that this machine reaches, and HF_TOKEN if it wants one.")


if __name__ == "__main__":
    main()
