"""Calls of the GEMM and of fake quantization, as operations.py has the others."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import oracle
from operations import Call, Check, Layout, PlacedMatrix, difference, read_array
from ptx import GlobalMemory

# FakeQuantizeWorkspaceBytes of a matrix with elements; the launch recorder compares.
WORKSPACE_BYTES = 8192
# CPU and CUDA sums of the scale's gradient, relative to the sum of magnitudes (fake_quantize.h).
SUM_TOLERANCE = 1e-12


def fake_quantize(layout: Layout, scale: float, in_place: bool = False, special: bool = False) -> Call:
    """FakeQuantize."""
    name = f"FakeQuantize {layout}{' in place' if in_place else ''}{' special' if special else ''}"

    def prepare(memory: GlobalMemory) -> tuple[dict, Check]:
        x = layout.random(name, special=special)
        placed = layout.place(memory, x, writable=in_place)
        y = placed if in_place else layout.place(memory, None, writable=True)
        call = {"operation": "FakeQuantize", "x": placed.as_call(), "y": y.as_call(), "scale": scale}
        want = oracle.to_storage(oracle.fake_quantize(oracle.to_float(x), np.float32(scale)), layout.kind)
        return call, lambda: difference("y", want, y.read())

    return Call(name, prepare)


def fake_quantize_backward(layout: Layout, scale: float, in_place: bool = False, special: bool = False) -> Call:
    """FakeQuantizeBackward: both passes."""
    name = f"FakeQuantizeBackward {layout}{' in place' if in_place else ''}{' special' if special else ''}"
    workspace_bytes = WORKSPACE_BYTES if layout.rows * layout.cols else 0

    def prepare(memory: GlobalMemory) -> tuple[dict, Check]:
        x, grad = layout.random(name, special=special), layout.random(name + " grad")
        placed_grad = layout.place(memory, grad, writable=in_place)
        grad_x = placed_grad if in_place else layout.place(memory, None, writable=True)
        total = memory.place(None, 8, writable=True)
        call = {"operation": "FakeQuantizeBackward", "x": layout.place(memory, x).as_call(),
                "grad": placed_grad.as_call(), "grad_x": grad_x.as_call(), "scale": scale, "grad_scale": total,
                "workspace": memory.place(None, workspace_bytes, writable=True),
                "workspace_bytes": workspace_bytes}

        def check() -> list[str]:
            inside, slope = oracle.fake_quantize_slopes(oracle.to_float(x), np.float32(scale))
            want = np.where(inside, grad, grad.dtype.type(0))
            terms = oracle.to_float(grad).astype(np.float64) * slope.astype(np.float64)
            got = read_array(memory, total, 1, np.float64)[0]
            found = difference("grad_x", want, grad_x.read())
            if not abs(got - terms.sum()) <= SUM_TOLERANCE * np.abs(terms).sum():
                found.append(f"grad_scale: want {terms.sum()}, got {got}")
            return found

        return call, check

    return Call(name, prepare)


@dataclasses.dataclass(frozen=True)
class GemmShape:
    """Shape of a product and its options. `extreme`: codes at the ends of the range, where sums are largest."""
    m: int
    n: int
    k: int
    kind: str = "float16"
    per_row: bool = False
    bias: bool = False
    gap: int = 0
    offset: int = 0
    extreme: bool = False
    multiprocessors: int = 108  # few of them make the launcher choose large tiles

    def __str__(self) -> str:
        options = [name for name in ("per_row", "bias", "gap", "offset", "extreme") if getattr(self, name)]
        return f"{self.m}x{self.n}x{self.k} {self.kind} {' '.join(options)} {self.multiprocessors} multiprocessors"


def gemm(shape: GemmShape) -> Call:
    """Gemm."""
    name = f"Gemm {shape}"

    def prepare(memory: GlobalMemory) -> tuple[dict, Check]:
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        low, high = (-128, -127) if shape.extreme else (-128, 128)
        codes = rng.integers(low, high, (shape.m, shape.k)).astype(np.int8)
        weights = rng.integers(low, high, (shape.n, shape.k)).astype(np.int8)
        x_scales = rng.uniform(0.001, 0.01, (shape.m if shape.per_row else 1, 1)).astype(np.float32)
        w_scales = rng.uniform(0.001, 0.01, shape.n).astype(np.float32)
        bias = rng.normal(0, 1, shape.n).astype(np.float32) if shape.bias else None
        y = PlacedMatrix.place(memory, shape.kind, None, shape.m, shape.n, gap=shape.gap, offset=shape.offset,
                               writable=True)
        call = {"operation": "Gemm", "codes": memory.place(codes), "weights": memory.place(weights),
                "out_features": shape.n, "in_features": shape.k, "weight_scales": memory.place(w_scales),
                "scale": 0.0 if shape.per_row else float(x_scales[0, 0]), "y": y.as_call(),
                "multiprocessors": shape.multiprocessors}
        if shape.per_row:
            call["per_row"] = memory.place(x_scales)
        if bias is not None:
            call["bias"] = memory.place(bias)
        want = oracle.to_storage(oracle.gemm(codes, x_scales, weights, w_scales, bias), shape.kind)
        return call, lambda: difference("y", want, y.read())

    return Call(name, prepare)
