"""The calls that are compared with the oracle: every operation, type and path, and awkward shapes."""

from __future__ import annotations

from collections.abc import Iterable

from operations import ELEMENT_BYTES, Call, Layout, hadamard, quantize, rms_norm, silu_mul
from products import GemmShape, fake_quantize, fake_quantize_backward, gemm

STATIC_SCALE = 0.25  # inputs hold its ties


def layouts(kind: str) -> list[Layout]:
    """Scalar and vector path, one element, odd sizes, more than one round of a block."""
    step = 16 // ELEMENT_BYTES[kind]
    return [Layout(kind, 1, 1), Layout(kind, 3, 37), Layout(kind, 2, 1040), Layout(kind, 1, 2309),
            Layout(kind, 3, 8 * step, gap=step), Layout(kind, 3, 8 * step, gap=1), Layout(kind, 2, 8 * step, offset=1),
            Layout(kind, 5, 257 * step)]


def row_operations() -> Iterable[Call]:
    """Quantization alone, after RMSNorm and after SiLU."""
    for kind in ELEMENT_BYTES:
        for layout in layouts(kind):
            for scale in (STATIC_SCALE, None):
                yield quantize(layout, scale)
                yield quantize(layout, scale, special=True)
                yield silu_mul(layout, scale)
                yield silu_mul(layout, scale, special=True)
                for residual in (False, True):
                    yield rms_norm(layout, scale, residual)
        # Ties of a scale without an exact reciprocal: only a division rounds them as defined.
        yield quantize(Layout(kind, 2, 1000), 0.3)
        yield rms_norm(Layout(kind, 6, 24), STATIC_SCALE, True, special=True)
        yield rms_norm(Layout(kind, 6, 24), None, False, special=True)


def fake_quantization() -> Iterable[Call]:
    """Forward, backward, in place and not."""
    for kind in ELEMENT_BYTES:
        for layout in layouts(kind):
            yield fake_quantize(layout, STATIC_SCALE, special=True)
            yield fake_quantize_backward(layout, STATIC_SCALE, special=layout.rows == 3)
        for in_place in (fake_quantize, fake_quantize_backward):
            yield in_place(Layout(kind, 3, 40, gap=8), STATIC_SCALE, in_place=True)
        # More chunks than the first pass has blocks: partial sums of several chunks, and of 1024 blocks.
        yield fake_quantize_backward(Layout(kind, 1500, 3), STATIC_SCALE)


def hadamard_transforms() -> Iterable[Call]:
    """Blocks within a thread, a warp and a block of threads."""
    for kind in ELEMENT_BYTES:
        for block, cols in ((2, 6), (4, 36), (8, 8), (32, 96), (256, 512), (512, 1024), (2048, 4096)):
            yield hadamard(Layout(kind, 3 if cols < 1000 else 1, cols), block)
        yield hadamard(Layout(kind, 2, 64, gap=3), 64)
        yield hadamard(Layout(kind, 2, 64, offset=1), 16)
        yield hadamard(Layout(kind, 2, 128, gap=8), 64, in_place=True)
    yield hadamard(Layout("float16", 1, 8192), 8192)


def gemm_shapes() -> Iterable[GemmShape]:
    """Few rows (GEMV), and each tile of the tensor cores' kernels with whole and partial tiles."""
    for kind in ELEMENT_BYTES:
        for m, n, k in ((1, 1, 16), (1, 37, 48), (2, 40, 528), (3, 17, 80), (4, 64, 2064), (8, 19, 112), (11, 21, 64)):
            yield GemmShape(m, n, k, kind, per_row=m % 2 == 0, bias=n % 2 == 1)
        for m, n, k, multiprocessors in ((9, 4, 16, 108), (33, 68, 144, 108), (40, 132, 80, 1), (64, 128, 64, 1),
                                         (65, 132, 208, 1), (130, 260, 96, 1)):
            yield GemmShape(m, n, k, kind, per_row=True, bias=True, multiprocessors=multiprocessors)
            yield GemmShape(m, n, k, kind, gap=4, multiprocessors=multiprocessors)
    yield GemmShape(16, 64, 1024, "float32", extreme=True)
    yield GemmShape(3, 8, 1024, "float32", extreme=True)
    yield GemmShape(12, 20, 64, "float16", offset=1)  # a misaligned y goes to the GEMV


def products() -> Iterable[Call]:
    return map(gemm, gemm_shapes())


FAMILIES = {"rows": row_operations, "fake_quantize": fake_quantization, "hadamard": hadamard_transforms,
            "gemm": products}
