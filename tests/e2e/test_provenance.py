"""Where an artifact comes from: verified against its inputs, signed, and read by another implementation."""

import base64
import json
import os
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey


def make_keys(folder, name):
    """A key pair by the `openssl` program, as people make one."""
    key, public = folder / f"{name}.pem", folder / f"{name}.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    return key, public


@pytest.fixture
def job(service, client, make_spec):
    """The name of a job that is done."""
    done = client.watch(client.submit(make_spec()))
    assert done["state"] == "JOB_STATE_SUCCEEDED", done
    return done["name"]


def test_verify_against_the_inputs(service, client, inputs, job, tmp_path):
    folder = tmp_path / "artifact"
    client.download(job, folder)
    everything = ["--model", inputs / "model", "--text", inputs / "train.txt", "--text", inputs / "eval.txt"]
    for place in (job, folder):
        run = service.cli("artifacts", "verify", place, *everything, "-o", "json")
        assert run.returncode == 0, run
        checks = {check["what"]: check["detail"] for check in json.loads(run.stdout)["checks"]}
        assert {"scales.safetensors", "report.json", "scale pack", "model"} <= set(checks)
        assert checks[f"text {inputs}/train.txt"].startswith("training_text, ")

    # Every file, one byte flipped.
    for path in sorted(folder.iterdir()):
        if path.name == "manifest.json":
            continue
        good = path.read_bytes()
        path.write_bytes(good[:50] + bytes([good[50] ^ 1]) + good[51:])
        run = service.cli("artifacts", "verify", folder)
        assert run.returncode == 1 and f"differs: {path.name}: sha256 is " in run.stderr, run
        path.write_bytes(good)

    # Other weights, another text.
    model = shutil.copytree(inputs / "model", tmp_path / "model")
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x55")
    other = tmp_path / "other.txt"
    other.write_text("another text")
    run = service.cli("artifacts", "verify", folder, "--model", model, "--text", other)
    assert run.returncode == 1, run
    assert "model: sha256 is " in run.stderr and f"text {other}: sha256 is " in run.stderr


def test_sign_and_verify(service, client, inputs, job, tmp_path):
    folder = tmp_path / "artifact"
    files = client.download(job, folder)
    key, public = make_keys(tmp_path, "mine")
    _, stranger = make_keys(tmp_path, "stranger")
    attestation = tmp_path / "provenance.intoto.jsonl"
    signed = service.cli("artifacts", "sign", job, "--key", key, "--out", attestation)
    assert signed.returncode == 0 and signed.stdout.strip() == str(attestation), signed
    assert key.read_text().splitlines()[1] not in signed.stdout + signed.stderr

    verify = ["artifacts", "verify", folder, "--attestation", attestation, "--public-key"]
    assert service.cli(*verify, public).returncode == 0
    wrong = service.cli(*verify, stranger)
    assert wrong.returncode == 1 and "attestation: " in wrong.stderr, wrong

    check_with_another_implementation(attestation, public, stranger, files, inputs)

    # What was signed is of these files alone.
    manifest = files["manifest.json"]
    manifest.write_text(manifest.read_text().replace('"rejected": false', '"rejected": true'))
    changed = service.cli(*verify, public)
    assert changed.returncode == 1 and "says that manifest.json has sha256 " in changed.stderr, changed


def check_with_another_implementation(attestation, public, stranger, files, inputs):
    """securesystemslib accepts the envelope, and the statement says what in-toto and SLSA want."""
    line, = attestation.read_text().splitlines()
    envelope = json.loads(line)
    key_id = envelope["signatures"][0]["keyid"]
    assert Envelope.from_dict(json.loads(line)).verify([ssl_key(public, key_id)], 1)
    with pytest.raises(VerificationError):
        Envelope.from_dict(json.loads(line)).verify([ssl_key(stranger, key_id)], 1)

    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {subject["name"] for subject in statement["subject"]} == set(files)
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["spec"]["model"]["uri"] == f"file:{inputs}/model"
    assert [entry["name"] for entry in definition["resolvedDependencies"]] == [
        "model", "training_text", "evaluation_text"]
    assert statement["predicate"]["runDetails"]["builder"]["id"]


def ssl_key(path, key_id):
    public = load_pem_public_key(path.read_bytes())
    assert isinstance(public, ed25519.Ed25519PublicKey)
    return SSlibKey.from_crypto(public, keyid=key_id)


def test_an_envelope_of_another_implementation(service, client, job, tmp_path):
    """An envelope that securesystemslib signed over our statement is accepted."""
    folder = tmp_path / "artifact"
    client.download(job, folder)
    key, public = make_keys(tmp_path, "mine")
    attestation = tmp_path / "a.jsonl"
    assert service.cli("artifacts", "sign", folder, "--key", key, "--out", attestation).returncode == 0
    ours = json.loads(attestation.read_text())
    private = ed25519.Ed25519PrivateKey.generate()
    envelope = Envelope(base64.b64decode(ours["payload"]), ours["payloadType"], {})
    envelope.sign(CryptoSigner(private))
    attestation.write_text(json.dumps(envelope.to_dict()))
    theirs = tmp_path / "theirs.pub"
    theirs.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    accepted = service.cli("artifacts", "verify", folder, "--attestation", attestation, "--public-key", theirs)
    assert accepted.returncode == 0, accepted
    assert service.cli("artifacts", "verify", folder, "--attestation", attestation,
                       "--public-key", public).returncode == 1


def test_encrypted_key(service, client, job, tmp_path):
    key = tmp_path / "locked.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-aes-256-cbc", "-pass", "pass:sesame", "-out", key],
                   check=True)
    sign = service.cli_command("artifacts", "sign", job, "--key", key, "--out", tmp_path / "a.jsonl")
    assert service.cli(*sign[1:]).returncode == 2
    environment = {**service.cli_environment(), "SASQ_KEY_PASSPHRASE": "sesame"}
    run = subprocess.run(sign, env=environment, capture_output=True, text=True, cwd=service.folder, check=False)
    assert run.returncode == 0, run
    assert "sesame" not in run.stdout + run.stderr
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def test_compare_two_artifacts(service, client, make_spec, job, tmp_path):
    other = client.watch(client.submit(make_spec(recipe={"method": "METHOD_STATIC_MSE"})))["name"]
    client.download(other, tmp_path / "other")
    table = service.cli("compare", job, tmp_path / "other")
    assert table.returncode == 0, table
    for words in ("static_mse", "perplexity", "over float", "Scales that differ most", "Where they come from",
                  "spec/recipe/method"):
        assert words in table.stdout, words
    both = json.loads(service.cli("compare", job, other, "-o", "json").stdout)
    rows = {row["name"]: row for row in client.job(other)["rows"]}
    assert both["b"]["texts"][0]["perplexity"] == pytest.approx(rows["static_mse"]["perplexity"], rel=1e-12)
    assert both["a"]["row"] == "sasq" and both["a"]["scale_pack_bytes"] > 0
    assert {"field": "spec/recipe/method", "a": "METHOD_SASQ", "b": "METHOD_STATIC_MSE"} in both["provenance"]
    assert both["scales"] and all(entry["ratio"] > 0 for entry in both["scales"])
    markdown = service.cli("compare", tmp_path / "other" / "report.json", other, "-o", "markdown")
    assert markdown.stdout.startswith("|") and "No scale differs." in markdown.stdout
