"""A pack's static scales in a transformers model: fake quantization in torch of what docs/method.md defines.

Needs torch and transformers. What a pack asks for and this cannot do is refused, never approximated.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from sasq.errors import CannotApply
from sasq.rotation import Hadamard, fold_rotations
from sasq.scale_pack import ScalePack, load_pack, site_names

ModelT = TypeVar("ModelT", bound=torch.nn.Module)

ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
# The linears that read the tensor of a site, and so share its scale.
_READERS = {
    "qkv_in": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o_in": ("self_attn.o_proj",),
    "gate_up_in": ("mlp.gate_proj", "mlp.up_proj"),
    "down_in": ("mlp.down_proj",),
}
# What changes weights by something that is not in a pack.
_UNKNOWN_WEIGHTS = {
    "METHOD_SPINQUANT": "its rotations were learned",
    "METHOD_LLM_QAT": "it trained the weights",
}
_KNOWN_METHODS = ("METHOD_SASQ", "METHOD_STATIC_ABSMAX", "METHOD_STATIC_PERCENTILE", "METHOD_STATIC_MSE",
                  "METHOD_QUAROT", "METHOD_SMOOTHQUANT")
# Fields of a recipe that are honoured here, or that the scales and sites of the pack say already.
_KNOWN_FIELDS = frozenset(("method", "first_token", "training", "name", "preset", "activations", "scale_rule",
                           "percentile", "rotation", "smoothing", "sites", "activation_bits", "weight_bits",
                           "prefix_tokens"))
_KNOWN_SMOOTHING = frozenset(("alpha", "include_down"))
_ROTATIONS = ("ROTATION_NONE", "ROTATION_FOLDED", "ROTATION_ONLINE")
_BITS = range(4, 9)


def apply_scales(model: ModelT, pack: ScalePack | str | os.PathLike[str], *,
                 weights: str | os.PathLike[str] | None = None, check_weights: bool = True) -> ModelT:
    """Makes a float32 causal LM of transformers compute what the pack's job evaluated, and returns it.

    In place: rotations of the recipe are folded into the weights in float64, smoothing by the pack's factors in
    float32; weights become the values of their INT8 codes, per output channel; a hook rounds what each site's linears read to the codes of the site's scale (one
    for q/k/v, one for gate/up). float_sites stay as they are, dynamic_sites get one scale per token. With
    `first_token: float` the first token of each sequence, and copies that follow it directly, keep their float
    activations; such a model takes input_ids without padding on the left. Tokens that go on from a cache get the
    same scales. The result is for inference: rounding has no gradient.

    `weights`: the folder of the model's *.safetensors, by default the one that it was loaded from. Their digest must
    be the pack's; `check_weights=False` leaves that to the caller. CannotApply, with the reason and an unchanged
    model, for what cannot be done.
    """
    if not isinstance(pack, ScalePack):
        pack = load_pack(pack)
    _check_recipe(pack)
    _check_smoothing(pack)
    _check_model(model, pack)
    if check_weights:
        _check_digest(model, pack, weights)

    down = None
    rotation = pack.recipe.get("rotation", "ROTATION_NONE")
    if rotation != "ROTATION_NONE":
        down = fold_rotations(model, int(pack.spec.get("seed", 0)), rotation == "ROTATION_ONLINE")
    _fold_smoothing(model, pack)
    first_tokens = _FirstTokens() if pack.first_token == "float" else None
    if first_tokens is not None:
        decoder: Any = model.model
        decoder.register_forward_pre_hook(first_tokens.note, with_kwargs=True)
    _quantize_linears(model, pack, down, first_tokens)
    setattr(model, "_sasq_pack", pack)
    return model


def _quantize_linears(model: Any, pack: ScalePack, down: Hadamard | None, first_tokens: _FirstTokens | None) -> None:
    activation_bits = pack.recipe.get("activation_bits", 8)
    weight_bits = pack.recipe.get("weight_bits", 8)
    for site in site_names(pack.layer_count):
        layer, _, kind = site.removeprefix("layers.").partition(".")
        rule = _Site(
            scale=pack.scales.get(site),
            is_float=site in pack.float_sites,
            bits=activation_bits,
            transform=down if kind == "down_in" else None,
            first_tokens=first_tokens)
        for name in _READERS[kind]:
            linear = model.model.layers[int(layer)].get_submodule(name)
            if not rule.is_float:
                with torch.no_grad():
                    linear.weight.copy_(fake_quantize_rows(linear.weight, weight_bits))
            linear.register_forward_pre_hook(rule.represent)


@torch.no_grad()
def _fold_smoothing(model: Any, pack: ScalePack) -> None:
    """Divides what writes a smoothed tensor by its factors, and multiplies what reads it (SmoothQuant, arXiv
    2211.10438), as quant/methods/smoothing.cc does: site by site, in float32."""
    for site, values in pack.smoothing_factors.items():
        layer, _, kind = site.removeprefix("layers.").partition(".")
        block = model.model.layers[int(layer)]
        factors = torch.tensor(values, device=model.device)
        for name in _READERS[kind]:
            block.get_submodule(name).weight.mul_(factors)
        if kind == "down_in":
            block.mlp.up_proj.weight.div_(factors.unsqueeze(1))
            if block.mlp.up_proj.bias is not None:
                block.mlp.up_proj.bias.div_(factors)
        else:
            norm = block.input_layernorm if kind == "qkv_in" else block.post_attention_layernorm
            norm.weight.div_(factors)


def fake_quantize_static(x: Tensor, scale: float, bits: int = 8) -> Tensor:
    """The values of clamp(round_half_even(x / scale), -128, 127)."""
    largest = (1 << (bits - 1)) - 1
    return torch.clamp(torch.round(x / scale), -largest - 1, largest) * scale


def fake_quantize_rows(x: Tensor, bits: int = 8) -> Tensor:
    """The values of codes with one scale for each row of the last dimension, absmax / 127."""
    largest = (1 << (bits - 1)) - 1
    scales = x.abs().amax(dim=-1, keepdim=True) / largest
    scales = torch.where(scales < torch.finfo(x.dtype).tiny, 1.0, scales)
    return torch.round(x / scales) * scales


class _FirstTokens:
    """Which tokens of the running forward pass are first tokens or copies that follow them directly."""

    def __init__(self) -> None:
        self.mask: Tensor | None = None  # [sequences, tokens]

    def note(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        tokens = args[0] if args else kwargs.get("input_ids")
        if tokens is None:
            raise CannotApply("the pack keeps first tokens in float: give the model input_ids, not embeddings")
        cache = kwargs.get("cache") if "cache" in kwargs else kwargs.get("past_key_values")
        if cache is not None and cache.get_seq_length() > 0:
            self.mask = None
            return
        attention = kwargs.get("attention_mask")
        if attention is not None and not (isinstance(attention, Tensor) and attention.dim() == 2
                                          and bool(attention[:, 0].all())):
            raise CannotApply("the pack keeps first tokens in float: pad sequences on the right, with an "
                              "attention_mask [sequences, tokens]")
        self.mask = (tokens == tokens[:, :1]).cumprod(dim=1).bool()


@dataclasses.dataclass(frozen=True)
class _Site:
    """How the linears of a site see its activations."""

    scale: float | None  # None: one per token, unless is_float
    is_float: bool
    bits: int
    transform: Hadamard | None  # before them
    first_tokens: _FirstTokens | None  # which tokens stay in float, if any do

    def represent(self, module: torch.nn.Module, args: tuple[Tensor]) -> Tensor:
        x = args[0] if self.transform is None else self.transform.apply(args[0])
        if self.is_float:
            return x
        rounded = (fake_quantize_rows(x, self.bits) if self.scale is None
                   else fake_quantize_static(x, self.scale, self.bits))
        mask = None if self.first_tokens is None else self.first_tokens.mask
        return rounded if mask is None else torch.where(mask.unsqueeze(-1), x, rounded)


def _check_recipe(pack: ScalePack) -> None:
    recipe = pack.recipe
    method = recipe.get("method", "METHOD_UNSPECIFIED")
    if method in _UNKNOWN_WEIGHTS:
        raise CannotApply(f"{method}: {_UNKNOWN_WEIGHTS[method]} and are not in the pack")
    if method not in _KNOWN_METHODS:
        raise CannotApply(f"{method} is not known here, only {', '.join(_KNOWN_METHODS)}; a newer sasq may know it")
    unknown = recipe.keys() - _KNOWN_FIELDS
    if unknown:
        raise CannotApply(f"{min(unknown)} of the recipe is not known here; a newer sasq may know it")
    rotation = recipe.get("rotation", "ROTATION_NONE")
    if rotation not in _ROTATIONS or (method == "METHOD_QUAROT" and rotation == "ROTATION_NONE"):
        raise CannotApply(f"rotation is {rotation} with {method}, want one of {', '.join(_ROTATIONS)} that fits")
    for field in ("activation_bits", "weight_bits"):
        if recipe.get(field, 8) not in _BITS:
            raise CannotApply(f"{field} is {recipe[field]}, want {_BITS[0]}..{_BITS[-1]}")
    if pack.first_token == "prefix":
        raise CannotApply("first_token is prefix: keys and values of the prefix have to stand before every sequence, "
                          "which a model of transformers alone does not keep")


def _check_smoothing(pack: ScalePack) -> None:
    """The pack has the factors that the recipe folded in, and no others."""
    smoothing = pack.recipe.get("smoothing", {} if pack.recipe.get("method") == "METHOD_SMOOTHQUANT" else None)
    kinds: tuple[str, ...] = ()
    if smoothing is not None:
        unknown = smoothing.keys() - _KNOWN_SMOOTHING
        if unknown:
            raise CannotApply(f"{min(unknown)} of the smoothing is not known here; a newer sasq may know it")
        if not pack.smoothing_factors:
            raise CannotApply("smoothing: its factors are not in the pack, which an older version wrote; run the job "
                              "again")
        kinds = ("qkv_in", "gate_up_in", *(("down_in",) if smoothing.get("include_down") else ()))
    wanted = {f"layers.{layer}.{kind}" for layer in range(pack.layer_count) for kind in kinds}
    if wanted != pack.smoothing_factors.keys():
        raise CannotApply("smoothing: the pack's factors are not of the sites that its recipe smooths")
    if "down_in" in kinds and pack.recipe.get("rotation") == "ROTATION_ONLINE":
        raise CannotApply("smoothing.include_down with rotation ROTATION_ONLINE: no job can have done both")


def _check_model(model: Any, pack: ScalePack) -> None:
    name = type(model).__name__
    if name not in ARCHITECTURES:
        raise CannotApply(f"the model is a {name}, want one of {', '.join(ARCHITECTURES)}")
    if hasattr(model, "_sasq_pack"):
        raise CannotApply("the model has scales already; load it anew")
    if model.config.num_hidden_layers != pack.layer_count:
        raise CannotApply(f"the model has {model.config.num_hidden_layers} layers, the pack {pack.layer_count}")
    if any(parameter.dtype != torch.float32 for parameter in model.parameters()):
        raise CannotApply("the model is not float32, in which jobs are evaluated; load it with dtype=torch.float32")
    for number, layer in enumerate(model.model.layers):
        for reader in (reader for readers in _READERS.values() for reader in readers):
            if type(layer.get_submodule(reader)) is not torch.nn.Linear:
                raise CannotApply(f"layers.{number}.{reader} is not a plain linear layer: the model is quantized or "
                                  "adapted already")
    for site, values in pack.smoothing_factors.items():
        layer, _, kind = site.removeprefix("layers.").partition(".")
        channels = model.model.layers[int(layer)].get_submodule(_READERS[kind][0]).in_features
        if len(values) != channels:
            raise CannotApply(f"{site} has {len(values)} smoothing factors, the model {channels} channels there")


def _check_digest(model: Any, pack: ScalePack, weights: str | os.PathLike[str] | None) -> None:
    folder = pathlib.Path(weights if weights is not None else model.name_or_path)
    if not folder.is_dir():
        raise CannotApply(f"{str(folder)!r} is not a folder with the model's *.safetensors, whose digest the pack "
                          "names; say where they are (weights=FOLDER), or check_weights=False")
    digest = weight_digest(folder)
    if digest != pack.base_weight_sha256:
        raise CannotApply(f"the weights in {folder} have the digest {digest}, the scales belong to "
                          f"{pack.base_weight_sha256}")


def weight_digest(folder: pathlib.Path) -> str:
    """The base-weight digest (quant/format/checkpoint.h) of the weight files in a folder."""
    index = folder / "model.safetensors.index.json"
    names = set(json.loads(index.read_text())["weight_map"].values()) if index.exists() else {"model.safetensors"}
    sha256 = hashlib.sha256()
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            sha256.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return sha256.hexdigest()


__all__ = ["ARCHITECTURES", "apply_scales", "fake_quantize_rows", "fake_quantize_static", "weight_digest"]
