"""Writes the corpora of the fuzz targets: sound inputs and inputs with one thing wrong. Inputs that a fuzzer found
stand beside them, in files named `found-...`, which this leaves alone.

usage: make_corpus.py [--check]
  --check  writes nothing; fails if a file differs from what would be written, or is of nobody
"""

import base64
import hashlib
import importlib
import json
import pathlib
import struct
import sys
import tempfile

from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
PROTO = HERE.parents[1] / "proto"
FOUND = "found-"
MAX_FOUND_BYTES = 64 << 10
ID = "0123456789abcdef" * 2
SITE_KINDS = ("qkv_in", "o_in", "gate_up_in", "down_in")


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def changed(base, **changes):
    """A copy; None takes a key away."""
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def safetensors(header, data):
    text = header if isinstance(header, bytes) else compact(header)
    return struct.pack("<Q", len(text)) + text + data


def safetensors_header():
    tensor = {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}
    half = {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]}
    sound = {"__metadata__": {"format": "pt"}, "a": tensor, "b": half}
    data = bytes(range(12))
    yield "sound", safetensors(sound, data)
    yield "scalar", safetensors({"a": {"dtype": "I8", "shape": [], "data_offsets": [0, 1]}}, b"\1")
    yield "no-elements", safetensors({"a": {"dtype": "F16", "shape": [0, 7], "data_offsets": [0, 0]}}, b"")
    yield "nothing", safetensors({}, b"")
    yield "cut", safetensors(sound, data)[:-1]
    yield "longer", safetensors(sound, data + b"\0")
    yield "hole", safetensors({"a": changed(tensor, data_offsets=[4, 12])}, data)
    yield "overlap", safetensors({"a": tensor, "b": changed(half, data_offsets=[4, 8])}, data[:8])
    yield "overflow", safetensors({"a": changed(tensor, shape=[2**62, 2**62])}, data[:8])
    yield "negative", safetensors({"a": changed(tensor, shape=[-1, -2])}, data[:8])
    yield "unknown-dtype", safetensors({"a": changed(tensor, dtype="F7")}, data[:8])
    yield "metadata", safetensors({"__metadata__": {"format": 1}}, b"")
    yield "not-json", safetensors(b"{", b"")
    yield "deep", safetensors(b'{"a":' + b"[" * 2000, b"")
    yield "long-header", struct.pack("<Q", 2**63) + b"{}"
    yield "empty", b""


def safetensors_index():
    def index(**weight_map):
        return compact({"metadata": {"total_size": 8}, "weight_map": weight_map})

    yield "sound", index(x="a.safetensors", y="b.safetensors")
    yield "one-shard", index(x="a.safetensors")
    yield "wrong-shard", index(x="b.safetensors")
    yield "missing-shard", index(x="c.safetensors")
    yield "outside", index(x="../a.safetensors")
    yield "itself", index(x="model.safetensors.index.json")
    yield "folder", index(x=".")
    yield "number", index(x=7)
    yield "no-map", b"{}"
    yield "not-json", b"{\"weight_map\""


def model_config():
    llama = {"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300, "max_position_embeddings": 512,
             "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
             "bos_token_id": 1, "eos_token_id": [2, 3]}
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 256}
    yield "llama", compact(llama)
    yield "llama3", compact(changed(llama, rope_scaling=llama3, head_dim=32))
    yield "linear-rope", compact(changed(llama, rope_scaling={"type": "linear", "factor": 2.0}))
    yield "yarn", compact(changed(llama, rope_scaling={"rope_type": "yarn", "factor": 4.0}))
    yield "mistral", compact(changed(llama, architectures=["MistralForCausalLM"], sliding_window=128))
    yield "qwen2", compact(changed(llama, architectures=["Qwen2ForCausalLM"], use_sliding_window=False))
    yield "qwen3", compact(changed(llama, architectures=["Qwen3ForCausalLM"], head_dim=16))
    yield "biases", compact(changed(llama, attention_bias=True, mlp_bias=True, num_key_value_heads=None))
    yield "rope-parameters", compact(changed(llama, rope_theta=None, rope_parameters={"rope_theta": 5e5}))
    yield "unknown", compact(changed(llama, architectures=["GPT2LMHeadModel"]))
    yield "huge", compact(changed(llama, hidden_size=2**62, vocab_size=2**62))
    yield "many-layers", compact(changed(llama, num_hidden_layers=2**31))
    yield "odd-heads", compact(changed(llama, num_attention_heads=3))
    yield "no-heads", compact(changed(llama, num_attention_heads=0))
    yield "negative", compact(changed(llama, intermediate_size=-1))
    yield "text", compact(changed(llama, hidden_size="64"))
    yield "null", compact(dict.fromkeys(llama))
    yield "not-json", b"[1]"


def tokenizer_json():
    letters = {letter: i for i, letter in enumerate("abcdehinorst'\u0120\u0441")}
    merges = ["t h", "th e", "\u0120 the"]
    vocabulary = {**letters, "th": 15, "the": 16, "\u0120the": 17}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    split = {"type": "Split", "pattern": {"Regex": r"\p{L}+|\s+(?!\S)|\s+"}, "behavior": "Isolated", "invert": False}
    added = {"id": 18, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": True,
             "normalized": False, "special": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "fuse_unk": False, "byte_fallback": False,
             "ignore_merges": False, "vocab": vocabulary, "merges": merges}
    sound = {"version": "1.0", "added_tokens": [added], "normalizer": None, "pre_tokenizer": byte_level, "model": model}
    fallback = {**{f"<0x{byte:02X}>": byte for byte in range(256)}, "<unk>": 256, "\u2581": 257}
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}

    def sequence(key, *parts):
        return {"type": "Sequence", key: list(parts)}

    yield "byte-level", compact(sound)
    yield "pairs", compact(changed(sound, model=changed(model, merges=[merge.split() for merge in merges])))
    yield "split", compact(changed(sound, pre_tokenizer=sequence(
        "pretokenizers", split, {"type": "Digits", "individual_digits": True}, changed(byte_level, use_regex=False))))
    for behavior in ("Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        yield f"split-{behavior}", compact(changed(sound, pre_tokenizer=changed(
            split, pattern={"String": "t"}, behavior=behavior, invert=True)))
    yield "byte-fallback", compact(changed(
        sound, added_tokens=[], pre_tokenizer=metaspace, model=changed(
            model, vocab=fallback, merges=[], unk_token="<unk>", byte_fallback=True)))
    yield "normalizer", compact(changed(sound, normalizer=sequence(
        "normalizers", {"type": "NFC"}, {"type": "Prepend", "prepend": "\u2581"}, replace)))
    yield "normalized-token", compact(changed(sound, normalizer={"type": "NFC"}, added_tokens=[
        changed(added, content="te\u0301", normalized=True, lstrip=True, single_word=True)]))
    yield "ignore-merges", compact(changed(sound, model=changed(model, ignore_merges=True)))
    yield "empty-pattern", compact(changed(sound, pre_tokenizer=changed(split, pattern={"String": ""})))
    yield "empty-match", compact(changed(sound, pre_tokenizer=changed(split, pattern={"Regex": "a*"})))
    yield "no-regex", compact(changed(sound, pre_tokenizer=changed(split, pattern={"Regex": "(a"})))
    yield "verb", compact(changed(sound, pre_tokenizer=changed(split, pattern={"Regex": "t(*ACCEPT)h"})))
    yield "backtracking", compact(changed(sound, pre_tokenizer=changed(split, pattern={"Regex": "(\\w+\\s?)+$"})))
    yield "unknown-merge", compact(changed(sound, model=changed(model, merges=["x y"])))
    yield "large-id", compact(changed(sound, model=changed(model, vocab={**vocabulary, "z": 2**31 - 1})))
    yield "twice", compact(changed(sound, model=changed(model, vocab={"a": 0, "b": 0}, merges=[])))
    yield "wordpiece", compact(changed(sound, model={"type": "WordPiece", "vocab": {}}))
    yield "nested", compact(changed(sound, normalizer=sequence(
        "normalizers", sequence("normalizers", sequence("normalizers", {"type": "NFC"})))))
    yield "no-model", b"{}"
    yield "not-json", b"\xff"


def scale_pack():
    sites = [f"layers.0.{kind}" for kind in SITE_KINDS]

    def pack(scales=None, factors=None, **changes):
        scales = {site: 0.5 for site in sites} if scales is None else scales
        factors = factors or {}
        metadata = changed({
            "format_version": "3", "method": "sasq", "first_token": "quantized", "prefix_tokens": "", "float_sites": "",
            "dynamic_sites": "", "smoothed_sites": ",".join(factors), "layer_count": "1",
            "base_weight_sha256": "a" * 64, "spec": '{"recipe":{"method":"METHOD_SASQ"}}', "code_version": "0.1.0"},
            **changes)
        numbers = b"".join(struct.pack("<f", scale) for scale in scales.values())
        numbers += b"".join(struct.pack(f"<{len(values)}f", *values) for values in factors.values())
        text = "".join(f"{key}={metadata[key]}\n" for key in sorted(metadata))
        metadata["content_sha256"] = hashlib.sha256(text.encode() + numbers).hexdigest()
        header, end = {"__metadata__": metadata}, 0
        for name, length in ([(f"prefill.{site}", 1) for site in scales] +
                             [(f"smoothing.{site}", len(values)) for site, values in factors.items()]):
            header[name] = {"dtype": "F32", "shape": [length], "data_offsets": [end, end + 4 * length]}
            end += 4 * length
        return safetensors(header, numbers)

    smoothed = {"layers.0.qkv_in": (2.0, 0.5), "layers.0.gate_up_in": (1.0, 3.0), "layers.0.down_in": (4.0,)}
    yield "sound", pack()
    yield "version-2", pack(format_version="2", smoothed_sites=None)
    yield "version-4", pack(format_version="4")
    yield "smoothed", pack(factors=smoothed)
    yield "smoothed-o-in", pack(factors={"layers.0.o_in": (1.0,)})
    yield "smoothed-not-named", pack(factors=smoothed, smoothed_sites="")
    yield "factor-not-finite", pack(factors={"layers.0.qkv_in": (float("nan"),)})
    yield "no-factors", pack(factors={"layers.0.qkv_in": ()})
    yield "sites", pack({sites[0]: 1.0}, float_sites="layers.0.down_in", dynamic_sites="layers.0.o_in,layers.0.gate_up_in")
    yield "prefix", pack(first_token="prefix", prefix_tokens="1,40000")
    yield "missing", pack({site: 0.5 for site in sites[1:]})
    yield "zero", pack(dict.fromkeys(sites, 0.0))
    yield "other-site", pack({**dict.fromkeys(sites, 1.0), "layers.1.o_in": 1.0})
    yield "many-layers", pack(layer_count="4097")
    yield "no-number", pack(layer_count="+1")
    yield "spec", pack(spec="[]")
    yield "deep-spec", pack(spec='{"a":' + "[" * 100 + "]" * 100 + "}")
    yield "damaged", pack()[:-1] + b"\1"
    yield "cut", pack()[:-1]


def job_spec():
    spec = {"model": {"uri": "file:/models/tiny"}, "training_text": {"uri": "file:/texts/train.txt"},
            "evaluation_text": {"uri": "file:/texts/eval.txt"}, "recipe": {"method": "METHOD_SASQ"}}
    digest = "b" * 64
    file = {"path": "config.json", "size_bytes": "12", "sha256": digest}
    yield "smallest", compact(spec)
    yield "compare", compact(changed(spec, kind="JOB_KIND_COMPARE", recipe=None, baselines=[
        {"method": "METHOD_FP"}, {"method": "METHOD_SMOOTHQUANT"}, {"method": "METHOD_SPINQUANT"}]))
    yield "full-recipe", compact(changed(spec, seed="7", recipe={
        "method": "METHOD_SASQ", "name": "mine", "rotation": "ROTATION_FOLDED", "smoothing": {"alpha": 0.5},
        "first_token": "FIRST_TOKEN_PREFIX", "prefix_tokens": [1, 2], "activation_bits": 8, "weight_bits": 6,
        "training": {"step_count": 10, "window_tokens": 128, "learning_rate": 0.01},
        "sites": {"float_sites": ["layers.*.down_in"], "max_dynamic_flops": 0.1}}))
    yield "preset", compact(changed(spec, recipe={"preset": "PRESET_SASQ_MAX"}))
    yield "gates", compact(changed(spec, gates={"max_perplexity_increase": 0.1, "min_top1_agreement": 0.9}))
    yield "hub", compact(changed(spec, model={"uri": "hf:org/name@main"}))
    yield "s3", compact(changed(spec, model={"uri": "s3://bucket/models/tiny"}))
    yield "upload", compact(changed(spec, model={"uri": "upload:" + digest, "files": [file]}))
    yield "traversal", compact(changed(spec, model={"uri": "file:/models/../../etc/shadow"}))
    yield "upload-outside", compact(changed(spec, model={"uri": "upload:" + digest,
                                                         "files": [changed(file, path="../config.json")]}))
    yield "not-a-number", compact(changed(spec, recipe={"method": "METHOD_SASQ", "training": {"learning_rate": "NaN"}}))
    yield "too-many", compact(changed(spec, baselines=[{"method": "METHOD_FP"}] * 70))
    yield "stars", compact(changed(spec, recipe={"method": "METHOD_SASQ", "sites": {"float_sites": ["*" * 64]}}))
    yield "other-texts", compact(changed(spec, evaluation={"window_count": 2, "window_tokens": 64, "other_texts": [
        {"name": "code", "text": {"uri": "file:/texts/code.jsonl", "layout": "TEXT_LAYOUT_JSON_LINES"}}]}))
    yield "unknown-field", compact(changed(spec, colour="red"))
    yield "nothing", b""
    job_spec_pb2 = messages("sasq.v1.job_spec_pb2")
    message = job_spec_pb2.JobSpec(model={"uri": "file:/models/tiny"}, recipe={"method": 99, "scale_rule": 77},
                                   training_text={"uri": "file:/t"}, evaluation_text={"uri": "file:/e"}, kind=55)
    yield "message", message.SerializeToString(deterministic=True)


def resource_name():
    for kind in ("jobs", "artifacts"):
        yield kind, f"{kind}/{ID}".encode()
    yield "upper-case", f"jobs/{ID.upper()}".encode()
    yield "short", f"jobs/{ID[1:]}".encode()
    yield "long", f"artifacts/{ID}0".encode()
    yield "slash", f"jobs/{ID}/".encode()
    yield "other-kind", f"workers/{ID}".encode()
    yield "zero-byte", f"jobs/{ID[1:]}\0".encode()
    yield "not-utf-8", b"jobs/\xff\xfe"
    yield "empty", b""


def page_token():
    def token(position, states=()):
        check = hashlib.sha256("".join(["sasq.v1.ListJobs:", position, *(f":{s}" for s in states)]).encode())
        return base64.urlsafe_b64encode(f"{position}:{check.hexdigest()[:16]}".encode())

    job_pb2 = messages("sasq.v1.job_pb2")
    some = sorted((job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_FAILED))
    yield "all", token("12").rstrip(b"=")
    yield "padded", token("12")
    yield "some", token("7", some)
    yield "largest", token(str(2**63 - 1))
    yield "too-large", token(str(2**63))
    yield "negative", token("-1")
    yield "zero", token("0")
    yield "blank", token(" 12")
    yield "no-colon", base64.urlsafe_b64encode(b"12")
    yield "not-base64", b"***"
    yield "empty", b""


def task_checkpoint():
    checkpoint_pb2 = messages("sasq.worker.v1.checkpoint_pb2")
    job_pb2 = messages("sasq.v1.job_pb2")
    static = checkpoint_pb2.MeasuredSite(precision=0, scale=0.5, octave_counts=[1, 2])
    dynamic = checkpoint_pb2.MeasuredSite(precision=1, smoothing_factors=[1, 2])

    def content(length=2):
        numbers = struct.pack(f"<Q{length}d", length, *(0.25,) * length)
        step = struct.pack("<5d", 1, 2, 3, 4, 5)
        return (b"SASQTRN2" + struct.pack("<Q", 4) + b"same" + 5 * numbers + struct.pack("<Q", 1) + step)

    def checked(state):
        return state + hashlib.sha256(state).hexdigest()[:32].encode()

    def checkpoint(sites=(static, dynamic), initial_sites=(static, static), state=None, texts=1):
        row = job_pb2.ReportRow(name="row", other_texts=[{"name": "code"}])
        measured = checkpoint_pb2.MeasuredRow(row=row, sites=sites, window_mean_losses=[1.5], other_texts=[
            {"mean_losses": [2.5]}] * texts)
        training = checkpoint_pb2.Training(trainer_state=checked(content()) if state is None else state, step=1,
                                           initial_sites=initial_sites)
        made = checkpoint_pb2.TaskCheckpoint(measured_rows=[measured], training=training, wall_seconds=1.5)
        return made.SerializeToString(deterministic=True)

    yield "sound", checkpoint()
    yield "of-another-job", checkpoint_pb2.TaskCheckpoint(inputs={"code_version": "0.1.0"}).SerializeToString()
    yield "more-sites", checkpoint(sites=(static, static, static))
    yield "unknown-precision", checkpoint(sites=(static, checkpoint_pb2.MeasuredSite(precision=9)))
    yield "no-scale", checkpoint(initial_sites=(static, checkpoint_pb2.MeasuredSite(precision=0)))
    yield "fewer-texts", checkpoint(texts=0)
    yield "damaged-state", checkpoint(state=content() + b"0" * 32)
    yield "more-scales", checkpoint(state=checked(content(length=3)))
    yield "no-initial-sites", checkpoint(initial_sites=())
    yield "trainer", content()
    yield "trainer-long", b"SASQTRN2" + struct.pack("<Q", 2**63) + content()[16:]
    yield "trainer-cut", content()[:-1]
    yield "cut", checkpoint()[:-1]
    yield "empty", b""


def messages(module):
    """A module of generated messages."""
    return importlib.import_module(module)


def generate_messages(folder):
    files = [str(path.relative_to(PROTO)) for path in PROTO.glob("sasq/**/*.proto") if "service" not in path.name]
    if protoc.main(["protoc", f"--proto_path={PROTO}", f"--python_out={folder}", *files]) != 0:
        sys.exit("the messages of proto/ could not be made")
    sys.path.insert(0, folder)


def main():
    targets = (safetensors_header, safetensors_index, model_config, tokenizer_json, scale_pack, job_spec,
               resource_name, page_token, task_checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        generate_messages(folder)
        wanted = {CORPUS / target.__name__ / name: content for target in targets for name, content in target()}
    if "--check" not in sys.argv[1:]:
        for path, content in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    problems = [f"{path}: differs from what make_corpus.py makes" for path, content in wanted.items()
                if not path.exists() or path.read_bytes() != content]
    for path in sorted(CORPUS.glob("*/*")):
        if path not in wanted and not (path.name.startswith(FOUND) and path.stat().st_size <= MAX_FOUND_BYTES):
            problems.append(f"{path}: neither made by make_corpus.py nor `{FOUND}...` of at most {MAX_FOUND_BYTES} bytes")
    print(*problems, f"{len(wanted)} inputs made", sep="\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
