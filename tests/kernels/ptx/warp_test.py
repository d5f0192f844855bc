"""Shuffles, votes, fragments, control flow and traffic counts against known answers."""

import unittest

import numpy as np
from ptx import GlobalMemory, Machine, fragments
from ptx.snippet import run_snippet

LANE = np.arange(32, dtype=np.uint32)


def lanes(body, result="r", values=LANE, **options):
    return run_snippet(body, values, result, **options)[:, 0]


class WarpTest(unittest.TestCase):
    def test_shuffles(self):
        cases = [("bfly.b32 %r10, %r1, 3, 31, -1", LANE ^ 3), ("idx.b32 %r10, %r1, 5, 31, -1", np.full(32, 5)),
                 ("down.b32 %r10, %r1, 4, 31, -1", np.where(LANE < 28, LANE + 4, LANE)),
                 ("up.b32 %r10, %r1, 4, 0, -1", np.where(LANE >= 4, LANE - 4, LANE)),
                 ("bfly.b32 %r10, %r1, 1, 0x181F, -1", LANE ^ 1),
                 ("down.b32 %r10, %r1, 1, 0x181F, -1", np.where(LANE % 8 < 7, LANE + 1, LANE))]
        for body, want in cases:
            with self.subTest(body=body):
                np.testing.assert_array_equal(lanes(f"shfl.sync.{body};"), want)

    def test_the_predicate_of_a_shuffle(self):
        got = lanes("shfl.sync.down.b32 %r11|%p1, %r1, 4, 31, -1;", "p")
        np.testing.assert_array_equal(got, LANE < 28)

    def test_votes_and_reductions(self):
        odd = "and.b32 %r5, %r1, 1; setp.eq.s32 %p2, %r5, 1;"
        self.assertEqual(set(lanes(odd + "vote.sync.ballot.b32 %r10, %p2, -1;")), {0xAAAAAAAA})
        self.assertEqual(set(lanes(odd + "vote.sync.any.pred %p1, %p2, -1;", "p")), {1})
        self.assertEqual(set(lanes(odd + "vote.sync.all.pred %p1, %p2, -1;", "p")), {0})
        self.assertEqual(set(lanes("redux.sync.add.s32 %r10, %r1, -1;")), {496})
        self.assertEqual(set(lanes("redux.sync.max.u32 %r10, %r1, -1;")), {31})

    def test_diverged_loops_meet_again(self):
        # Lane l goes round l + 1 times, then the warp shuffles together.
        body = """mov.u32 %r5, 0;
            $loop:
            add.u32 %r5, %r5, 1;
            setp.le.u32 %p2, %r5, %r1;
            @%p2 bra $loop;
            shfl.sync.bfly.b32 %r10, %r5, 31, 31, -1;"""
        np.testing.assert_array_equal(lanes(body), 32 - LANE)

    def test_a_block_with_a_part_of_a_warp(self):
        body = "activemask.b32 %r10;"
        self.assertEqual(set(lanes(body, values=LANE[:20])), {(1 << 20) - 1})

    def test_generic_addresses(self):
        body = """mov.u64 %rd5, buffer; cvta.shared.u64 %rd6, %rd5; shl.b32 %r5, %r0, 2; cvt.u64.u32 %rd7, %r5;
            add.s64 %rd6, %rd6, %rd7; st.u32 [%rd6], %r1; cvta.to.shared.u64 %rd8, %rd6; ld.shared.u32 %r10, [%rd8];"""
        np.testing.assert_array_equal(lanes(body), LANE)
        stack = "mov.u64 %rd5, stack; cvta.local.u64 %rd6, %rd5; st.local.u32 [%rd5+4], %r1; ld.u32 %r10, [%rd6+4];"
        np.testing.assert_array_equal(lanes(stack), LANE)

    def test_32_bit_addresses_wrap_around(self):
        body = "mov.u32 %r20, buffer; st.shared.u32 [%r20+64], %r0; sub.u32 %r21, 0, 64; ld.shared.u32 %r10, [%r21+128];"
        np.testing.assert_array_equal(lanes(body, values=LANE[:1]), [0])

    def test_special_registers(self):
        body = "mov.u32 %r5, %ctaid.x; mov.u32 %r6, %ntid.x; mad.lo.s32 %r10, %r5, %r6, %r0;"
        got = run_snippet(body + "mul.wide.u32 %rd5, %r5, 512; add.s64 %rd2, %rd2, %rd5;", LANE, "r", blocks=3)[:, 0]
        np.testing.assert_array_equal(got, np.arange(96))


class TensorCoreTest(unittest.TestCase):
    def test_mma_is_a_matrix_product(self):
        rng = np.random.default_rng(3)
        a = rng.integers(-128, 128, (16, 32)).astype(np.int8)
        b = rng.integers(-128, 128, (32, 8)).astype(np.int8)
        for saturating in ("", ".satfinite"):
            got = self._product(a, b, saturating)
            np.testing.assert_array_equal(got, a.astype(np.int32) @ b.astype(np.int32) + 7)

    @staticmethod
    def _product(a, b, saturating):
        """One warp loads its fragments from shared memory by ldmatrix, A and B^T as rows of 16 bytes."""
        body = f"""mov.u32 %r20, dynamic; shl.b32 %r21, %r0, 4; add.u32 %r22, %r20, %r21;
            st.shared.v4.u32 [%r22], {{%r1, %r2, %r3, %r4}};
            ld.global.v4.u32 {{%r5, %r6, %r7, %r8}}, [%rd1+512];
            st.shared.v4.u32 [%r22+512], {{%r5, %r6, %r7, %r8}};
            bar.sync 0;
            ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{%r30, %r31, %r32, %r33}}, [%r22];
            and.b32 %r23, %r21, 255; add.u32 %r24, %r20, %r23;
            ldmatrix.sync.aligned.m8n8.x2.shared.b16 {{%r34, %r35}}, [%r24+512];
            mov.u32 %r9, 7;
            mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32{saturating} {{%r10, %r11, %r12, %r13}},
                {{%r30, %r31, %r32, %r33}}, {{%r34, %r35}}, {{%r9, %r9, %r9, %r9}};
            st.global.v4.u32 [%rd2], {{%r10, %r11, %r12, %r13}};"""
        # Rows of the four 8x16-byte matrices of A, then the two of B^T, then padding.
        tiles = [a[r:r + 8, c:c + 16] for c in (0, 16) for r in (0, 8)] + [b.T[:, :16], b.T[:, 16:]]
        raw = np.zeros((64, 16), np.int8)
        raw[:48] = np.concatenate([np.ascontiguousarray(t) for t in tiles])
        inputs = raw.view(np.uint32)
        registers = run_snippet(body, inputs, "", threads=32, dynamic_shared_bytes=1024).view(np.int32)
        c = np.zeros((16, 8), np.int32)
        rows, columns = fragments.mma_c()
        c[rows, columns] = registers
        return c

    def test_saturation(self):
        body = """mov.u32 %r5, 0x7F7F7F7F; mov.u32 %r6, 0x7FFFFFFF;
            mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32{} {{%r10, %r11, %r12, %r13}}, {{%r5, %r5, %r5, %r5}},
                {{%r5, %r5}}, {{%r6, %r6, %r6, %r6}};"""
        self.assertEqual(set(lanes(body.format(".satfinite"))), {0x7FFFFFFF})
        self.assertEqual(set(lanes(body.format(""))), {(0x7FFFFFFF + 32 * 127 * 127) % 2**32})


class TrafficTest(unittest.TestCase):
    def counts(self, body, kind):
        machine = Machine(GlobalMemory(1 << 16), count_traffic=True)
        run_snippet(body, LANE, "", machine=machine)
        count = machine.counts[kind]
        return count.requests, count.taken, count.ideal

    def test_bank_conflicts(self):
        address = "mov.u32 %r20, dynamic; mul.lo.u32 %r21, %r0, {}; add.u32 %r22, %r20, %r21; st.shared.{} [%r22], {};"
        for stride, kind, source, want in ((4, "u32", "%r1", 1), (8, "u32", "%r1", 2), (128, "u32", "%r1", 32),
                                           (16, "v4.u32", "{%r1, %r2, %r3, %r4}", 4), (8, "v2.u32", "{%r1, %r2}", 2)):
            machine = Machine(GlobalMemory(1 << 16), count_traffic=True)
            run_snippet(address.format(stride, kind, source), LANE, "", machine=machine, dynamic_shared_bytes=8192)
            self.assertEqual(machine.counts["shared store"].taken, want, (stride, kind))

    def test_a_broadcast_is_one_wavefront(self):
        body = "mov.u32 %r20, buffer; ld.shared.u32 %r11, [%r20];"
        self.assertEqual(self.counts(body, "shared load"), (1, 1, 1))

    def test_sectors(self):
        # The snippet's own load: 32 lanes of 16 bytes in a row, 16 sectors.
        self.assertEqual(self.counts("", "global load"), (1, 16, 16))
        # 4 of every 16 bytes: 16 sectors for 128 bytes.
        self.assertEqual(self.counts("st.global.u32 [%rd2], %r1;", "global store"), (1, 16, 4))


if __name__ == "__main__":
    unittest.main()
