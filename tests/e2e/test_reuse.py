"""The same job again: an earlier result is taken, unless somebody wants it computed."""

import shutil

from api import QUANTIZATION


def submit(service, folder, *flags):
    return service.cli("submit", "--model", folder / "model", "--train-text", folder / "train.txt", "--eval-text",
                       folder / "eval.txt", "--steps", "4", "--window-tokens", "32", "--calibration-windows", "2",
                       "--calibration-tokens", "64", "--eval-windows", "1", "--eval-tokens", "64", "--wait", *flags)


def newest(client):
    return client.call(QUANTIZATION, "ListJobs", {"page_size": 1})["jobs"][0]


def test_same_inputs_under_another_name(service, client, inputs, tmp_path):
    assert submit(service, inputs).returncode == 0
    first = newest(client)
    copy = tmp_path / "copy"
    shutil.copytree(inputs, copy)
    result = submit(service, copy, "--name", "again", "--priority", "900")
    assert result.returncode == 0, result.stderr
    second = newest(client)
    assert second["name"] != first["name"]
    assert second["reused_from"] == first["name"]
    packs = [client.download(job["name"], tmp_path / str(i))["scales.safetensors"].read_bytes()
             for i, job in enumerate((first, second))]
    assert packs[0] == packs[1]
    assert service.cli("get", second["name"]).stdout.count(f"the result of {first['name']}") == 1

    assert submit(service, copy, "--no-cache").returncode == 0
    assert not newest(client).get("reused_from")
    (copy / "eval.txt").write_text((copy / "eval.txt").read_text() + " more")
    assert submit(service, copy).returncode == 0
    assert not newest(client).get("reused_from"), "other bytes are another job"


def test_uploads_need_no_worker(service, client, inputs):
    assert submit(service, inputs, "--upload").returncode == 0
    first = newest(client)
    assert service.programs[-1].stop() == 0
    result = submit(service, inputs, "--upload")
    assert result.returncode == 0, result.stderr
    assert newest(client)["reused_from"] == first["name"]
    result = submit(service, inputs, "--upload", "--gate", "max-ppl=1.01")
    assert result.returncode == 3, result.stderr
