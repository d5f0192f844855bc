"""What the tests share: the tiny model of tests/e2e, with a context that the defaults of a job spec ask for."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
os.environ.setdefault("SASQ_BIN_DIR", str(ROOT / "build" / "bin"))

import tiny_model  # noqa: E402

# An evaluation window has 2,048 tokens unless the spec says otherwise, and may follow a prefix.
CONTEXT = 4096


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """A folder with model/, train.txt and eval.txt."""
    folder = tmp_path_factory.mktemp("inputs")
    tiny_model.write_model(folder / "model",
                           change_config=lambda config: config.update(max_position_embeddings=CONTEXT))
    tiny_model.write_text(folder / "train.txt", words=12000, seed=1)
    tiny_model.write_text(folder / "eval.txt", words=6000, seed=2)
    return folder
