"""The scale pack, `scales.safetensors`: a reader that refuses whatever quant/artifact/scale_pack.h does not
allow."""

from __future__ import annotations

import array
import dataclasses
import hashlib
import json
import math
import os
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sasq.errors import InvalidPack

PACK_FILE_NAME = "scales.safetensors"
FORMAT_VERSION = "3"
MAX_LAYERS = 4096
MAX_PREFIX_TOKENS = 16
MAX_FACTORS = 1 << 22
MAX_PACK_BYTES = (2 << 20) + 1024 * MAX_LAYERS + 4 * MAX_FACTORS
# In the order in which a token passes them: the tensors that q/k/v, o, gate/up and down read.
SITE_KINDS = ("qkv_in", "o_in", "gate_up_in", "down_in")

_VERSION_WITHOUT_SMOOTHING = "2"
_SCALE_PREFIX = "prefill."
_FACTORS_PREFIX = "smoothing."
_NEVER_SMOOTHED = "o_in"
_SMOOTHED_SITES = "smoothed_sites"
_KEYS = frozenset(("format_version", "method", "first_token", "prefix_tokens", "float_sites", "dynamic_sites",
                   _SMOOTHED_SITES, "layer_count", "base_weight_sha256", "spec", "code_version", "content_sha256"))
_FIRST_TOKENS = ("quantized", "float", "prefix")


@dataclasses.dataclass(frozen=True)
class ScalePack:
    """Every site of every layer is static, float or dynamic. Sites have names such as `layers.3.down_in`."""

    method: str  # how the scales were chosen, such as `sasq`
    first_token: str  # `quantized`, `float` or `prefix`
    prefix_tokens: tuple[int, ...]
    layer_count: int
    scales: Mapping[str, float]  # static sites: x is clamp(round_half_even(x / scale), -128, 127)
    float_sites: frozenset[str]  # their linears stay in floating point
    dynamic_sites: frozenset[str]  # one scale per token
    smoothing_factors: Mapping[str, array.array[float]]  # what each channel was divided by; smoothed sites only
    base_weight_sha256: str  # of the weights that the scales belong to
    spec: Mapping[str, Any]  # of the job, in proto JSON with proto field names
    code_version: str

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The recipe, which says what was folded into the weights."""
        recipe: Mapping[str, Any] = self.spec.get("recipe", {})
        return recipe


def load_pack(path: str | os.PathLike[str]) -> ScalePack:
    """Reads a pack. Raises InvalidPack that names what is wrong, OSError if it cannot be read."""
    with pathlib.Path(path).open("rb") as file:
        content = file.read(MAX_PACK_BYTES + 1)
    try:
        return parse_pack(content)
    except InvalidPack as error:
        raise InvalidPack(f"{os.fspath(path)}: {error}") from None


def parse_pack(content: bytes) -> ScalePack:
    """The pack in the bytes of a file. Raises InvalidPack."""
    metadata, tensors = _parse_safetensors(content)
    version = metadata.get("format_version")
    _check(version in (_VERSION_WITHOUT_SMOOTHING, FORMAT_VERSION), "format_version", version,
           f"{_VERSION_WITHOUT_SMOOTHING} or {FORMAT_VERSION}, or a newer sasq")
    keys = _KEYS if version == FORMAT_VERSION else _KEYS - {_SMOOTHED_SITES}
    _check(metadata.keys() == keys, "metadata", sorted(metadata), f"exactly the keys {sorted(keys)}")
    layer_count = _number(metadata["layer_count"], "layer_count", 1, MAX_LAYERS)
    sites = site_names(layer_count)
    float_sites, dynamic_sites = (_listed_sites(metadata[key], key, sites) for key in ("float_sites", "dynamic_sites"))
    static_sites = [site for site in sites if site not in float_sites and site not in dynamic_sites]
    _check(not float_sites & dynamic_sites, "float_sites", metadata["float_sites"], "none that is dynamic too")
    named = _listed_sites(metadata.get(_SMOOTHED_SITES, ""), _SMOOTHED_SITES, sites)
    smoothed_sites = [site for site in sites if site in named]
    missing_or_extra = sorted(tensors.keys() ^ {_SCALE_PREFIX + site for site in static_sites}
                              ^ {_FACTORS_PREFIX + site for site in smoothed_sites})
    if missing_or_extra:
        raise InvalidPack(f"scale pack: {missing_or_extra[0]} is missing or not a static or smoothed site of the "
                          f"pack, want each site of {layer_count} layers once")
    scales = {site: _scale(site, tensors[_SCALE_PREFIX + site]) for site in static_sites}
    factors = {site: tensors[_FACTORS_PREFIX + site] for site in smoothed_sites}
    _check_factors(factors)
    _check_digest(metadata, [array.array("f", scales.values()), *factors.values()])
    first_token = metadata["first_token"]
    _check(first_token in _FIRST_TOKENS, "first_token", first_token, "quantized, float or prefix")
    prefix_tokens = tuple(_number(token, "prefix_tokens", 0, (1 << 31) - 1)
                          for token in filter(None, metadata["prefix_tokens"].split(",")))
    _check(len(prefix_tokens) in range(1, MAX_PREFIX_TOKENS + 1) if first_token == "prefix" else not prefix_tokens,
           "prefix_tokens", prefix_tokens, f"1..{MAX_PREFIX_TOKENS} tokens with a prefix, none without")
    digest = metadata["base_weight_sha256"]
    _check(re.fullmatch("[0-9a-f]{64}", digest) is not None, "base_weight_sha256", digest, "a SHA-256")
    spec = _json_object(metadata["spec"].encode(), "spec")
    _check(isinstance(spec.get("recipe", {}), dict), "spec", metadata["spec"], "a recipe that is an object")
    return ScalePack(metadata["method"], first_token, prefix_tokens, layer_count, scales, float_sites, dynamic_sites,
                     factors, digest, spec, metadata["code_version"])


def site_names(layer_count: int) -> list[str]:
    """Every site of a model, layer by layer."""
    return [f"layers.{layer}.{kind}" for layer in range(layer_count) for kind in SITE_KINDS]


def _check(is_valid: bool, field: str, value: object, wanted: str) -> None:
    if not is_valid:
        raise InvalidPack(f"scale pack: {field} is {str(value)[:128]!r}, want {wanted}")


def _number(value: str, field: str, low: int, high: int) -> int:
    _check(re.fullmatch("0|[1-9][0-9]{0,9}", value) is not None and low <= int(value) <= high, field, value,
           f"{low}..{high}")
    return int(value)


def _json_object(content: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidPack(f"scale pack: {what} is not a JSON object")
    return value


def _listed_sites(names: str, field: str, sites: Sequence[str]) -> frozenset[str]:
    listed = frozenset(names.split(",")) if names else frozenset()
    _check(",".join(site for site in sites if site in listed) == names, field, names,
           "names of sites and commas, each site once, in order")
    return listed


def _scale(site: str, values: array.array[float]) -> float:
    _check(len(values) == 1, site, f"{len(values)} values", "one F32")
    _check(math.isfinite(values[0]) and values[0] > 0, site, values[0], "a finite scale greater than 0")
    return values[0]


def _check_factors(factors: Mapping[str, array.array[float]]) -> None:
    channels: dict[str, int] = {}
    for site, values in factors.items():
        kind = site.rpartition(".")[2]
        _check(kind != _NEVER_SMOOTHED, _SMOOTHED_SITES, site, f"no {_NEVER_SMOOTHED}")
        wanted = channels.setdefault(kind, len(values))
        _check(len(values) == wanted, site, f"{len(values)} smoothing factors", f"{wanted}, as in the layers before")
        # min and max pass over a NaN, a sum does not.
        _check(len(values) > 0 and math.isfinite(sum(values)) and min(values) > 0, site, "smoothed",
               "finite factors greater than 0")
    total = sum(map(len, factors.values()))
    _check(total <= MAX_FACTORS, "count of smoothing factors", total, f"at most {MAX_FACTORS}")


def _check_digest(metadata: Mapping[str, str], numbers: Sequence[array.array[float]]) -> None:
    sha256 = hashlib.sha256()
    for key in sorted(metadata.keys() - {"content_sha256"}):
        sha256.update(f"{key}={metadata[key]}\n".encode())
    for values in numbers:
        sha256.update(_little_endian(values).tobytes())
    _check(sha256.hexdigest() == metadata["content_sha256"], "content_sha256", metadata["content_sha256"],
           f"{sha256.hexdigest()}: the file is damaged, fetch it again")


def _little_endian(values: array.array[float]) -> array.array[float]:
    """The same values with the bytes of a little-endian machine, or back."""
    if sys.byteorder == "little":
        return values
    swapped = values[:]
    swapped.byteswap()
    return swapped


def _parse_safetensors(content: bytes) -> tuple[dict[str, str], dict[str, array.array[float]]]:
    """Metadata and the F32 tensors of one dimension (https://huggingface.co/docs/safetensors)."""
    if len(content) > MAX_PACK_BYTES:
        raise InvalidPack(f"scale pack: more than {MAX_PACK_BYTES} bytes are too many for one")
    header_size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or header_size > len(content) - 8:
        raise InvalidPack(f"scale pack: {len(content)} bytes are no safetensors file")
    header = _json_object(content[8:8 + header_size], "the safetensors header")
    data = content[8 + header_size:]
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise InvalidPack("scale pack: there is no metadata of texts")
    tensors, spans = {}, []
    for name, tensor in header.items():
        begin, end = _span(tensor)
        wanted = {"dtype": "F32", "shape": [(end - begin) // 4], "data_offsets": [begin, end]}
        is_row = tensor == wanted and 0 <= begin < end <= len(data) and (end - begin) % 4 == 0
        _check(is_row, name[:128], tensor, "a row of F32 within the file")
        tensors[name] = _little_endian(array.array("f", data[begin:end]))
        spans.append((begin, end))
    spans.sort()
    borders = [0, *(end for _, end in spans)]
    _check([begin for begin, _ in spans] + [len(data)] == borders, "data", f"{len(data)} bytes",
           "4 for each number of each tensor and no others")
    return metadata, tensors


def _span(tensor: Any) -> tuple[int, int]:
    offsets = tensor.get("data_offsets") if isinstance(tensor, dict) else None
    if isinstance(offsets, list) and len(offsets) == 2 and all(type(offset) is int for offset in offsets):
        return offsets[0], offsets[1]
    return -1, -1
