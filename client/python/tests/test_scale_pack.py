"""The pack's reader: agrees with the safetensors library, refuses every damage."""

import hashlib
import json
import struct

import pytest
from safetensors import safe_open

import sasq
from sasq.scale_pack import parse_pack, site_names


@pytest.fixture(scope="session")
def pack_bytes(finished):
    return finished.artifact.read("scales.safetensors")


def rebuilt(content, change):
    """The file with its header changed by `change(header)`."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8:8 + size])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + size:]


def test_agrees_with_the_safetensors_library(finished, pack_bytes, tmp_path):
    pack = finished.artifact.scales()
    path = tmp_path / "scales.safetensors"
    path.write_bytes(pack_bytes)
    assert sasq.load_pack(path) == pack
    with safe_open(path, framework="numpy") as file:
        assert {name.removeprefix("prefill."): float(file.get_tensor(name)[0]) for name in file.keys()} == pack.scales
        assert file.metadata()["base_weight_sha256"] == pack.base_weight_sha256
    assert list(pack.scales) == site_names(pack.layer_count) and pack.layer_count == 2
    assert (pack.method, pack.first_token, pack.prefix_tokens) == ("sasq", "quantized", ())
    assert pack.recipe["method"] == "METHOD_SASQ"


def test_sites_that_are_not_static(service, client, make_spec):
    spec = make_spec(steps=2)
    spec["recipe"]["sites"] = {"float_sites": ["layers.1.down_in"], "dynamic_sites": ["layers.*.o_in"]}
    pack = client.submit(spec, baselines=["fp"]).wait(timeout=300).artifact.scales()
    assert pack.float_sites == {"layers.1.down_in"}
    assert pack.dynamic_sites == {"layers.0.o_in", "layers.1.o_in"}
    assert len(pack.scales) == 5


def test_smoothing_factors(service, client, make_spec, tmp_path):
    spec = make_spec(steps=2)
    spec["recipe"]["smoothing"] = {"include_down": True}
    artifact = client.submit(spec, baselines=["fp"]).wait(timeout=300).artifact
    content = artifact.read("scales.safetensors")
    pack = parse_pack(content)
    kinds = {"qkv_in": 64, "gate_up_in": 64, "down_in": 128}
    assert {site: len(values) for site, values in pack.smoothing_factors.items()} == {
        f"layers.{layer}.{kind}": channels for layer in range(2) for kind, channels in kinds.items()}
    path = tmp_path / "scales.safetensors"
    path.write_bytes(content)
    with safe_open(path, framework="numpy") as file:
        for site, values in pack.smoothing_factors.items():
            assert file.get_tensor(f"smoothing.{site}").tolist() == list(values)

    with pytest.raises(sasq.InvalidPack, match="smoothing.layers.0.down_in is missing or not"):
        parse_pack(rebuilt(content, lambda header: header["__metadata__"].update(smoothed_sites="layers.0.qkv_in")))
    o_in = "layers.0.o_in"
    with pytest.raises(sasq.InvalidPack, match="smoothed_sites is 'layers.0.o_in', want no o_in"):
        parse_pack(rebuilt(content, lambda header: (
            header["__metadata__"].update(smoothed_sites=header["__metadata__"]["smoothed_sites"].replace(
                "layers.0.gate_up_in", o_in + ",layers.0.gate_up_in", 1).replace("layers.0.gate_up_in,", "", 1)),
            header.update({"smoothing." + o_in: header.pop("smoothing.layers.0.gate_up_in")}))))
    for value in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(sasq.InvalidPack, match="want finite factors greater than 0"):
            parse_pack(content[:-4] + struct.pack("<f", value))


def test_version_2(pack_bytes):
    """The same without smoothed_sites, and with the digest of that."""
    def older(header):
        metadata = header["__metadata__"]
        metadata["format_version"] = "2"
        metadata.pop("smoothed_sites", None)
        digest = hashlib.sha256()
        for key in sorted(metadata.keys() - {"content_sha256"}):
            digest.update(f"{key}={metadata[key]}\n".encode())
        for scale in parse_pack(pack_bytes).scales.values():
            digest.update(struct.pack("<f", scale))
        metadata["content_sha256"] = digest.hexdigest()

    content = rebuilt(pack_bytes, older)
    assert parse_pack(content) == parse_pack(pack_bytes)
    with pytest.raises(sasq.InvalidPack, match="exactly the keys"):
        parse_pack(rebuilt(content, lambda header: header["__metadata__"].update(smoothed_sites="")))


def test_every_flipped_byte_is_found(pack_bytes):
    for i in range(len(pack_bytes)):
        damaged = bytearray(pack_bytes)
        damaged[i] ^= 1
        with pytest.raises(sasq.InvalidPack):
            parse_pack(bytes(damaged))


def test_every_cut_is_found(pack_bytes):
    for size in range(len(pack_bytes)):
        with pytest.raises(sasq.InvalidPack):
            parse_pack(pack_bytes[:size])
    with pytest.raises(sasq.InvalidPack):
        parse_pack(pack_bytes + b"\0\0\0\0")


@pytest.mark.parametrize("change, words", [
    (lambda header: header["__metadata__"].update(format_version="4"), "format_version is '4', want 2 or 3"),
    (lambda header: header["__metadata__"].update(extra=""), "exactly the keys"),
    (lambda header: header["__metadata__"].pop("spec"), "exactly the keys"),
    (lambda header: header.pop("__metadata__"), "no metadata"),
    (lambda header: header["__metadata__"].update(layer_count="0"), "layer_count is '0', want 1..4096"),
    (lambda header: header["__metadata__"].update(layer_count="3"), "prefill.layers.2.down_in is missing"),
    (lambda header: header["__metadata__"].update(layer_count="+2"), "layer_count"),
    (lambda header: header["__metadata__"].update(float_sites="layers.9.o_in"), "each site once"),
    (lambda header: header["__metadata__"].update(float_sites="layers.0.o_in"), "prefill.layers.0.o_in"),
    (lambda header: header["__metadata__"].update(spec="{}"), "content_sha256"),
    (lambda header: header.pop("prefill.layers.0.o_in"), "4 for each number"),
    (lambda header: header.update(extra=header.pop("prefill.layers.0.o_in")), "extra is missing or not a static or smoothed"),
    (lambda header: header["prefill.layers.0.o_in"].update(dtype="I32"), "want a row of F32"),
    (lambda header: header["prefill.layers.0.o_in"].update(shape=[2]), "want a row of F32"),
    (lambda header: header["prefill.layers.0.o_in"].update(data_offsets=[400, 404]), "want a row of F32"),
    (lambda header: header["prefill.layers.0.o_in"].update(data_offsets=[False, 4]), "want a row of F32"),
    (lambda header: header["prefill.layers.0.o_in"].update(data_offsets=[8]), "want a row of F32"),
    (lambda header: header["prefill.layers.0.o_in"].update(data_offsets=[0, 4]), "4 for each number"),
    (lambda header: header.update(extra=7), "want a row of F32"),
])
def test_what_is_refused(pack_bytes, change, words):
    with pytest.raises(sasq.InvalidPack) as error:
        parse_pack(rebuilt(pack_bytes, change))
    assert words in str(error.value)


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_a_scale_that_is_none(pack_bytes, value):
    with pytest.raises(sasq.InvalidPack, match="want a finite scale greater than 0"):
        parse_pack(pack_bytes[:-4] + struct.pack("<f", value))


def test_path_is_named(tmp_path):
    path = tmp_path / "scales.safetensors"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(sasq.InvalidPack, match="scales.safetensors: scale pack: 100 bytes are no safetensors file"):
        sasq.load_pack(path)
    with pytest.raises(FileNotFoundError):
        sasq.load_pack(tmp_path / "missing")
