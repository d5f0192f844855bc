"""Bad input: each gets a message that names the thing, and the worker takes the next job."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import tiny_model
from api import ApiError

FINAL = {"INVALID_MODEL", "UNSUPPORTED_MODEL", "INVALID_TEXT", "INVALID_SPEC"}


def weights_of(folder):
    return folder / "model.safetensors"


def truncated(folder):
    content = weights_of(folder).read_bytes()
    weights_of(folder).write_bytes(content[:len(content) // 2])


def edit_header(folder, change):
    """Changes the safetensors header as `change` does; the data stays."""
    content = weights_of(folder).read_bytes()
    length, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    change(header)
    encoded = json.dumps(header).encode()
    weights_of(folder).write_bytes(struct.pack("<Q", len(encoded)) + encoded + content[8 + length:])


def overlapping(folder):
    def change(header):
        names = [name for name in header if name.endswith("norm.weight")]
        header[names[0]]["data_offsets"] = header[names[1]]["data_offsets"]
    edit_header(folder, change)


def lying_shape(folder):
    edit_header(folder, lambda header: header["model.norm.weight"].update(shape=[1 << 40]))


def lying_header_length(folder):
    content = weights_of(folder).read_bytes()
    weights_of(folder).write_bytes(struct.pack("<Q", 1 << 60) + content[8:])


def edit_weights(folder, change):
    tensors = load_file(weights_of(folder))
    change(tensors)
    save_file(tensors, weights_of(folder))


def missing_tensor(folder):
    edit_weights(folder, lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))


def nan_weights(folder):
    def change(tensors):
        tensors["model.layers.0.mlp.up_proj.weight"] = np.full_like(
            tensors["model.layers.0.mlp.up_proj.weight"], np.nan)
    edit_weights(folder, change)


def edit_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    config.update(changes)
    (folder / "config.json").write_text(json.dumps(config))


def vocabulary_mismatch(folder):
    vocab_size = json.loads((folder / "config.json").read_text())["vocab_size"] - 40
    edit_config(folder, vocab_size=vocab_size)
    edit_weights(folder, lambda tensors: tensors.update({
        "model.embed_tokens.weight": tensors["model.embed_tokens.weight"][:vocab_size].copy()}))


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


# Fault, reason of the failed job, words of its message.
MODEL_FAULTS = [
    (truncated, "INVALID_MODEL", ["model.safetensors"]),
    (overlapping, "INVALID_MODEL", ["model.safetensors"]),
    (lying_shape, "INVALID_MODEL", ["model.norm.weight"]),
    (lying_header_length, "INVALID_MODEL", ["model.safetensors", "header"]),
    (missing_tensor, "INVALID_MODEL", ["model.layers.1.mlp.up_proj.weight"]),
    (nan_weights, "INVALID_MODEL", ["model.layers.0.mlp.up_proj.weight"]),
    (vocabulary_mismatch, "INVALID_MODEL", ["vocab"]),
    (no_tokenizer, "INVALID_MODEL", ["tokenizer.json"]),
]


def assert_worker_lives(client, make_spec):
    assert client.watch(client.submit(make_spec()))["state"] == "JOB_STATE_SUCCEEDED"


def assert_refused(client, spec, reason, words):
    """The job fails for `reason`, or is refused at once; both say `words`. Never retried."""
    try:
        name = client.submit(spec)
    except ApiError as error:
        assert error.code.name == "INVALID_ARGUMENT", error
        message = f"{error.message} {error.violations}"
    else:
        job = client.watch(name)
        assert job["state"] == "JOB_STATE_FAILED", job
        assert job["error"]["reason"] == f"JOB_FAILURE_REASON_{reason}", job["error"]
        assert job["attempt_count"] == 1 and reason in FINAL
        message = job["error"]["message"]
    for word in words:
        assert word.lower() in message.lower()


@pytest.mark.parametrize("plant, reason, words", MODEL_FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_faulty_model(service, client, make_spec, tmp_path, plant, reason, words):
    folder = tiny_model.write_model(tmp_path / "model")
    plant(folder)
    assert_refused(client, make_spec(model={"uri": f"file:{folder}"}), reason, words)
    assert_worker_lives(client, make_spec)


def test_missing_model_folder(service, client, make_spec, tmp_path):
    missing = tmp_path / "nowhere"
    assert_refused(client, make_spec(model={"uri": f"file:{missing}"}), "INVALID_MODEL", [str(missing)])
    assert_worker_lives(client, make_spec)


def test_unknown_architecture_names_the_known_ones(service, client, make_spec, tmp_path):
    folder = tiny_model.write_model(tmp_path / "model")
    edit_config(folder, architectures=["MambaForCausalLM"], model_type="mamba")
    assert_refused(client, make_spec(model={"uri": f"file:{folder}"}), "UNSUPPORTED_MODEL",
                   ["MambaForCausalLM", "LlamaForCausalLM", "Qwen2ForCausalLM"])
    assert_worker_lives(client, make_spec)


@pytest.mark.parametrize("field", ["training_text", "evaluation_text"])
@pytest.mark.parametrize("content, words", [
    (b"", ["text.txt", "empty"]),
    (b"A few words only.\n", ["{field}", "tokens, fewer than one window of"]),
    (b"\xff\xfe not UTF-8 " * 4000, ["text.txt", "UTF-8"]),
], ids=["empty", "short", "not_utf8"])
def test_unusable_text(service, client, make_spec, tmp_path, field, content, words):
    text = tmp_path / "text.txt"
    text.write_bytes(content)
    spec = make_spec(**{field: {"uri": f"file:{text}"}})
    named = [word.format(field=field.replace("_", " ")) for word in words]
    assert_refused(client, spec, "INVALID_TEXT", named)
    assert_worker_lives(client, make_spec)


def test_missing_text(service, client, make_spec, tmp_path):
    missing = tmp_path / "nowhere.txt"
    assert_refused(client, make_spec(evaluation_text={"uri": f"file:{missing}"}), "INVALID_TEXT", [str(missing)])
    assert_worker_lives(client, make_spec)


def test_window_longer_than_the_context(service, client, make_spec):
    spec = make_spec(evaluation={"window_count": 1, "window_tokens": tiny_model.CONTEXT + 1})
    assert_refused(client, spec, "INVALID_SPEC", ["window_tokens", str(tiny_model.CONTEXT)])
    assert_worker_lives(client, make_spec)


def test_window_that_leaves_no_room_for_a_prefix(service, client, make_spec):
    prefixed = [{"method": "METHOD_STATIC_MSE", "first_token": "FIRST_TOKEN_PREFIX"}]
    spec = make_spec(baselines=prefixed, evaluation={"window_count": 1, "window_tokens": tiny_model.CONTEXT})
    assert_refused(client, spec, "INVALID_SPEC", ["window_tokens", str(tiny_model.CONTEXT - 1), "prefix of 1"])
    spec["evaluation"]["window_tokens"] -= 1
    assert client.watch(client.submit(spec))["state"] == "JOB_STATE_SUCCEEDED"


def out_of_range(spec, path, value):
    """Sets the field at `path` of a spec and returns the spec."""
    inner = spec
    for part in path[:-1]:
        inner = inner.setdefault(part, {})
    inner[path[-1]] = value
    return spec


@pytest.mark.parametrize("path, value, wanted", [
    (["recipe", "training", "step_count"], 100001, "1..100000"),
    (["recipe", "training", "step_count"], -1, "1..100000"),
    (["recipe", "training", "window_tokens"], 7, "8..32768"),
    (["recipe", "training", "learning_rate"], 1.5, "at most 1"),
    (["recipe", "training", "learning_rate"], "NaN", "at most 1"),
    (["calibration", "window_count"], 4097, "1..4096"),
    (["evaluation", "window_tokens"], 4, "8..32768"),
    (["max_attempts"], 11, "1..10"),
    (["seed"], -1, "0.."),
    (["model", "uri"], "relative/path", "file:"),
], ids=str)
def test_number_out_of_range(coordinator_only, client, make_spec, path, value, wanted):
    with pytest.raises(ApiError, match="INVALID_ARGUMENT") as error:
        client.submit(out_of_range(make_spec(), path, value))
    assert error.value.reason == "INVALID_SPEC"
    assert wanted in error.value.violations["spec." + ".".join(path)]


def test_missing_fields_are_all_named(coordinator_only, client):
    with pytest.raises(ApiError, match="INVALID_ARGUMENT") as error:
        client.submit({})
    assert {"spec.model.uri", "spec.training_text.uri", "spec.evaluation_text.uri"} <= set(error.value.violations)
