"""Each family of arithmetic instructions against known answers."""

import fractions
import unittest

import numpy as np
from ptx import PtxError, floats
from ptx.snippet import run_snippet

F32 = np.float32


def bits(*values):
    """Rows of inputs from rows of floats or integers."""
    return np.array([[int(F32(v).view(np.uint32)) if isinstance(v, float) else v % (1 << 32) for v in row]
                     for row in values], np.uint32)


def one(body, *values, result="r"):
    """What a snippet computes from one row of values."""
    return int(run_snippet(body, bits(values), result)[0, 0])


def single(body, *values):
    return np.uint32(one(body, *values, result="f")).view(F32)


def exactly_rounded(value, dtype):
    """The nearest value of a float type to a fraction, half to even."""
    guess = dtype(float(value))
    around = [np.nextafter(guess, dtype(-np.inf)), guess, np.nextafter(guess, dtype(np.inf))]
    unsigned = {4: np.uint32, 8: np.uint64}[dtype().itemsize]
    return min(around, key=lambda v: (abs(fractions.Fraction(float(v)) - value), int(v.view(unsigned)) % 2))


class IntegerTest(unittest.TestCase):
    CASES = [
        ("add.s32 %r10, %r1, %r2;", (0x7FFFFFFF, 1), 0x80000000),
        ("sub.s32 %r10, %r1, %r2;", (0, 1), 0xFFFFFFFF),
        ("mul.lo.s32 %r10, %r1, %r2;", (65537, 65537), 65537 * 65537 % 2**32),
        ("mul.hi.u32 %r10, %r1, %r2;", (0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFE),
        ("mul.hi.s32 %r10, %r1, %r2;", (-2, 3), 0xFFFFFFFF),
        ("mad.lo.s32 %r10, %r1, %r2, %r3;", (-3, 5, 7), -8 % 2**32),
        ("div.s32 %r10, %r1, %r2;", (-7, 2), -3 % 2**32),
        ("rem.s32 %r10, %r1, %r2;", (-7, 2), -1 % 2**32),
        ("div.u32 %r10, %r1, %r2;", (0xFFFFFFFE, 2), 0x7FFFFFFF),
        ("min.s32 %r10, %r1, %r2;", (-1, 1), 0xFFFFFFFF),
        ("min.u32 %r10, %r1, %r2;", (-1, 1), 1),
        ("max.s32 %r10, %r1, -5;", (-9,), -5 % 2**32),
        ("neg.s32 %r10, %r1;", (5,), -5 % 2**32),
        ("abs.s32 %r10, %r1;", (-5,), 5),
        ("not.b32 %r10, %r1;", (0,), 0xFFFFFFFF),
        ("and.b32 %r10, %r1, 0xFF0;", (0xABC,), 0xAB0),
        ("xor.b32 %r10, %r1, %r2;", (6, 3), 5),
        ("shl.b32 %r10, %r1, %r2;", (1, 31), 0x80000000),
        ("shl.b32 %r10, %r1, %r2;", (1, 32), 0),
        ("shr.s32 %r10, %r1, %r2;", (-8, 40), 0xFFFFFFFF),
        ("shr.u32 %r10, %r1, 4;", (-1,), 0x0FFFFFFF),
        ("shf.l.wrap.b32 %r10, %r1, %r2, 8;", (0xAABBCCDD, 0x11223344), 0x223344AA),
        ("shf.r.clamp.b32 %r10, %r1, %r2, 8;", (0xAABBCCDD, 0x11223344), 0x44AABBCC),
        ("bfe.u32 %r10, %r1, 8, 4;", (0xABCD,), 0xB),
        ("bfe.s32 %r10, %r1, 8, 4;", (0xABCD,), -5 % 2**32),
        ("bfi.b32 %r10, %r1, %r2, 4, 8;", (0xFF, 0x12345678), 0x12345FF8),
        ("popc.b32 %r10, %r1;", (0xF0F0,), 8),
        ("clz.b32 %r10, %r1;", (0x00010000,), 15),
        ("clz.b32 %r10, %r1;", (0,), 32),
        ("brev.b32 %r10, %r1;", (1,), 0x80000000),
        ("lop3.b32 %r10, %r1, %r2, %r3, 0x96;", (0xF0, 0xCC, 0xAA), 0xF0 ^ 0xCC ^ 0xAA),
        ("lop3.b32 %r10, %r1, %r2, %r3, 0xE8;", (0xF0, 0xCC, 0xAA), 0xE8),
        ("prmt.b32 %r10, %r1, %r2, 0x5410;", (0x33221100, 0x77665544), 0x55441100),
        ("prmt.b32 %r10, %r1, %r2, 0x888B;", (0x80000000, 0), 0x000000FF),
        ("dp4a.s32.s32 %r10, %r1, %r2, %r3;", (0x80808080, 0x80808080, 5), 4 * 16384 + 5),
        ("dp4a.u32.s32 %r10, %r1, %r2, %r3;", (0x000000FF, 0x000000FF, 0), -255 % 2**32),
        ("cvt.s32.s8 %r10, %r1;", (0x80,), -128 % 2**32),
        ("cvt.sat.s8.s32 %r10, %r1;", (300,), 127),
        ("setp.lt.s32 %p1, %r1, %r2; selp.b32 %r10, 7, 8, %p1;", (-1, 1), 7),
        ("setp.lo.u32 %p1, %r1, %r2; selp.b32 %r10, 7, 8, %p1;", (-1, 1), 8),
        ("setp.eq.s32 %p2, %r1, 1; setp.eq.and.s32 %p1|%p3, %r2, 2, %p2; selp.b32 %r10, 1, 2, %p1;", (1, 2), 1),
        ("setp.eq.s32 %p1, %r1, 9; mov.u32 %r10, 5; @!%p1 mov.u32 %r10, 6;", (1,), 6),
    ]

    def test_known_answers(self):
        for body, values, want in self.CASES:
            with self.subTest(body=body):
                self.assertEqual(one(body, *values), want)

    def test_64_bits(self):
        cases = [("mul.wide.s32 %rd10, %r1, %r2;", (-2, 3), -6), ("mul.wide.u32 %rd10, %r1, %r2;", (-1, 2), 2 * (2**32 - 1)),
                 ("add.s64 %rd10, %rd11, 1;", (0xFFFFFFFF, 0), 2**32), ("cvt.s64.s32 %rd10, %r1;", (-1,), -1),
                 ("cvt.u64.u32 %rd10, %r1;", (-1,), 2**32 - 1), ("shr.s64 %rd10, %rd11, 63;", (0, -1), -1),
                 ("mul.hi.u64 %rd10, %rd11, %rd12;", (0, 1, 0, 5), 5), ("mul.lo.s64 %rd10, %rd11, %rd12;", (3, 0, -1, -1), -3)]
        for body, values, want in cases:
            with self.subTest(body=body):
                got = run_snippet(body, bits(values), "rd")[0]
                self.assertEqual(int(got[0]) | int(got[1]) << 32, want % 2**64)

    def test_division_by_zero_is_reported(self):
        with self.assertRaisesRegex(PtxError, "by zero"):
            one("div.s32 %r10, %r1, %r2;", 1, 0)

    def test_packing(self):
        self.assertEqual(one("mov.b32 {%rs1, %rs2}, %r1; mov.b32 %r10, {%rs2, %rs1};", 0x11112222), 0x22221111)


class FloatTest(unittest.TestCase):
    def test_single_rounding(self):
        rng = np.random.default_rng(1)
        rows = rng.integers(0, 2**32, (400, 3), np.uint32).view(F32)
        rows[:100] = rng.normal(0, 1, (100, 3))
        with np.errstate(over="ignore"):
            rows[80:100, 2] = -(rows[80:100, 0] * rows[80:100, 1])  # cancellation
        rows[60:80] *= F32(1e-38)  # denormal results
        rows = rows[np.isfinite(rows).all(axis=1) & (np.abs(rows) < 1e15).all(axis=1)]
        for name, exact in (("fma", lambda a, b, c: a * b + c), ("add", lambda a, b, c: a + b),
                            ("mul", lambda a, b, c: a * b), ("div", lambda a, b, c: a / b if b else None)):
            operands = ", ".join(f"%f{i}" for i in (1, 2, 3)[:3 if name == "fma" else 2])
            for chunk in np.array_split(rows, 4):
                got = run_snippet(f"{name}.rn.f32 %f10, {operands};", chunk.view(np.uint32), "f")[:, 0]
                for row, value in zip(chunk, got.view(F32)):
                    want = exact(*(fractions.Fraction(float(v)) for v in row))
                    if want is not None and want != 0 and abs(want) < 1e38:
                        self.assertEqual(value, exactly_rounded(want, F32), (name, row))

    def test_sqrt(self):
        for value in (2.0, 3.0, 1e-40, 7.5):
            self.assertEqual(single("sqrt.rn.f32 %f10, %f1;", value), F32(np.sqrt(np.float64(F32(value)))))

    def test_double(self):
        rng = np.random.default_rng(2)
        rows = rng.normal(0, 1, (64, 2))
        for name, exact in (("add", lambda a, b: a + b), ("mul", lambda a, b: a * b), ("div", lambda a, b: a / b)):
            got = run_snippet(f"{name}.rn.f64 %fd10, %fd1, %fd2;", rows.view(np.uint32), "fd")[:, :2]
            for row, value in zip(rows, np.ascontiguousarray(got).view(np.float64)[:, 0]):
                self.assertEqual(value, exactly_rounded(exact(*map(fractions.Fraction, row)), np.float64))
        a, b = rows[:, 0], rows[:, 1]
        for x, y, got in zip(a, b, floats.fma(a, b, -a)):
            want = fractions.Fraction(x) * fractions.Fraction(y) - fractions.Fraction(x)
            self.assertEqual(got, exactly_rounded(want, np.float64))

    def test_minimum_and_maximum(self):
        nan = float("nan")
        self.assertEqual(single("min.f32 %f10, %f1, %f2;", nan, 2.0), 2.0)
        self.assertEqual(one("max.f32 %f10, %f1, %f2;", nan, nan, result="f"), 0x7FFFFFFF)
        self.assertEqual(one("min.f32 %f10, %f1, %f2;", 0.0, -0.0, result="f"), 0x80000000)
        self.assertEqual(one("max.f32 %f10, %f1, %f2;", -0.0, 0.0, result="f"), 0)

    def test_comparisons_with_nan(self):
        nan = float("nan")
        for name, want in (("lt", 0), ("ltu", 1), ("ne", 0), ("neu", 1), ("eq", 0), ("nan", 1), ("num", 0), ("gtu", 1)):
            with self.subTest(name=name):
                self.assertEqual(one(f"setp.{name}.f32 %p1, %f1, %f2;", nan, 1.0, result="p"), want)
        self.assertEqual(one("setp.geu.f32 %p1, %f1, %f2;", 0.5, 1.0, result="p"), 0)

    def test_fusable_and_approximate_instructions_are_refused(self):
        for body in ("mul.f32 %f10, %f1, %f2;", "add.ftz.f32 %f10, %f1, %f2;", "rcp.approx.f32 %f10, %f1;",
                     "ex2.approx.f32 %f10, %f1;", "div.full.f32 %f10, %f1, %f2;"):
            with self.subTest(body=body), self.assertRaisesRegex(PtxError, body.split()[0] + ".*not supported"):
                single(body, 1.0, 2.0)


class ConversionTest(unittest.TestCase):
    CASES = [
        ("cvt.rni.s32.f32 %r10, %f1;", 2.5, 2), ("cvt.rni.s32.f32 %r10, %f1;", 3.5, 4),
        ("cvt.rzi.s32.f32 %r10, %f1;", -2.7, -2), ("cvt.rmi.s32.f32 %r10, %f1;", -2.5, -3),
        ("cvt.rni.sat.s8.f32 %r10, %f1;", 200.0, 127), ("cvt.rni.sat.s8.f32 %r10, %f1;", -200.0, -128),
        ("cvt.rni.s32.f32 %r10, %f1;", 3e9, 2**31 - 1), ("cvt.rni.s32.f32 %r10, %f1;", float("nan"), 0),
        ("cvt.rzi.u32.f32 %r10, %f1;", -1.0, 0), ("cvt.rzi.u32.f32 %r10, %f1;", 4294967040.0, 4294967040),
    ]

    def test_floats_to_integers(self):
        for body, value, want in self.CASES:
            with self.subTest(body=body, value=value):
                self.assertEqual(one(body, value), want % 2**32)

    def test_integers_to_floats(self):
        self.assertEqual(single("cvt.rn.f32.s32 %f10, %r1;", 16777217), F32(16777216))
        self.assertEqual(single("cvt.rn.f32.s32 %f10, %r1;", -16777219), F32(-16777220))
        self.assertEqual(single("cvt.rn.f32.u32 %f10, %r1;", -1), F32(4294967296.0))

    def test_halves(self):
        for value, want in ((1.0, 0x3C00), (65520.0, 0x7C00), (65519.0, 0x7BFF), (6e-8, 1), (float("nan"), 0x7FFF),
                            (1.00048828125, 0x3C00), (1.00146484375, 0x3C02)):
            self.assertEqual(one("cvt.rn.f16.f32 %rs10, %f1;", value, result="rs"), want)
        self.assertEqual(single("mov.b32 {%rs1, %rs2}, %r1; cvt.f32.f16 %f10, %rs1;", 0xC500), F32(-5))
        self.assertEqual(one("cvt.rn.f16x2.f32 %r10, %f1, %f2;", 1.0, 2.0), 0x3C004000)

    def test_bfloat16(self):
        for value, want in ((1.0, 0x3F80), (1.00390625, 0x3F80), (1.01171875, 0x3F82), (float("nan"), 0x7FFF),
                            (3.4e38, 0x7F80)):
            self.assertEqual(one("cvt.rn.bf16.f32 %rs10, %f1;", value, result="rs"), want)

    def test_doubles(self):
        self.assertEqual(single("cvt.f64.f32 %fd3, %f1; mul.rn.f64 %fd3, %fd3, %fd3; cvt.rn.f32.f64 %f10, %fd3;", 1.1),
                         F32(np.float64(F32(1.1)) ** 2))

    def test_rounding_to_integral_values(self):
        self.assertEqual(single("cvt.rni.f32.f32 %f10, %f1;", 2.5), 2.0)
        self.assertEqual(one("cvt.rni.f32.f32 %f10, %f1;", -0.3, result="f"), 0x80000000)


if __name__ == "__main__":
    unittest.main()
