"""A real Prometheus that scrapes programs under test by the rules of deploy/, a second at a time."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules"
START_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.05


def tool(name):
    """prometheus or promtool, as scripts/install_deps.sh unpacked it or as it is installed."""
    unpacked = ROOT / ".deps" / "tools" / name
    return str(unpacked) if unpacked.exists() else shutil.which(name)


class Prometheus:
    """A running Prometheus. `targets`: host:port lists by job."""

    def __init__(self, folder, targets):
        folder.mkdir(parents=True, exist_ok=True)
        self.log_file = folder / "log"
        for source in RULES.glob("*.yml"):
            rules = yaml.safe_load(source.read_text())
            for group in rules["groups"]:
                group["interval"] = "1s"
            (folder / source.name).write_text(yaml.safe_dump(rules))
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [source.name for source in RULES.glob("*.yml")],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": hosts}]}
                               for job, hosts in targets.items()],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [tool("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 "--web.listen-address=127.0.0.1:0"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.url = f"http://{self._await_address()}"

    def _await_address(self):
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            log = self.log_file.read_text(errors="replace")
            found = re.search(r'msg="Listening on" address=(\S+)', log)
            if found and "Server is ready" in log:
                return found[1]
            time.sleep(POLL_SECONDS)
        self.stop()
        raise RuntimeError(f"Prometheus does not listen:\n{self.log_file.read_text(errors='replace')}")

    def get(self, path, **parameters):
        """The `data` of an answer of the HTTP API; an error of it raises."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{parameters}: {error.read().decode()}") from None

    def value(self, query):
        """The one number that a query gives now, or None."""
        result = self.get("query", query=query)["result"]
        return float(result[0]["value"][1]) if len(result) == 1 else None

    def await_value(self, query, wanted):
        """Waits until the query gives what `wanted` accepts."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while (value := self.value(query)) is None or not wanted(value):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{query} is {value}")
            time.sleep(POLL_SECONDS)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_TIMEOUT_SECONDS)
