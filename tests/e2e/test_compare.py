"""A comparison of methods in one job: its rows, its report, and what happens to rows that cannot be."""

import json
import math

import pytest

import tiny_model
from api import ApiError

LONG_STEPS = 1500  # seconds of training, so that there is a middle to die in
BRIEF = {"step_count": 2, "window_tokens": 16}


def row_of(recipe, **changes):
    """A baseline from METHOD or PRESET in short."""
    field = "preset" if recipe in ("SASQ_SERVE", "SASQ_MAX") else "method"
    trains = field == "preset" or recipe in ("SASQ", "FP_CLIPPED", "SPINQUANT", "LLM_QAT")
    return {field: f"{field.upper()}_{recipe}", **({"training": BRIEF} if trains else {}), **changes}


ALL_ROWS = [
    row_of("FP"), row_of("RTN_DYNAMIC"), row_of("STATIC_ABSMAX"),
    row_of("STATIC_ABSMAX", scale_rule="SCALE_RULE_ABSMAX_MAX"), row_of("STATIC_PERCENTILE"), row_of("STATIC_MSE"),
    row_of("SMOOTHQUANT", smoothing={"alpha": 0.5}), row_of("SMOOTHQUANT", activations="ACTIVATIONS_DYNAMIC"),
    row_of("QUAROT"), row_of("QUAROT", activations="ACTIVATIONS_STATIC"), row_of("SPINQUANT"), row_of("LLM_QAT"),
    row_of("SASQ"), row_of("SASQ", first_token="FIRST_TOKEN_PREFIX", prefix_tokens=[0, 3]), row_of("FP_CLIPPED"),
    row_of("STATIC_MSE", name="six_bits", activation_bits=6, first_token="FIRST_TOKEN_FLOAT"), row_of("SASQ_SERVE"),
    row_of("SASQ_MAX")]
ALL_NAMES = [
    "fp", "rtn_dynamic", "static_absmax", "static_absmax-absmax-max", "static_percentile", "static_mse",
    "smoothquant", "smoothquant-dynamic", "quarot", "quarot-static", "spinquant", "llm_qat",
    "sasq", "sasq-prefix", "fp_clipped", "six_bits", "sasq-serve", "sasq-max",
    # Every first token has its float row.
    "fp-first-token-float", "fp-prefix"]


def write_lines(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def tasks(tmp_path):
    return write_lines(
        tmp_path / "tasks.jsonl",
        {"context": "The city of", "choices": [" world", " music", " river"], "answer": 2},
        {"context": "It was the first", "choices": [" season", " an"], "answer": 0})


@pytest.fixture
def compare_spec(make_spec):
    """Makes the spec of a comparison, changed by keyword."""

    def make(baselines, evaluation=None, **changes):
        spec = make_spec(kind="JOB_KIND_COMPARE", baselines=baselines, **changes)
        del spec["recipe"]
        spec["evaluation"].update(evaluation or {})
        return spec

    return make


def named(name, path):
    return {"name": name, "text": {"uri": f"file:{path}"}}


def test_every_method_in_one_job(service, client, compare_spec, inputs, tasks, tmp_path):
    prompts = write_lines(tmp_path / "prompts.jsonl", {"prompt": "The river"}, {"prompt": "In the new city"})
    other = tiny_model.write_text(tmp_path / "other.txt", words=3000, seed=5)
    job = client.watch(client.submit(compare_spec(ALL_ROWS, {
        "other_texts": [named("other", other)], "tasks": [named("cities", tasks)],
        "prompts": {"uri": f"file:{prompts}"}, "generated_tokens": 4})))
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert [row["name"] for row in job["rows"]] == ALL_NAMES
    for row in job["rows"]:
        check_row(row)

    files = client.download(job["name"], tmp_path / "files")
    assert set(files) == {"report.json", "report.html", "report.md", "manifest.json"}, "nothing to serve: no pack"
    report = json.loads(files["report.json"].read_text())
    assert report["kind"] == "compare" and report["recipe"] is None
    assert [row["name"] for row in report["rows"]] == ALL_NAMES
    for row, measured in zip(report["rows"], job["rows"], strict=True):
        assert row["perplexity"] == pytest.approx(measured["perplexity"], rel=1e-12)
        assert [text["name"] for text in row["other_texts"]] == ["other"]
        assert [task["name"] for task in row["tasks"]] == ["cities"]
    for page in ("report.html", "report.md"):
        text = files[page].read_text()
        assert all(name in text for name in ALL_NAMES), page


def check_row(row):
    """What every row of that job has."""
    name = row["name"]
    assert row["failure"] == "", row
    assert 1 < row["perplexity"] < math.inf, name
    assert row["perplexity_low"] <= row["perplexity"] <= row["perplexity_high"], name
    # Two windows of 128 tokens; what is predicted from a first token in float is not scored.
    in_float = row["first_token"] == "FIRST_TOKEN_FLOAT"
    assert (row["window_count"], row["token_count"]) == ("2", "252" if in_float else "254"), name
    other, = row["other_texts"]
    assert other["name"] == "other" and 1 < other["perplexity"] < math.inf
    task, = row["tasks"]
    assert task["question_count"] == "2" and 0 <= task["accuracy"] <= 1
    assert row["generation"]["prompt_count"] == "2"
    assert row["decode_perplexity"] > 1
    assert row["cost"]["wall_seconds"] > 0 and row["cost"]["flop_count"] > 0
    if row["method"] == "METHOD_FP":
        assert "kl_divergence" not in row, "it is what the others are compared with"
    else:
        assert row["kl_divergence"] >= -1e-6 and 0 <= row["top1_agreement"] <= 1, name
    trained = name in ("sasq", "sasq-prefix", "sasq-serve", "sasq-max", "fp_clipped", "spinquant", "llm_qat")
    assert (row["cost"]["training_flop_count"] > 0) == trained, name
    assert (float(row["cost"]["trained_bytes"]) > 0) == trained, name
    assert row["float_flop_share"] <= 0.05, name
    limit = {"sasq-serve": 0.10, "rtn_dynamic": 1, "smoothquant-dynamic": 1, "quarot": 1, "spinquant": 1, "llm_qat": 1}
    assert row["dynamic_flop_share"] <= limit.get(name, 0), name


def narrow_model(folder):
    """A model whose down_proj has 86 = 2 x 43 inputs, for which no Hadamard matrix is known here."""
    def narrow(tensors):
        for name in list(tensors):
            if "gate_proj" in name or "up_proj" in name:
                tensors[name] = tensors[name][:86].copy()
            elif "down_proj" in name:
                tensors[name] = tensors[name][:, :86].copy()
    return tiny_model.write_model(folder, narrow, lambda config: config.update(intermediate_size=86))


def test_rows_that_a_model_cannot_have(service, client, compare_spec, tmp_path):
    folder = narrow_model(tmp_path / "model")
    rows = [row_of("FP"), row_of("QUAROT"), row_of("QUAROT", rotation="ROTATION_FOLDED"), row_of("SASQ_MAX"),
            row_of("STATIC_MSE")]
    job = client.watch(client.submit(compare_spec(rows, model={"uri": f"file:{folder}"})))
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    by_name = {row["name"]: row for row in job["rows"]}
    for name in ("quarot", "sasq-max"):
        assert "86" in by_name[name]["failure"], by_name[name]
        assert by_name[name]["perplexity"] == 0
    for name in ("fp", "quarot-rotated", "static_mse", "fp-prefix"):
        assert by_name[name]["failure"] == "" and 1 < by_name[name]["perplexity"] < math.inf
    files = client.download(job["name"], tmp_path / "files")
    report = json.loads(files["report.json"].read_text())
    assert {row["name"]: bool(row["failure"]) for row in report["rows"]} == {
        row["name"]: bool(row["failure"]) for row in job["rows"]}
    assert by_name["quarot"]["failure"] in files["report.md"].read_text()


def test_quantize_with_a_recipe_that_the_model_cannot_have(coordinator_only, client, make_spec, tmp_path):
    folder = narrow_model(tmp_path / "model")
    with pytest.raises(ApiError, match="INVALID_ARGUMENT") as error:
        client.submit(make_spec(model={"uri": f"file:{folder}"},
                                recipe={"preset": "PRESET_SASQ_MAX", "training": BRIEF}))
    assert "intermediate_size is 86" in error.value.violations["spec.recipe.rotation"]


@pytest.mark.parametrize("line, words", [
    ('{"context": "The", "choices": [" a"', ["cities:2", "JSON"]),
    ('{"context": "The", "choices": [" a", " b"], "answer": 2}', ["cities:2", "answer"]),
    ('{"context": "The", "answer": 0}', ["cities:2", "choices"]),
], ids=["broken_json", "answer_out_of_range", "no_choices"])
def test_broken_line_of_a_task(service, client, compare_spec, tasks, line, words):
    lines = tasks.read_text().splitlines()
    tasks.write_text(lines[0] + "\n" + line + "\n")
    job = client.watch(client.submit(compare_spec([row_of("FP")], {"tasks": [named("cities", tasks)]})))
    assert job["state"] == "JOB_STATE_FAILED", job
    assert job["attempt_count"] == 1, "it would not get better"
    for word in words:
        assert word in job["error"]["message"], job["error"]


def test_broken_line_of_the_prompts(service, client, compare_spec, tmp_path):
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "The river"}\n\n{"text": "no prompt"}\n')
    job = client.watch(client.submit(compare_spec([row_of("FP")], {"prompts": {"uri": f"file:{prompts}"}})))
    assert job["state"] == "JOB_STATE_FAILED", job
    assert ":3" in job["error"]["message"] and "prompt" in job["error"]["message"], job["error"]


def test_other_text_shorter_than_a_window(service, client, compare_spec, tmp_path):
    short = tiny_model.write_text(tmp_path / "short.txt", words=24, seed=3)
    job = client.watch(client.submit(compare_spec([row_of("FP")], {"other_texts": [named("brief", short)]})))
    assert job["state"] == "JOB_STATE_FAILED", job
    assert job["error"]["reason"] == "JOB_FAILURE_REASON_INVALID_TEXT", job["error"]
    assert "brief" in job["error"]["message"] and "fewer than one window" in job["error"]["message"]


@pytest.mark.parametrize("changes, field, words", [
    ({"recipe": {"method": "METHOD_SASQ"}}, "spec.recipe", "JOB_KIND_COMPARE"),
    ({"baselines": [{"method": "METHOD_QUAROT", "training": {}}]}, "spec.baselines[0].training", "METHOD_QUAROT"),
    ({"baselines": [{"method": "METHOD_FP"}, {"method": "METHOD_FP"}]}, "spec.baselines[1]", '"fp"'),
    ({"baselines": [row_of("STATIC_MSE", first_token="FIRST_TOKEN_PREFIX", prefix_tokens=[100000])]},
     "spec.baselines[0].prefix_tokens", "100000"),
    ({"baselines": [row_of("STATIC_MSE", sites={"float_sites": ["layers.*.down_in", "layers.9.o_in"]})]},
     "spec.baselines[0].sites.float_sites", "layers.9.o_in"),
], ids=["recipe", "unknown_option", "same_name", "unknown_token", "unknown_site"])
def test_refused_comparisons(coordinator_only, client, make_spec, changes, field, words):
    spec = make_spec(kind="JOB_KIND_COMPARE")
    del spec["recipe"]
    spec.update(changes)
    with pytest.raises(ApiError, match="INVALID_ARGUMENT") as error:
        client.submit(spec)
    assert words in error.value.violations[field]


def test_killed_in_the_middle(service, client, compare_spec):
    rows = [row_of("FP"), row_of("RTN_DYNAMIC"), row_of("SASQ", training={"step_count": LONG_STEPS, "window_tokens": 32})]
    name = client.submit(compare_spec(rows))

    def in_mid_training(job):
        progress = job.get("progress") or {}
        return progress.get("stage") == "STAGE_TRAIN" and int(progress["step"]) >= LONG_STEPS // 10

    before = client.watch(name, until=in_mid_training)
    assert before["state"] == "JOB_STATE_RUNNING" and len(before["rows"]) == 2, before
    service.programs[-1].kill()
    service.start_worker("another")
    job = client.watch(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert job["attempt_count"] == 2
    assert job["rows"][:2] == before["rows"], "measured once"
    assert [row["name"] for row in job["rows"]] == ["fp", "rtn_dynamic", "sasq"]
    assert "2 of 3 rows measured" in client.log(name)


def test_compare_from_the_command_line(service, inputs, tasks):
    run = service.cli(
        "compare", "--model", inputs / "model", "--train-text", inputs / "train.txt", "--eval-text",
        inputs / "eval.txt", "--calibration-windows", 4, "--calibration-tokens", 64, "--eval-windows", 2,
        "--eval-tokens", 128, "--baseline", "fp", "--baseline", "static_mse:float", "--other-text",
        f"train={inputs}/train.txt", "--task", f"cities={tasks}", "--decode-windows", 0)
    assert run.returncode == 0, run
    header, *lines = run.stdout.splitlines()
    assert "row" in header and "train" in header and "95% interval" in header and "decode" not in header
    assert [line.split()[0] for line in lines if not line.startswith("-")] == [
        "fp", "static_mse-first-token-float", "fp-first-token-float"]
    detached = service.cli("compare", "--detach", "--model", inputs / "model", "--train-text", inputs / "train.txt",
                           "--eval-text", inputs / "eval.txt", "--eval-windows", 1, "--eval-tokens", 64,
                           "--calibration-tokens", 64, "--baseline", "rtn_dynamic")
    assert detached.returncode == 0 and detached.stdout.startswith("jobs/")
    job = detached.stdout.strip()
    assert service.cli("wait", job).returncode == 0

    # What the service wrote out can be asked for again.
    spec = service.folder / "again.json"
    spec.write_text(json.dumps(json.loads(service.cli("get", job, "--output", "json").stdout)["spec"]))
    again = service.cli("plan", spec)
    assert again.returncode == 0, again
