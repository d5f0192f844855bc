"""Specs from keyword arguments, dicts and files; what is wrong with them, by field."""

import json

import pytest

import sasq
from sasq.spec import make_spec as make
from sasq.v1 import job_spec_pb2


def test_service_names_the_field(client, make_spec):
    with pytest.raises(sasq.InvalidSpec) as error:
        client.submit(make_spec(), evaluation={"window_tokens": 4}, max_attempts=99)
    assert set(error.value.fields) == {"spec.evaluation.window_tokens", "spec.max_attempts"}
    assert "8..32768" in error.value.fields["spec.evaluation.window_tokens"]
    assert error.value.reason == "INVALID_SPEC"
    assert list(client.jobs()) == []


def test_keyword_arguments(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    spec = make(None, {
        "model": "model", "training_text": {"uri": "a.txt", "layout": "wikitext_rows"},
        "evaluation_text": tmp_path / "b.txt", "recipe": "sasq-max:prefix",
        "baselines": ["fp", "static_mse:float", {"method": "METHOD_QUAROT", "activations": "static"}],
        "evaluation": {"other_texts": {"code": "code.txt"}, "tasks": [{"name": "t", "text": "/t.jsonl"}],
                       "prompts": "p.jsonl", "window_count": 0}, "seed": 0, "device_kind": "cpu"})
    assert spec.model.uri == f"file:{tmp_path}/model"
    assert (spec.training_text.uri, spec.training_text.layout) == (
        f"file:{tmp_path}/a.txt", job_spec_pb2.TEXT_LAYOUT_WIKITEXT_ROWS)
    assert spec.evaluation_text.uri == f"file:{tmp_path}/b.txt"
    assert (spec.recipe.preset, spec.recipe.first_token) == (
        job_spec_pb2.PRESET_SASQ_MAX, job_spec_pb2.FIRST_TOKEN_PREFIX)
    assert [row.method for row in spec.baselines] == [
        job_spec_pb2.METHOD_FP, job_spec_pb2.METHOD_STATIC_MSE, job_spec_pb2.METHOD_QUAROT]
    assert spec.evaluation.other_texts[0].name == "code"
    assert spec.evaluation.other_texts[0].text.uri == f"file:{tmp_path}/code.txt"
    assert spec.evaluation.tasks[0].text.uri == "file:/t.jsonl"
    assert spec.evaluation.HasField("window_count") and spec.evaluation.window_count == 0
    assert spec.evaluation.prompts.uri == f"file:{tmp_path}/p.jsonl"


def test_fields_win_over_the_spec():
    base = make({"seed": 1, "evaluation": {"window_count": 2, "window_tokens": 64}}, {})
    made = make(base, {"evaluation": {"window_count": 3}})
    assert made.seed == 1 and made.evaluation.window_count == 3
    assert made.evaluation.window_tokens == 0, "a field is replaced as a whole"
    assert base.evaluation.window_count == 2


YAML = """
model: {uri: ../model}          # starts at the file's folder
recipe:
  method: sasq
  training: {step_count: 100, learning_rate: 2e-5}   # without a point: still a number
  prefix_tokens: [0, 5]
evaluation: {other_texts: [{name: "on", text: {uri: hf:org/name}}]}
"""


def test_yaml_and_json_files(tmp_path):
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "job.yaml").write_text(YAML)
    spec = make(folder / "job.yaml", {})
    assert spec.model.uri == f"file:{tmp_path}/model"
    assert (spec.recipe.training.step_count, spec.recipe.training.learning_rate) == (100, 2e-5)
    assert list(spec.recipe.prefix_tokens) == [0, 5]
    assert spec.evaluation.other_texts[0].name == "on"
    assert spec.evaluation.other_texts[0].text.uri == "hf:org/name", "other schemes stay"
    (folder / "job.json").write_text(json.dumps({"model": "../model", "display_name": "\U0001f600"}))
    assert make(folder / "job.json", {}).display_name == "\U0001f600"
    with pytest.raises(FileNotFoundError):
        make(folder / "missing.yaml", {})


@pytest.mark.parametrize("fields, field, problem", [
    ({"recipe": {"metod": "sasq"}}, "recipe.metod", "is not a known field; did you mean method?"),
    ({"recipe": {"method": "saqs"}}, "recipe.method", "did you mean sasq?"),
    ({"recipe": "sasq_mx"}, "recipe", "did you mean sasq_max?"),
    ({"recipe": "sasq:flaot"}, "recipe", "did you mean float?"),
    ({"recipe": {"training": {"step_count": 1.5}}}, "recipe.training.step_count", 'is "1.5", want a whole number'),
    ({"recipe": {"training": {"step_count": 0}}}, "recipe.training.step_count", "more than 0"),
    ({"recipe": {"training": {"step_count": 1 << 31}}}, "recipe.training.step_count", "at most 32 bits"),
    ({"recipe": {"training": {"learning_rate": "fast"}}}, "recipe.training.learning_rate", "want a number"),
    ({"recipe": {"training": {"learning_rate": float("nan")}}}, "recipe.training.learning_rate", "want a number"),
    ({"recipe": {"sites": {"float_sites": "layers.0.o_in"}}}, "recipe.sites.float_sites", "is not a list"),
    ({"recipe": {"sites": {"float_sites": [7]}}}, "recipe.sites.float_sites[0]", 'is "7", want text'),
    ({"recipe": {"smoothing": {"include_down": "yes"}}}, "recipe.smoothing.include_down", "true or false"),
    ({"recipe": {"prefix_tokens": [True]}}, "recipe.prefix_tokens[0]", "want a whole number"),
    ({"baselines": [{"nmae": "x"}]}, "baselines[0].nmae", "did you mean name?"),
    ({"evaluation": 7}, "evaluation", "is not a mapping"),
    ({"evaluation": None}, "evaluation", "has no value"),
    ({"seed": True}, "seed", "want a whole number"),
    ({"display_name": "\ud83d"}, "display_name", "without lone surrogates"),
    ({"device_kind": 99}, "device_kind", "want cpu, cuda"),
])
def test_what_is_wrong(fields, field, problem):
    with pytest.raises(sasq.InvalidSpec) as error:
        make(None, fields)
    assert set(error.value.fields) == {field}
    assert problem in error.value.fields[field]
    assert field in str(error.value)


def test_every_problem_is_named():
    with pytest.raises(sasq.InvalidSpec) as error:
        make({"modle": "x", "seed": "y"}, {"max_attempts": "z"})
    assert set(error.value.fields) == {"modle", "seed", "max_attempts"}


@pytest.mark.parametrize("content", [
    b"seed: 1\nseed: 2\n", b"a: [", b"{}\n---\n{}\n", b"? [a]\n: b\n", b"\xff", b"[" * 5000, b"- list\n", b"just text",
    b"#" * (2 << 20)])
def test_files_that_are_no_spec(tmp_path, content):
    path = tmp_path / "job.yaml"
    path.write_bytes(content)
    with pytest.raises(sasq.InvalidSpec):
        make(path, {})


def test_keyword_arguments_are_the_fields_of_a_spec():
    assert set(sasq.SpecFields.__annotations__) == set(job_spec_pb2.JobSpec.DESCRIPTOR.fields_by_name)
