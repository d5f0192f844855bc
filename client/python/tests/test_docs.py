"""docs/python.md says what is true: its blocks run, in order, against the real service."""

import re

from conftest import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPEC = """
model: model
training_text: train.txt
evaluation_text: eval.txt
recipe: sasq
calibration: {window_tokens: 64}
evaluation: {window_tokens: 128}
"""


def test_the_examples(service, inputs, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "work"
    folder.mkdir()
    for path in inputs.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "job.yaml").write_text(SPEC)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SASQ_ENDPOINT", service.endpoint)

    text = (ROOT / "docs" / "python.md").read_text()
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```python") == 7
    names = {}
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], "docs/python.md", "exec"), names)

    printed = capsys.readouterr().out
    assert "{'spec.evaluation.window_tokens': 'is 4, want 8..32768'}" in printed
    assert "SUCCEEDED" in printed and (folder / "result" / "scales.safetensors").exists()
    assert tuple(names["logits"].shape[:2]) == (1, 3)
