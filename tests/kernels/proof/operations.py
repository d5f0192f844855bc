"""Calls of the operations: buffers in the interpreter's memory, and what must be in them afterwards."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable

import numpy as np
import oracle
from ptx import GlobalMemory

Array = np.ndarray
# Compares the outputs with the oracle's; the differences found, in words.
Check = Callable[[], list[str]]

ELEMENT_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16}


def difference(name: str, want: Array, got: Array) -> list[str]:
    """The first place where two arrays differ in a bit (any NaN equals any NaN)."""
    want, got = want.reshape(got.shape), got
    same = want == got
    if want.dtype.kind == "f":
        unsigned = f"u{want.dtype.itemsize}"
        same = (want.view(unsigned) == got.view(unsigned)) | (np.isnan(want) & np.isnan(got))
    elif want.dtype == np.uint16:  # bfloat16
        same |= np.isnan(oracle.to_float(want)) & np.isnan(oracle.to_float(got))
    if same.all():
        return []
    place = tuple(int(i) for i in np.argwhere(~same)[0])
    return [f"{name}: {np.count_nonzero(~same)} of {same.size} differ, the first at {place}: "
            f"want {want[place]}, got {got[place]}"]


@dataclasses.dataclass
class PlacedMatrix:
    """A matrix in the interpreter's memory; gaps between rows are out of bounds."""
    memory: GlobalMemory
    address: int
    kind: str
    rows: int
    cols: int
    stride: int

    @classmethod
    def place(cls, memory: GlobalMemory, kind: str, values: Array | None, rows: int, cols: int, *, gap: int = 0,
              offset: int = 0, writable: bool = False) -> PlacedMatrix:
        """`gap` elements between rows; the data begins `offset` elements after an aligned address."""
        element, stride = ELEMENT_BYTES[kind], cols + gap
        size = ((rows - 1) * stride + cols) * element if rows else 0
        stored = None
        if values is not None:
            stored = np.zeros((rows, stride), _DTYPES[kind])
            stored[:, :cols] = values
            stored = stored.reshape(-1)[:size // element]
        address = memory.place(stored, size, writable=writable, offset=offset * element,
                               rows=(cols * element, stride * element))
        return cls(memory, address, kind, rows, cols, stride)

    def as_call(self) -> dict:
        return {"data": self.address, "type": self.kind, "rows": self.rows, "cols": self.cols, "stride": self.stride}

    def read(self) -> Array:
        """The values in their storage type, [rows, cols]."""
        element = ELEMENT_BYTES[self.kind]
        size = ((self.rows - 1) * self.stride + self.cols) * element
        raw = self.memory.read_back(self.address, size, (self.cols * element, self.stride * element))
        padded = np.zeros(self.rows * self.stride * element, np.uint8)
        padded[:size] = raw
        return padded.view(_DTYPES[self.kind]).reshape(self.rows, self.stride)[:, :self.cols].copy()


@dataclasses.dataclass(frozen=True)
class Call:
    """One call: `prepare` places its buffers and returns the recorder's call and the check."""
    name: str
    prepare: Callable[[GlobalMemory], tuple[dict, Check]]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Shape and place of a call's matrices. `offset` elements misalign them, `gap` separates rows."""
    kind: str
    rows: int
    cols: int
    gap: int = 0
    offset: int = 0

    def __str__(self) -> str:
        places = f" gap {self.gap}" if self.gap else ""
        return f"{self.kind} {self.rows}x{self.cols}{places}" + (f" offset {self.offset}" if self.offset else "")

    def place(self, memory: GlobalMemory, values: Array | None, *, writable: bool = False) -> PlacedMatrix:
        return PlacedMatrix.place(memory, self.kind, values, self.rows, self.cols, gap=self.gap, offset=self.offset,
                                  writable=writable)

    def random(self, seed: str, spread: float = 3.0, special: bool = False, tie_scale: float = 0.25) -> Array:
        """Values in the storage type: ties of a scale among them; `special`: NaN, infinities, extremes."""
        rng = np.random.default_rng(zlib.crc32(f"{seed} {self}".encode()))
        values = rng.normal(0, spread, (self.rows, self.cols)).astype(np.float32)
        ties = rng.random(values.shape) < 0.2
        values[ties] = (np.floor(values[ties] / np.float32(tie_scale)) + np.float32(0.5)) * np.float32(tie_scale)
        if special:
            extremes = np.float32([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 3e38, 31.75, -32.0, 6e4, -6e4])
            places = rng.choice(values.size, min(values.size, 3 * extremes.size), replace=False)
            values.reshape(-1)[places] = np.resize(extremes, places.size)
        with np.errstate(over="ignore"):
            return oracle.to_storage(values, self.kind)


def place_codes(memory: GlobalMemory, layout: Layout) -> int:
    """Output codes, misaligned where the layout is."""
    return memory.place(None, layout.rows * layout.cols, writable=True, offset=layout.offset)


def read_array(memory: GlobalMemory, address: int, count: int, dtype: type) -> Array:
    return memory.read_back(address, count * np.dtype(dtype).itemsize).view(dtype)


@dataclasses.dataclass(frozen=True)
class QuantizedOutput:
    """Codes of `values`, with a static scale or per token; the end of three operations."""
    memory: GlobalMemory
    layout: Layout
    scale: np.float32 | None
    codes: int
    scales: int

    @classmethod
    def place(cls, memory: GlobalMemory, layout: Layout, scale: float | None) -> QuantizedOutput:
        scales = 0 if scale is not None else memory.place(None, layout.rows * 4, writable=True)
        return cls(memory, layout, None if scale is None else np.float32(scale), place_codes(memory, layout), scales)

    def as_call(self, operation: str) -> dict:
        if self.scale is None:
            return {"operation": f"{operation}PerToken", "codes": self.codes, "scales": self.scales}
        return {"operation": f"{operation}Static", "codes": self.codes, "scale": float(self.scale)}

    def check(self, values: Array) -> list[str]:
        """What differs from the codes of float32 `values`."""
        found, scale = [], self.scale
        if scale is None:
            want = oracle.row_scales(values)
            found = difference("scales", want, read_array(self.memory, self.scales, want.size, np.float32))
            scale = want[:, None]
        got = read_array(self.memory, self.codes, values.size, np.int8).reshape(values.shape)
        return found + difference("codes", oracle.quantize(values, scale), got)


def quantize(layout: Layout, scale: float | None, special: bool = False) -> Call:
    """QuantizeStatic, or QuantizePerToken where `scale` is None."""
    name = f"Quantize {'per token' if scale is None else 'static'} {layout}{' special' if special else ''}"
    name += "" if scale in (None, 0.25) else f" scale {scale}"

    def prepare(memory: GlobalMemory) -> tuple[dict, Check]:
        x = layout.random(name, special=special, tie_scale=scale or 0.25)
        output = QuantizedOutput.place(memory, layout, scale)
        call = output.as_call("Quantize") | {"x": layout.place(memory, x).as_call()}
        return call, lambda: output.check(oracle.to_float(x))

    return Call(name, prepare)


def rms_norm(layout: Layout, scale: float | None, residual: bool, special: bool = False) -> Call:
    """RmsNormQuantizeStatic or ...PerToken."""
    name = (f"RmsNorm {'per token' if scale is None else 'static'} {layout}{' residual' if residual else ''}"
            f"{' special' if special else ''}")
    epsilon = np.float32(1e-5)

    def prepare(memory: GlobalMemory) -> tuple[dict, Check]:
        x = layout.random(name, special=special)
        gain = dataclasses.replace(layout, rows=1).random(name + " gain", 1.0)
        output = QuantizedOutput.place(memory, layout, scale)
        gain_address = memory.place(gain, offset=layout.offset * ELEMENT_BYTES[layout.kind])
        call = output.as_call("RmsNormQuantize") | {"x": layout.place(memory, x).as_call(), "gain": gain_address,
                                                    "epsilon": float(epsilon)}
        h, placed = x, None
        if residual:
            old = layout.random(name + " residual")
            placed = layout.place(memory, old, writable=True)
            call["residual"] = placed.as_call()
            h = oracle.to_storage(oracle.to_float(old) + oracle.to_float(x), layout.kind)

        def check() -> list[str]:
            values = oracle.rms_normalized(oracle.to_float(h), oracle.to_float(gain), epsilon)
            return output.check(values) + (difference("residual", h, placed.read()) if placed else [])

        return call, check

    return Call(name, prepare)


def silu_mul(layout: Layout, scale: float | None, special: bool = False) -> Call:
    """SiluMulQuantizeStatic or ...PerToken."""
    name = f"SiluMul {'per token' if scale is None else 'static'} {layout}{' special' if special else ''}"

    def prepare(memory: GlobalMemory) -> tuple[dict, Check]:
        gate, up = layout.random(name, 8.0, special), layout.random(name + " up")
        output = QuantizedOutput.place(memory, layout, scale)
        call = output.as_call("SiluMulQuantize") | {"gate": layout.place(memory, gate).as_call(),
                                                    "up": layout.place(memory, up).as_call()}
        return call, lambda: output.check(oracle.silu_mul(oracle.to_float(gate), oracle.to_float(up)))

    return Call(name, prepare)


def hadamard(layout: Layout, block: int, in_place: bool = False) -> Call:
    """HadamardTransform."""
    name = f"Hadamard {layout} block {block}{' in place' if in_place else ''}"

    def prepare(memory: GlobalMemory) -> tuple[dict, Check]:
        x = layout.random(name)
        placed = layout.place(memory, x, writable=in_place)
        y = placed if in_place else layout.place(memory, None, writable=True)
        call = {"operation": "HadamardTransform", "x": placed.as_call(), "y": y.as_call(), "block": block}
        want = oracle.to_storage(oracle.hadamard(oracle.to_float(x), block), layout.kind)
        return call, lambda: difference("y", want, y.read())

    return Call(name, prepare)
