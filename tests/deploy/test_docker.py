"""The images' recipe and the compose files: linted, and true to the programs that they start."""

import os
import re
import subprocess
import sys

import pytest

from tree import DEPLOY, ROOT, check, documents

DOCKER = DEPLOY / "docker"
TOOLS = os.path.dirname(sys.executable)
COMPOSE_FILES = sorted(DOCKER.glob("compose*.yaml"))
# Targets that are images, and the program that each starts.
IMAGES = {"coordinator": "sasqd", "worker": "sasq-worker", "worker-cuda": "sasq-worker", "cli": "sasq"}


def stages():
    """The instructions of every stage by its name, with lines joined."""
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        begin = re.match(r"FROM \S+ AS (\S+)", line)
        if begin:
            found[begin[1]] = stage = [line]
        elif line and not line.startswith("#"):
            stage.append(line)
    return found


def flags_of(program):
    said = subprocess.run([f"{os.environ['SASQ_BIN_DIR']}/{program}", "--help"], capture_output=True, text=True,
                          check=True)
    return set(re.findall(r"--[a-z_-]+", said.stdout))


def test_linters_find_nothing():
    check(f"{TOOLS}/hadolint", DOCKER / "Dockerfile")
    check(f"{TOOLS}/check-jsonschema", "--builtin-schema", "vendor.compose-spec", *COMPOSE_FILES)


def test_the_linter_is_awake(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp\n")
    done = subprocess.run([f"{TOOLS}/hadolint", tmp_path / "Dockerfile"], capture_output=True, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_no_privileges_and_known_flags(image):
    lines = stages()[image]
    assert "USER 10001:10001" in lines
    entry = next(line for line in lines if line.startswith("ENTRYPOINT"))
    words = re.findall(r'"([^"]+)"', entry)
    assert words[0] == IMAGES[image]
    assert {word.split("=")[0] for word in words[1:]} <= flags_of(IMAGES[image])
    assert image == "cli" or any(line.startswith("HEALTHCHECK") and '"health"' in line for line in lines)


def test_what_is_copied_into_an_image_is_made_by_the_stage_before():
    made = "\n".join(line for name in ("build", "build-cuda") for line in stages()[name])
    for name, lines in stages().items():
        for source in re.findall(r"COPY --from=(\S+) (.+) \S+$", "\n".join(lines), re.MULTILINE):
            assert source[0] in stages()
            for path in source[1].split():
                if "/bin/" in path:
                    assert path.rsplit("/", 1)[1] in made, f"{name} copies {path}"


def test_runtime_libraries_are_those_that_the_programs_need():
    """Every shared library of Debian that our programs name comes in a package that the image installs."""
    install = next(line for line in stages()["runtime"] if "apt-get install" in line)
    installed = set(re.findall(r"\blib[\w.+-]+", install))
    needed = set()
    for program in ("sasqd", "sasq", "sasq-worker"):
        file = f"{os.environ['SASQ_BIN_DIR']}/{program}"
        elf = subprocess.run(["readelf", "-d", file], capture_output=True, text=True, check=True)
        needed |= set(re.findall(r"\(NEEDED\).*\[(.+)\]", elf.stdout))
    ours = {"libsasq_ops.so", "libtorch_cpu.so", "libtorch.so", "libc10.so"}
    base = {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "libgomp.so.1"}
    owners = subprocess.run(["dpkg", "-S", *(f"*/{library}" for library in needed - ours - base)], capture_output=True,
                            text=True, check=True).stdout
    for library in needed - ours - base:
        packages = {line.split(":")[0] for line in owners.splitlines() if line.endswith(f"/{library}")}
        assert packages & installed, f"the image does not install {packages}, which has {library}"


@pytest.mark.parametrize("file", COMPOSE_FILES, ids=lambda file: file.name)
def test_compose_starts_known_flags_and_mounts_what_is_there(file):
    composed = documents(file)[0]
    for name, service in composed["services"].items():
        target = service.get("build", {}).get("target")
        if target:
            assert target in stages()
            known = flags_of(IMAGES[target])
            assert {flag.split("=")[0] for flag in service.get("command", ())} <= known, name
        for volume in service.get("volumes", ()):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            if source.startswith("."):
                assert (DOCKER / source).resolve().exists(), source
            elif not source.startswith("$"):
                assert source in composed["volumes"], source
        for other in service.get("depends_on", ()):
            assert other in composed["services"]


def test_compose_has_every_part():
    services = documents(DOCKER / "compose.yaml")[0]["services"]
    assert set(services) == {"coordinator", "worker", "database", "store", "bucket", "prometheus", "grafana"}
    for name in ("coordinator", "worker"):
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_prometheus_of_compose_scrapes_its_services():
    config = documents(DOCKER / "prometheus.yml")[0]
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    assert jobs == {job["job_name"] for job in documents(DEPLOY / "prometheus/prometheus.yml")[0]["scrape_configs"]}


def test_builds_leave_out_what_they_do_not_read():
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert ".deps" in ignored and "build" in ignored
