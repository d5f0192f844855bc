"""A hub on loopback for the tests, which can do every wrong that servers do, and the program that fetches."""

import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import threading
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "secret-of-the-test"
LFS_BYTES = 2000  # files from this size on have an LFS digest, smaller ones git's


def git_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub:
    """Repositories by name (`models/org/name`): files by path. Large files are redirected to another host.

    `faults` is a list of (path suffix, function): the first request whose path ends so is answered by the
    function, which gets the request handler and the content, and the fault is used up.
    """

    def __init__(self):
        self.repositories = {}
        self.faults = []
        self.requests = []  # (host, path, Range, Authorization)
        self.private = False
        self.lies = {}  # path: changes of its entry in the tree
        self.page_size = 1000
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.answer(self)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.released = threading.Event()  # ends stalls
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def add(self, repository, files):
        self.repositories[repository] = files

    def paths(self):
        return [path for _, path, _, _ in self.requests]

    def answer(self, request):
        path = urllib.parse.unquote(request.path)
        self.requests.append((request.headers["Host"], path, request.headers["Range"],
                              request.headers["Authorization"]))
        content = self.content_of(path)
        for index, (suffix, fault) in enumerate(self.faults):
            if path.endswith(suffix):
                del self.faults[index]
                return fault(request, content)
        if path.startswith("/store"):
            return send_file(request, content)
        if self.private and request.headers["Authorization"] != f"Bearer {TOKEN}":
            return send(request, 401, b"who are you?")
        if path.startswith("/api/"):
            return self.answer_api(request, path)
        if content is None:
            return send(request, 404, b"no such file")
        if len(content) >= LFS_BYTES:
            return send(request, 302, b"", Location=f"http://localhost:{self.port}/store{request.path}")
        return send_file(request, content)

    def answer_api(self, request, path):
        parts = path.removeprefix("/api/").partition("?")[0].split("/", 4)
        files = self.repositories.get("/".join(parts[:3]))
        if files is None or len(parts) < 5:
            return send(request, 404, b"no such repository")
        if parts[3] == "revision":
            known = parts[4] in ("main", "refs/pr/1", COMMIT)
            return send(request, 200 if known else 404, json.dumps({"sha": COMMIT}).encode())
        return self.answer_tree(request, path, files, parts[4].split("/", 1)[1:])

    def answer_tree(self, request, path, files, folder):
        prefix = "".join(part + "/" for part in folder)
        entries = [{"type": "directory", "path": "folder", "oid": "0" * 40, "size": 0}]
        for name, content in sorted(files.items()):
            if not name.startswith(prefix) or "/" in name[len(prefix):]:
                continue
            entry = {"type": "file", "path": name, "size": len(content), "oid": git_sha1(content)}
            if len(content) >= LFS_BYTES:
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
            entry.update(self.lies.get(name, {}))
            entries.append(entry)
        start = int(path.partition("?cursor=")[2] or 0)
        end = start + self.page_size
        link = {"Link": f'<{self.url}{path.partition("?")[0]}?cursor={end}>; rel="next"'} if end < len(entries) else {}
        return send(request, 200, json.dumps(entries[start:end]).encode(), **link)

    def content_of(self, path):
        parts = path.removeprefix("/store").lstrip("/").split("/")
        kind = "datasets" if parts[0] == "datasets" else "models"
        parts = parts[parts[0] == "datasets":]
        if len(parts) < 5 or parts[2] != "resolve" or parts[3] != COMMIT:
            return None
        return self.repositories.get("/".join([kind, *parts[:2]]), {}).get("/".join(parts[4:]))


def send(request, status, body, **headers):
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def send_file(request, content):
    """Answers a range as servers should."""
    wanted = request.headers["Range"]
    start = int(wanted[len("bytes="):-1]) if wanted else 0
    if start >= len(content) > 0:
        return send(request, 416, b"")
    if not wanted:
        return send(request, 200, content)
    return send(request, 206, content[start:],
                Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}")


def status(code, **headers):
    """A fault: an error's page."""
    return lambda request, content: send(request, code, b"<html>no</html>", **headers)


def cut(after):
    """A fault: the connection ends in the middle of the body."""
    def fault(request, content):
        wanted = request.headers["Range"]
        start = int(wanted[len("bytes="):-1]) if wanted else 0
        request.send_response(206 if wanted else 200)
        if wanted:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        request.wfile.write(content[start:start + after])
        request.close_connection = True
    return fault


def ignore_range(request, content):
    """A fault: the whole file, whatever was asked for."""
    send(request, 200, content)


def wrong_bytes(request, content):
    """A fault: other bytes of the right length."""
    send(request, 200, bytes(byte ^ 1 for byte in content))


def too_short(request, content):
    """A fault: less than the tree says, and a length that agrees with it."""
    send(request, 200, content[:-7])


def too_long(request, content):
    """A fault: more than the tree says."""
    send(request, 200, content + b"and more")


def wrong_range(request, content):
    """A fault: another part than the one that was asked for."""
    send(request, 206, content[1:], Content_Range=f"bytes 1-{len(content) - 1}/{len(content)}")


def stall(hub, after):
    """A fault: the connection stays open and nothing comes any more."""
    def fault(request, content):
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[:after])
        request.wfile.flush()
        hub.released.wait(30)
        request.close_connection = True
    return fault


def fetch_command(kind, uri, **settings):
    return [os.environ["SASQ_FETCH_SOURCE"], kind, uri,
            *(f"{name}={value}" for name, value in settings.items())]


ENVIRONMENT = {**os.environ, "no_proxy": "*"}


def fetch(kind, uri, **settings):
    """Runs the program; returns what it told, files with their content."""
    run = subprocess.run(fetch_command(kind, uri, **settings), capture_output=True, text=True,
                         timeout=60, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
    assert run.returncode == 0, run.stderr
    assert TOKEN not in run.stdout + run.stderr
    told = json.loads(run.stdout)
    told["stderr"] = run.stderr
    return told


def digests(files):
    """What the program tells of these files: SHA-256 by name."""
    return {pathlib.PurePath(path).name: hashlib.sha256(content).hexdigest() for path, content in files.items()}
