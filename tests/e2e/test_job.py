"""A job from submit to artifact, through an API that the client learns by reflection."""

import hashlib
import json
import math

import numpy as np
import pytest
from safetensors import safe_open

from api import ARTIFACTS, QUANTIZATION, ApiError
from tiny_model import LAYERS

SITES = [f"prefill.layers.{layer}.{kind}" for layer in range(LAYERS)
         for kind in ("qkv_in", "o_in", "gate_up_in", "down_in")]


def test_reflection_names_the_services(client):
    assert {"sasq.v1.QuantizationService", "sasq.v1.ArtifactService", "sasq.dispatch.v1.DispatchService",
            "grpc.health.v1.Health"} <= set(client.services())


def test_health(client):
    # gRPC's own health service is not in the reflected pool: an empty request, and status = SERVING.
    assert client.channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10) == b"\x08\x01"


def test_job_end_to_end(service, client, make_spec, tmp_path):
    name = client.submit(make_spec(first_token="FIRST_TOKEN_FLOAT"))
    sequences = []
    job = client.watch(name, until=lambda job: sequences.append(int(job["sequence"])))
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert sequences == sorted(set(sequences))
    assert job["artifact"] == name.replace("jobs/", "artifacts/")
    assert job["attempt_count"] == 1
    assert job["spec"]["max_attempts"] == 3, "defaults are written out"

    methods = [row["method"] for row in job["rows"]]
    assert sorted(methods) == ["METHOD_FP", "METHOD_RTN_DYNAMIC", "METHOD_SASQ", "METHOD_STATIC_ABSMAX",
                               "METHOD_STATIC_MSE"]
    for row in job["rows"]:
        assert row["first_token"] == "FIRST_TOKEN_FLOAT"
        assert 1 < row["perplexity"] < math.inf
        # Two windows of 128 tokens; what is predicted from the first token is not scored.
        assert (row["window_count"], row["token_count"]) == ("2", "252")

    files = client.download(name, tmp_path)
    assert set(files) == {"scales.safetensors", "report.json", "report.html", "report.md", "manifest.json"}
    check_pack(files["scales.safetensors"])
    check_report(json.loads(files["report.json"].read_text()), job)
    check_manifest(json.loads(files["manifest.json"].read_text()), files)
    assert client.log(name)


def check_pack(path):
    with safe_open(path, framework="numpy") as pack:
        metadata = pack.metadata()
        scales = {name: pack.get_tensor(name) for name in pack.keys()}
    assert sorted(scales) == sorted(SITES)
    for name, scale in scales.items():
        assert scale.dtype == np.float32 and scale.shape == (1,)
        assert np.isfinite(scale).all() and (scale > 0).all(), name
    assert metadata["method"] == "sasq"
    assert metadata["first_token"] == "float"


def check_report(report, job):
    assert report["model"] == "model" and report["dataset"] == "eval.txt"
    assert report["kind"] == "quantize" and report["recipe"] == "sasq-first-token-float"
    assert {row["method"] for row in report["rows"]} == {
        "fp", "rtn_dynamic", "static_absmax", "static_mse", "sasq"}
    for row, measured in zip(report["rows"], job["rows"], strict=True):
        assert row["name"] == measured["name"]
        assert row["perplexity"] == pytest.approx(measured["perplexity"], rel=1e-12)
        assert (row["windows"], row["tokens"]) == (2, 252)
        assert row["seconds"] > 0
        # The perplexity is what its windows say.
        assert row["perplexity"] == pytest.approx(math.exp(np.mean(row["window_mean_loss"])), rel=1e-9)
    trained, = (row for row in report["rows"] if row["name"] == report["recipe"])
    assert len(trained["step_loss"]) == 8
    assert len(trained["sites"]) == len(SITES)
    assert all(site["precision"] == "static" and site["scale"] > 0 and site["initial_scale"] > 0
               for site in trained["sites"])


def check_manifest(manifest, files):
    listed = {entry["file_name"]: entry["sha256"] for entry in manifest["files"]}
    assert set(listed) == set(files) - {"manifest.json"}
    for name, digest in listed.items():
        assert hashlib.sha256(files[name].read_bytes()).hexdigest() == digest


def test_two_runs_give_the_same_pack(service, client, make_spec, tmp_path):
    packs = []
    for run in ("one", "two"):
        job = client.watch(client.submit(make_spec()))
        assert job["state"] == "JOB_STATE_SUCCEEDED", job
        packs.append(client.download(job["name"], tmp_path / run)["scales.safetensors"].read_bytes())
    assert packs[0] == packs[1]


def test_download_goes_on_from_an_offset(service, client, make_spec):
    job = client.watch(client.submit(make_spec()))
    artifact = client.call(ARTIFACTS, "GetArtifact", {"name": job["name"]})["artifact"]
    for blob in artifact["blobs"]:
        whole, size = client.blob(blob["sha256"]), int(blob["size_bytes"])
        assert client.blob(blob["sha256"], offset=size // 3) == whole[size // 3:]
        assert client.blob(blob["sha256"], offset=size) == b""
        with pytest.raises(ApiError, match="OUT_OF_RANGE") as error:
            client.blob(blob["sha256"], offset=size + 1)
        assert error.value.reason == "OFFSET_OUT_OF_RANGE"


def test_validate_only_plans_and_makes_no_job(coordinator_only, client, make_spec):
    answer = client.call(QUANTIZATION, "SubmitJob", {"spec": make_spec(), "validate_only": True})
    assert answer["plan"]["model_readable"]
    assert answer["plan"]["site_count"] == len(SITES)
    assert int(answer["plan"]["token_count"]) > 0 and answer["plan"]["flop_count"] > 0
    assert client.call(QUANTIZATION, "ListJobs")["jobs"] == []


def test_request_id_makes_submitting_idempotent(coordinator_only, client, make_spec):
    name = client.submit(make_spec(), request_id="once")
    assert client.submit(make_spec(), request_id="once") == name
    with pytest.raises(ApiError, match="ALREADY_EXISTS") as error:
        client.submit(make_spec(steps=9), request_id="once")
    assert error.value.reason == "REQUEST_ID_REUSED"


def test_list_pages_newest_first_and_delete(coordinator_only, client, make_spec):
    names = [client.submit(make_spec(seed=seed)) for seed in range(3)]
    first = client.call(QUANTIZATION, "ListJobs", {"page_size": 2})
    second = client.call(QUANTIZATION, "ListJobs",
                         {"page_size": 2, "page_token": first["next_page_token"]})
    assert [job["name"] for job in first["jobs"] + second["jobs"]] == names[::-1]
    assert second["next_page_token"] == ""

    with pytest.raises(ApiError, match="FAILED_PRECONDITION") as error:
        client.call(QUANTIZATION, "DeleteJob", {"name": names[0]})
    assert error.value.reason == "JOB_NOT_ENDED"
    client.cancel(names[0])
    client.call(QUANTIZATION, "DeleteJob", {"name": names[0]})
    with pytest.raises(ApiError, match="NOT_FOUND") as error:
        client.job(names[0])
    assert error.value.reason == "JOB_NOT_FOUND"


def test_artifact_of_an_unfinished_job(coordinator_only, client, make_spec):
    name = client.submit(make_spec())
    with pytest.raises(ApiError, match="FAILED_PRECONDITION") as error:
        client.call(ARTIFACTS, "GetArtifact", {"name": name})
    assert error.value.reason == "JOB_NOT_SUCCEEDED"
