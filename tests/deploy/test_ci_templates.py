"""The templates for CI systems against their schemas. tests/e2e/test_ci.py runs what they run."""

import os
import sys

from tree import DEPLOY, check, documents

CHECK = os.path.join(os.path.dirname(sys.executable), "check-jsonschema")


def test_github_action():
    check(CHECK, "--builtin-schema", "vendor.github-actions", DEPLOY / "ci/github/action.yml")


def test_gitlab_component(tmp_path):
    header, job = documents(DEPLOY / "ci/gitlab/quantize.yml")
    inputs = header["spec"]["inputs"]
    text = (DEPLOY / "ci/gitlab/quantize.yml").read_text().split("\n---\n")[1]
    for name, said in inputs.items():
        assert f"$[[ inputs.{name} ]]" in text, f"{name} is not used"
        text = text.replace(f"$[[ inputs.{name} ]]", said.get("default", "127.0.0.1:7433"))
    assert "$[[" not in text, "an input that is not there"
    (tmp_path / "gitlab-ci.yml").write_text(text)
    check(CHECK, "--builtin-schema", "vendor.gitlab-ci", tmp_path / "gitlab-ci.yml")
    assert next(iter(job.values()))["artifacts"]["reports"]["junit"] == "sasq-result/gates.xml"
