"""What pipelines run: the shell script, and the steps of the GitHub Action, against a live service."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
import yaml

from prometheus import ROOT
from service import bin_path
from test_recovery import LONG_STEPS

CI = ROOT / "deploy" / "ci"
ARGUMENTS = ("--steps", 4, "--window-tokens", 32, "--eval-windows", 2, "--eval-tokens", 128,
             "--calibration-windows", 4, "--calibration-tokens", 64)
LOOSE, TIGHT = "max-ppl-increase=1000", "max-ppl=1.5"


@pytest.fixture
def sources(inputs):
    return ["--model", inputs / "model", "--train-text", inputs / "train.txt", "--eval-text", inputs / "eval.txt"]


def environment(service, **more):
    return {**service.cli_environment(), "SASQ": str(bin_path("sasq")), **more}


def quantize(service, out, *arguments, **more):
    return subprocess.run([str(CI / "quantize.sh"), str(out), *map(str, arguments)], capture_output=True, text=True,
                          env=environment(service, **more), timeout=300, check=False)


def suite(out):
    """The test suite of gates.xml, as a CI system reads it."""
    return ElementTree.parse(out / "gates.xml").getroot().find("testsuite")


def test_example_is_good_or_misses_its_gate(service, inputs, tmp_path):
    def run(*gates):
        words = [ROOT / "scripts" / "ci_example.sh", *(inputs / name for name in ("model", "train.txt", "eval.txt")), *gates]
        return subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300, check=False,
                              env=environment(service, OUT=str(tmp_path)))

    good = run(LOOSE)
    assert good.returncode == 0, good.stderr + good.stdout
    assert (tmp_path / "artifact" / "scales.safetensors").exists()
    assert suite(tmp_path).attrib["failures"] == "0"
    tight = run(LOOSE, TIGHT)
    assert tight.returncode == 3, tight.stderr + tight.stdout
    assert "quality gate failed: max-ppl is" in tight.stderr
    assert not (tmp_path / "artifact").exists(), "what was rejected is not there to be shipped"
    results = suite(tmp_path)
    assert (results.attrib["tests"], results.attrib["failures"]) == ("2", "1")
    assert {case.attrib["name"]: case.find("failure") is not None for case in results.iter("testcase")} == {
        "max-ppl-increase": False, "max-ppl": True}
    assert re.search("failed +max-ppl is", (tmp_path / "report.md").read_text())


def test_a_finished_job_is_judged_again(service, client, make_spec, tmp_path):
    name = client.watch(client.submit(make_spec()))["name"]
    fresh = quantize(service, tmp_path, SASQ_JOB=name, SASQ_MAX_AGE="24h", SASQ_GATES=LOOSE)
    assert fresh.returncode == 0, fresh.stderr
    assert (tmp_path / "artifact" / "report.json").exists() and suite(tmp_path).attrib["tests"] == "2"
    old = quantize(service, tmp_path, SASQ_JOB=name, SASQ_MAX_AGE="0.000001s")
    assert old.returncode == 3 and "max-age is" in old.stderr, old.stderr
    assert quantize(service, tmp_path, SASQ_JOB="jobs/" + "0" * 32).returncode == 4
    assert quantize(service, tmp_path, "job.yaml", SASQ_JOB=name).returncode == 2


def test_without_gates_there_is_no_verdict(service, sources, tmp_path):
    done = quantize(service, tmp_path, *sources, *ARGUMENTS)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "artifact").exists() and not (tmp_path / "gates.xml").exists()


def test_mistakes_and_faults_have_their_codes(service, sources, tmp_path):
    assert quantize(service, tmp_path, *sources, "--stepz", 4).returncode == 2
    failed = quantize(service, tmp_path, "--model", "/nowhere", *sources[2:])
    assert failed.returncode == 1 and "/nowhere" in failed.stderr, failed.stderr
    assert (tmp_path / "job").exists() and not (tmp_path / "report.md").exists()
    away = quantize(service, tmp_path, *sources, SASQ_ENDPOINT="127.0.0.1:1")
    assert away.returncode == 5, away.stderr


def test_a_job_that_takes_too_long_is_cancelled(service, client, sources, tmp_path):
    late = quantize(service, tmp_path, *sources, "--steps", LONG_STEPS, "--window-tokens", 32, "--eval-tokens", 128,
                    SASQ_TIMEOUT="1s")
    assert late.returncode == 124, late.stderr
    job = client.watch((tmp_path / "job").read_text().strip())
    assert job["state"] == "JOB_STATE_CANCELLED"


class Action:
    """Runs the steps of the composite action as GitHub's runner does, as far as this one needs it."""

    def __init__(self, service, folder, **inputs):
        self.action = yaml.safe_load((CI / "github" / "action.yml").read_text())
        self.folder, self.service = folder, service
        self.inputs = {name: said.get("default", "") for name, said in self.action["inputs"].items()} | inputs
        self.values = {f"inputs.{name}": value for name, value in self.inputs.items()} | {
            "github.action_path": str(CI / "github"), "github.run_id": "7", "github.run_attempt": "1",
            "github.action": "sasq", "github.token": "secret", "github.event.pull_request.html_url": "https://git/pr/1"}
        self.files = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in self.files.values():
            file.touch()

    def fill_in(self, text):
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: self.values[found[1]], text)

    def wanted(self, step, failed):
        condition = step.get("if", "${{ success() }}").removeprefix("${{ ").removesuffix(" }}")
        parts = {"always()": True, "success()": not failed,
                 "inputs.comment == 'true'": self.inputs["comment"] == "true"}
        return all(parts[part] for part in condition.split(" && "))

    def run(self):
        """The exit code of the first step that failed, or 0; and what was printed."""
        code, printed = 0, ""
        path = f"{bin_path('sasq').parent}:{self.folder / 'bin'}:{os.environ['PATH']}"
        for step in self.action["runs"]["steps"]:
            if not self.wanted(step, code != 0):
                continue
            variables = {name: self.fill_in(value) for name, value in step["env"].items()}
            files = {name: str(file) for name, file in self.files.items()}
            done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", step["run"]], capture_output=True, text=True,
                                  env={**os.environ, "HOME": str(self.folder), "PATH": path, **files, **variables},
                                  cwd=self.folder, timeout=300, check=False)
            printed += done.stdout + done.stderr
            code = code or done.returncode
        return code, printed


@pytest.fixture
def github(tmp_path):
    """A folder with a `gh` that keeps what it is asked to post."""
    folder = tmp_path / "runner"
    (folder / "bin").mkdir(parents=True)
    gh = folder / "bin" / "gh"
    gh.write_text('#!/bin/sh\necho "$@" >>gh.log\ncp "$5" comment.md\n')
    gh.chmod(0o755)
    return folder


def test_github_action(service, sources, github):
    arguments = " ".join(map(str, [*sources, *ARGUMENTS]))
    action = Action(service, github, endpoint=service.endpoint, arguments=arguments, gates=LOOSE, comment="true")
    code, printed = action.run()
    assert code == 0, printed
    assert re.fullmatch(r"job=jobs/[0-9a-f]{32}\n", action.files["GITHUB_OUTPUT"].read_text())
    report = (github / "sasq-result" / "report.md").read_text()
    assert report.startswith("#") and "perplexity" in report
    assert action.files["GITHUB_STEP_SUMMARY"].read_text() == report == (github / "comment.md").read_text()
    assert (github / "gh.log").read_text().startswith("pr comment https://git/pr/1 --body-file")
    assert json.loads((github / "sasq-result" / "report.json").read_text())["rejected"] is False


def test_github_action_with_a_gate_too_tight(service, sources, github):
    arguments = " ".join(map(str, [*sources, *ARGUMENTS]))
    code, printed = Action(service, github, endpoint=service.endpoint, arguments=arguments, gates=TIGHT).run()
    assert code == 3, printed
    assert "Rejected by its quality gates" in (github / "GITHUB_STEP_SUMMARY").read_text()
    assert not (github / "gh.log").exists(), "no comment was wanted"
