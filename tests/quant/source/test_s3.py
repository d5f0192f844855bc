"""Models and texts from S3: moto's server on loopback, which checks signatures where it is told to."""

import hashlib
import json
import re
import threading

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import moto.server
import pytest
import werkzeug.serving

import servers
from servers import Hub, digests

WEIGHTS = bytes(range(256)) * 400
MODEL = {"config.json": b"{}", "tokenizer.json": b'{"a": 1}', "model.safetensors": WEIGHTS}
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Recorder:
    """WSGI: notes what was asked and how it was signed, and passes it on."""

    def __init__(self, application):
        self.application, self.requests, self.wrong_signatures = application, [], []

    def __call__(self, environ, start_response):
        self.requests.append((environ["RAW_URI"], environ.get("HTTP_RANGE")))
        if environ.get("HTTP_USER_AGENT", "").startswith("sasq/"):
            self.check(environ)
        return self.application(environ, start_response)

    def check(self, environ):
        """Signs the request once more with botocore, an independent implementation."""
        claimed = environ["HTTP_AUTHORIZATION"]
        names = re.search("SignedHeaders=([^,]+)", claimed)[1].split(";")
        headers = {name: environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in names}
        url = f"http://{environ['HTTP_HOST']}{environ['RAW_URI']}"
        request = botocore.awsrequest.AWSRequest("GET", url, headers=headers)
        request.context["timestamp"] = environ["HTTP_X_AMZ_DATE"]
        signer = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(KEY, SECRET), "s3", "us-east-1")
        text = signer.string_to_sign(request, signer.canonical_request(request))
        if signer.signature(text, request) not in claimed:
            self.wrong_signatures.append((environ["RAW_URI"], claimed, signer.canonical_request(request)))


@pytest.fixture(scope="module")
def application():
    return Recorder(moto.server.DomainDispatcherApplication(moto.server.create_backend_app))


@pytest.fixture(scope="module")
def store(application):
    """The endpoint, with a bucket."""
    server = werkzeug.serving.make_server("127.0.0.1", 0, application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    client = boto3.client("s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                          region_name="us-east-1", config=botocore.config.Config(proxies={}))
    client.create_bucket(Bucket="models")
    for name, content in MODEL.items():
        client.put_object(Bucket="models", Key=f"team a/tiny+1/{name}", Body=content, ChecksumAlgorithm="SHA256")
        client.put_object(Bucket="models", Key=f"team a/tiny+1/old/{name}", Body=b"no")
    client.put_object(Bucket="models", Key="team a/tiny+1/README.md", Body=b"no")
    client.put_object(Bucket="models", Key="texts/ünïcode text.jsonl", Body=b"a text")
    for number in range(1100):
        client.put_object(Bucket="models", Key=f"many/{number:04}.txt", Body=b"no")
    for name, content in MODEL.items():
        client.put_object(Bucket="models", Key=f"many/{name}", Body=content)
    yield url
    server.shutdown()


@pytest.fixture
def fetch(store, application, tmp_path):
    application.requests.clear()

    def run(kind="model", uri="s3://models/team a/tiny+1", **settings):
        return servers.fetch(kind, uri, **{"s3": store, "cache": tmp_path, "key": KEY, "secret": SECRET, **settings})
    return run


def test_model(fetch, application):
    told = fetch()
    assert told["code"] == "OK", told
    assert told["files"] == digests(MODEL)
    assert application.requests and application.wrong_signatures == []
    assert not any("old" in path or "README" in path for path, _ in application.requests)
    before = len(application.requests)
    assert fetch()["code"] == "OK"
    assert len(application.requests) == before + 1, "only the listing is asked for again"


def test_session_token_is_signed_too(fetch, application):
    assert fetch(session="a-session-token")["code"] == "OK"
    assert application.wrong_signatures == []


def test_text_with_an_unusual_key(fetch, application):
    told = fetch("text", "s3://models/texts/ünïcode text.jsonl")
    assert told["code"] == "OK", told
    assert list(told["files"].values()) == [hashlib.sha256(b"a text").hexdigest()]
    assert application.wrong_signatures == []


def test_list_in_pages(fetch, application):
    told = fetch(uri="s3://models/many")
    assert told["code"] == "OK", told
    assert told["files"] == digests(MODEL)
    assert sum("list-type" in path for path, _ in application.requests) == 2
    assert application.wrong_signatures == []


def test_changed_objects_are_fetched_again(fetch, store):
    assert fetch()["code"] == "OK"
    client = boto3.client("s3", endpoint_url=store, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                          region_name="us-east-1", config=botocore.config.Config(proxies={}))
    client.put_object(Bucket="models", Key="team a/tiny+1/config.json", Body=b'{"b": 2}')
    told = fetch()
    client.put_object(Bucket="models", Key="team a/tiny+1/config.json", Body=b"{}")
    assert told["files"]["config.json"] == hashlib.sha256(b'{"b": 2}').hexdigest()


def test_unknown_names(fetch):
    told = fetch(uri="s3://no-such-bucket/x")
    assert told["code"] == "NOT_FOUND" and "s3://no-such-bucket/x" in told["message"]
    told = fetch(uri="s3://models/nothing")
    assert told["code"] == "INVALID_ARGUMENT" and "no config.json" in told["message"]
    told = fetch("text", "s3://models/nothing.txt")
    assert told["code"] == "NOT_FOUND" and "nothing.txt" in told["message"]


class FaultyStore(Hub):
    """A store of one object that misbehaves."""

    checksum = None

    def answer(self, request):
        self.requests.append((request.headers["Host"], request.path, request.headers["Range"],
                              request.headers["If-Match"]))
        content = WEIGHTS
        for index, (suffix, fault) in enumerate(self.faults):
            if suffix in request.path:
                del self.faults[index]
                return fault(request, content)
        if "list-type" in request.path:
            return servers.send(request, 200, b"<ListBucketResult><Contents><Key>text.txt</Key><ETag>&quot;e1&quot;</ETag>"
                                b"<Size>%d</Size></Contents></ListBucketResult>" % len(content))
        headers = {"x-amz-checksum-sha256": self.checksum} if self.checksum else {}
        if request.headers["Range"]:
            return servers.send_file(request, content)
        return servers.send(request, 200, content, **headers)


@pytest.fixture
def faulty():
    store = FaultyStore()
    yield store
    store.close()


def fetch_text(store, cache, **settings):
    return servers.fetch("text", "s3://bucket/text.txt", s3=store.url, cache=cache, **settings)


def test_broken_body_goes_on_with_the_same_object(faulty, tmp_path):
    faulty.faults.append(("text.txt", servers.cut(after=5000)))
    # The listing has the key in its prefix, too.
    faulty.faults.insert(0, ("list-type", lambda request, content: servers.send(
        request, 200, b"<ListBucketResult><Contents><Key>text.txt</Key><ETag>\"e1\"</ETag><Size>%d</Size></Contents>"
        b"</ListBucketResult>" % len(content))))
    told = fetch_text(faulty, tmp_path)
    assert told["code"] == "OK", told
    assert [(wanted, match) for _, path, wanted, match in faulty.requests if "list-type" not in path] == [
        (None, '"e1"'), ("bytes=5000-", '"e1"')]


def test_object_that_changed_in_between(faulty, tmp_path):
    faulty.faults.append(("/bucket/text.txt", servers.status(412)))
    told = fetch_text(faulty, tmp_path)
    assert told["code"] == "ABORTED" and "changed" in told["message"]


def test_wrong_checksum(faulty, tmp_path):
    faulty.checksum = "A" * 43 + "="
    told = fetch_text(faulty, tmp_path)
    assert told["code"] == "UNAVAILABLE" and "digest" in told["message"]


@pytest.mark.parametrize("settings, words", [({}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
                                             ({"key": KEY, "secret": SECRET}, "check what AWS_ACCESS_KEY_ID may do")])
def test_denied(faulty, tmp_path, settings, words):
    faulty.faults.append(("list-type", servers.status(403)))
    told = fetch_text(faulty, tmp_path, **settings)
    assert told["code"] == "PERMISSION_DENIED" and words in told["message"]
    assert SECRET not in json.dumps(told)


def test_redirects_are_not_followed(faulty, tmp_path):
    faulty.faults.append(("list-type", servers.status(307, Location="http://127.0.0.1:9/")))
    told = fetch_text(faulty, tmp_path, key=KEY, secret=SECRET)
    assert told["code"] == "FAILED_PRECONDITION" and "307" in told["message"]


@pytest.mark.parametrize("answer", [b"", b"<html/>", b"<ListBucketResult>", b"{}"])
def test_something_else_answers(faulty, tmp_path, answer):
    faulty.faults.append(("list-type", lambda request, content: servers.send(request, 200, answer)))
    told = fetch_text(faulty, tmp_path)
    assert told["code"] in ("FAILED_PRECONDITION", "NOT_FOUND"), told


def test_passing_errors_are_waited_out(faulty, tmp_path):
    faulty.faults += [("list-type", servers.status(503, Retry_After="3")), ("/bucket/text.txt", servers.status(500))]
    told = fetch_text(faulty, tmp_path)
    assert told["code"] == "OK" and len(told["waits"]) == 2 and told["waits"][0] == 3
