"""scripts/fetch_wikitext2.py against a hub on loopback that redirects, breaks off and resumes."""

import hashlib
import http.server
import io
import os
import pathlib
import subprocess
import sys
import threading

import pyarrow
import pyarrow.parquet
import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "fetch_wikitext2.py"
PATH = "/datasets/Salesforce/wikitext/resolve/main/wikitext-2-raw-v1/{}-00000-of-00001.parquet"
TEXT = " \n = A title = \n \n" + "".join(f" Line {i} of the text . \n" for i in range(2000)) + " \n"
TOKEN = "secret-of-the-test"


def parquet(text):
    """The hub's file: one row a line, an empty one for a blank line."""
    rows = [line if line.strip() else "" for line in text.splitlines(keepends=True)]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"text": rows}), buffer, compression="none")
    return buffer.getvalue()


class Hub:
    """Serves files; every file is redirected to another host, as hubs do."""

    def __init__(self, files):
        self.files = files
        self.requests = []  # (path, Range, Authorization)
        self.break_after_bytes = None
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                hub.serve(self)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.port = self.server.server_address[1]

    def serve(self, request):
        self.requests.append((request.path, request.headers["Range"], request.headers["Authorization"]))
        if request.path in self.files:
            request.send_response(302)
            request.send_header("Location", f"http://localhost:{self.port}/store{request.path}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        content = self.files.get(request.path.removeprefix("/store"))
        if content is None:
            request.send_error(404)
            return
        start = int((request.headers["Range"] or "bytes=0-")[len("bytes="):-1])
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        end = len(content)
        if self.break_after_bytes is not None:
            end, self.break_after_bytes = self.break_after_bytes, None
        request.wfile.write(content[start:end])
        request.close_connection = True

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hub():
    served = Hub({PATH.format("validation"): parquet(TEXT), PATH.format("test"): parquet(TEXT)})
    yield served
    served.close()


def fetch(hub, folder, splits):
    return subprocess.run([sys.executable, SCRIPT, "--output", folder, "--splits", splits],
                          capture_output=True, text=True, timeout=60, env={
                              **os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{hub.port}", "HF_TOKEN": TOKEN,
                              "no_proxy": "*"})


def test_text_is_put_together_again(hub, tmp_path):
    run = fetch(hub, tmp_path, "validation")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "wiki.valid.raw").read_text() == TEXT
    assert os.listdir(tmp_path) == ["wiki.valid.raw"]
    assert fetch(hub, tmp_path, "validation").returncode == 0
    assert len(hub.requests) == 2, "nothing is fetched twice"


def test_token_stays_at_the_hub(hub, tmp_path):
    run = fetch(hub, tmp_path, "validation")
    assert TOKEN not in run.stdout + run.stderr
    assert [bool(authorization) for _, _, authorization in hub.requests] == [True, False]


def test_broken_download_goes_on(hub, tmp_path):
    hub.break_after_bytes = 1000
    broken = fetch(hub, tmp_path, "validation")
    assert broken.returncode == 1 and "run this again" in broken.stderr
    assert not (tmp_path / "wiki.valid.raw").exists()
    assert fetch(hub, tmp_path, "validation").returncode == 0
    assert hub.requests[-1][1] == "bytes=1000-"
    assert (tmp_path / "wiki.valid.raw").read_text() == TEXT


def test_other_text_is_refused(hub, tmp_path):
    run = fetch(hub, tmp_path, "test")
    assert run.returncode == 1
    assert hashlib.sha256(TEXT.encode()).hexdigest() in run.stderr
    assert os.listdir(tmp_path) == []


def test_hub_without_the_file(hub, tmp_path):
    run = fetch(hub, tmp_path, "train")
    assert run.returncode == 1 and "404" in run.stderr and "HF_ENDPOINT" in run.stderr


def test_published_test_split(tmp_path):
    folder = os.environ.get("SASQ_WIKITEXT2_DIR")
    if not folder:
        pytest.skip("SASQ_WIKITEXT2_DIR is not set: want a folder with wiki.test.raw")
    text = (pathlib.Path(folder) / "wiki.test.raw").read_text()
    hub = Hub({PATH.format("test"): parquet(text)})
    try:
        run = fetch(hub, tmp_path, "test")
    finally:
        hub.close()
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "wiki.test.raw").read_text() == text
