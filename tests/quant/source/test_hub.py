"""Models and texts from a hub that redirects, breaks off, stalls, lies and refuses."""

import pytest

import servers
from servers import COMMIT, TOKEN, Hub, digests

WEIGHTS = bytes(range(256)) * 400  # 102,400 bytes
MODEL = {"config.json": b"{}", "tokenizer.json": b'{"a": 1}', "model.safetensors": WEIGHTS,
         "tokenizer_config.json": b"{}"}
URI = "hf:org/name@main"


@pytest.fixture
def hub():
    served = Hub()
    served.add("models/org/name", {**MODEL, "README.md": b"# no", "pytorch_model.bin": b"no" * 5000,
                                   "folder/config.json": b"no"})
    served.add("datasets/org/texts", {"raw/train.txt": b"a text\n" * 1000, "raw/other.txt": b"no"})
    yield served
    served.close()


@pytest.fixture
def fetch(hub, tmp_path):
    def run(kind="model", uri=URI, **settings):
        return servers.fetch(kind, uri, hub=hub.url, cache=tmp_path / "cache", **settings)
    return run


def assert_whole(told):
    assert told["code"] == "OK", told
    assert told["files"] == digests(MODEL)


def test_only_what_is_needed_is_fetched_once(hub, fetch):
    told = fetch()
    assert_whole(told)
    assert told["uri"] == f"hf:org/name@{COMMIT}"
    assert not any("README" in path or ".bin" in path or "folder" in path for path in hub.paths())
    hub.requests.clear()
    assert_whole(fetch())
    assert not any("resolve" in path for path in hub.paths()), "the second time it is in the cache"


def test_text_of_a_data_set(hub, fetch):
    told = fetch("text", "hf:datasets/org/texts/raw/train.txt")
    assert told["code"] == "OK", told
    assert told["files"] == digests({"train.txt": b"a text\n" * 1000})
    assert told["uri"] == f"hf:datasets/org/texts@{COMMIT}/raw/train.txt"


def test_revision_with_a_slash(hub, fetch):
    assert_whole(fetch(uri="hf:org/name@refs/pr/1"))
    assert "/api/models/org/name/revision/refs/pr/1" in hub.paths()


def test_tree_in_pages(hub, fetch):
    hub.page_size = 2
    assert_whole(fetch())


def test_token_stays_at_the_hub(hub, fetch):
    hub.private = True
    told = fetch(token=TOKEN)
    assert_whole(told)
    sent = {(host.split(":")[0], authorization) for host, _, _, authorization in hub.requests}
    assert sent == {("127.0.0.1", f"Bearer {TOKEN}"), ("localhost", None)}


def test_next_page_on_another_host_is_not_followed(hub, fetch):
    def elsewhere(request, content):
        servers.send(request, 200, b"[]", Link='<http://127.0.0.2:9/api>; rel="next"')
    hub.faults.append((f"/tree/{COMMIT}", elsewhere))
    told = fetch(token=TOKEN)
    assert told["code"] == "FAILED_PRECONDITION" and "127.0.0.2:9/api" in told["message"]


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_passing_errors_are_waited_out(hub, fetch, code):
    hub.faults += [("/revision/main", servers.status(code)), ("config.json", servers.status(code)),
                   ("model.safetensors", servers.status(code))]
    told = fetch()
    assert_whole(told)
    assert len(told["waits"]) == 3 and all(0.5 <= wait <= 1 for wait in told["waits"])
    assert sum(f"answered {code}; trying again" in line for line in told["log"]) == 3


def test_retry_after_is_obeyed(hub, fetch):
    hub.faults += [("model.safetensors", servers.status(429, Retry_After="37")),
                   ("model.safetensors", servers.status(503, Retry_After="Fri, 01 Jan 1999 00:00:00 GMT"))]
    told = fetch()
    assert_whole(told)
    assert told["waits"][0] == 37 and told["waits"][1] <= 2


def test_retry_after_beyond_the_limit(hub, fetch):
    hub.faults.append(("model.safetensors", servers.status(429, Retry_After="86400")))
    told = fetch()
    assert told["code"] == "UNAVAILABLE" and "come back in 24h" in told["message"] and told["waits"] == []


def test_gives_up_in_the_end(hub, fetch):
    hub.faults += [("model.safetensors", servers.status(503))] * 6
    told = fetch()
    assert told["code"] == "UNAVAILABLE" and "gave up after 6 tries" in told["message"]
    assert len(told["waits"]) == 5 and told["waits"] == sorted(told["waits"])
    assert_whole(fetch())


def test_broken_body_goes_on_by_range(hub, fetch):
    hub.faults += [("store/org/name/resolve/%s/model.safetensors" % COMMIT, servers.cut(after=50000)),
                   ("store/org/name/resolve/%s/model.safetensors" % COMMIT, servers.cut(after=20000))]
    assert_whole(fetch())
    ranges = [wanted for _, path, wanted, _ in hub.requests if path.startswith("/store")]
    assert ranges == [None, "bytes=50000-", "bytes=70000-"]


def test_goes_on_where_a_killed_process_stopped(hub, fetch):
    hub.faults += [("model.safetensors", servers.cut(after=60000))] + [("model.safetensors", servers.status(503))] * 5
    assert fetch()["code"] == "UNAVAILABLE"
    hub.requests.clear()
    told = fetch()
    assert_whole(told)
    assert ("localhost", "bytes=60000-") in [(host.split(":")[0], wanted) for host, _, wanted, _ in hub.requests]
    assert any("going on from 60000" in line for line in told["log"])


def test_server_that_ignores_ranges(hub, fetch):
    store = "store/org/name/resolve/%s/model.safetensors" % COMMIT
    hub.faults += [(store, servers.cut(after=50000)), (store, servers.ignore_range)]
    assert_whole(fetch())


def test_stalled_transfer_is_broken_off(hub, fetch):
    hub.faults.append(("model.safetensors", servers.stall(hub, after=3000)))
    told = fetch()
    assert_whole(told)
    assert any("too slow" in line.lower() for line in told["log"]), told["log"]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("fault", [servers.wrong_bytes, servers.too_short, servers.too_long, servers.wrong_range],
                         ids=lambda fault: fault.__name__)
def test_wrong_bytes_are_fetched_again(hub, fetch, name, fault):
    hub.faults.append((name, fault))
    told = fetch()
    assert_whole(told)
    assert len(told["waits"]) == 1


def test_wrong_digest_every_time(hub, fetch, tmp_path):
    hub.faults += [("model.safetensors", servers.wrong_bytes)] * 3
    told = fetch()
    assert told["code"] == "UNAVAILABLE" and "digest" in told["message"]
    assert not list((tmp_path / "cache" / "files").glob("sha256-*"))


def test_wrong_length_in_the_tree(hub, fetch):
    hub.lies["model.safetensors"] = {"lfs": {"oid": "a" * 64, "size": len(WEIGHTS) + 1}}
    told = fetch()
    assert told["code"] == "UNAVAILABLE" and f"ended after {len(WEIGHTS)} of {len(WEIGHTS) + 1}" in told["message"]


@pytest.mark.parametrize("lie", [{"oid": "no digest"}, {"size": -1}, {"size": "many"}], ids=str)
def test_tree_without_digest_or_size(hub, fetch, lie):
    hub.lies["config.json"] = lie
    told = fetch()
    assert told["code"] == "FAILED_PRECONDITION" and "config.json" in told["message"]


@pytest.mark.parametrize("name", ["../../evil.safetensors", "..", "a b/config.json"])
def test_names_that_lead_elsewhere_are_passed_over(hub, fetch, tmp_path, name):
    hub.repositories["models/org/name"][name] = b"evil"
    assert_whole(fetch())


@pytest.mark.parametrize("token, words", [("", "start the worker with a HF_TOKEN"),
                                          ("wrong", "let the account of the worker's HF_TOKEN read it")])
def test_private_repository(hub, fetch, token, words):
    hub.private = True
    told = fetch(token=token)
    assert told["code"] == "PERMISSION_DENIED" and words in told["message"] and told["waits"] == []


def test_unknown_names(hub, fetch):
    told = fetch(uri="hf:org/nothing")
    assert told["code"] == "NOT_FOUND" and "check the name org/nothing" in told["message"]
    told = fetch(uri="hf:org/name@v9")
    assert told["code"] == "NOT_FOUND" and "the revision v9" in told["message"]
    told = fetch("text", "hf:datasets/org/texts/raw/nothing.txt")
    assert told["code"] == "NOT_FOUND" and "raw/nothing.txt" in told["message"]


def test_no_safetensors(hub, fetch):
    del hub.repositories["models/org/name"]["model.safetensors"]
    told = fetch()
    assert told["code"] == "INVALID_ARGUMENT" and "no model.safetensors" in told["message"]


def test_something_else_answers(hub, fetch):
    hub.faults.append(("/revision/main", lambda request, content: servers.send(request, 200, b"<html>hello</html>")))
    told = fetch()
    assert told["code"] == "FAILED_PRECONDITION" and "Hugging Face compatible hub" in told["message"]


def test_redirects_have_an_end(hub, fetch):
    hub.faults += [("config.json", servers.status(302, Location="/org/name/resolve/%s/config.json" % COMMIT))] * 100
    told = fetch()
    assert told["code"] == "UNAVAILABLE" and "redirects" in told["message"].lower()


def test_nobody_listens(tmp_path):
    told = servers.fetch("model", URI, hub="http://127.0.0.1:9", cache=tmp_path)
    assert told["code"] == "UNAVAILABLE" and "127.0.0.1:9" in told["message"] and len(told["waits"]) == 5


def test_sharded_model(hub, fetch):
    index = b'{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}'
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors.index.json": index,
             "model-1.safetensors": WEIGHTS, "model-2.safetensors": WEIGHTS[1:]}
    hub.add("models/org/sharded", {**files, "consolidated.safetensors": WEIGHTS})
    told = fetch(uri="hf:org/sharded")
    assert told["code"] == "OK" and told["files"] == digests(files)
