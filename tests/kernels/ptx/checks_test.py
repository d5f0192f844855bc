"""Every error that the interpreter can report, planted in a snippet that it must catch, and beside it
the same work done right."""

import unittest

import numpy as np
from ptx import GlobalMemory, Machine, PtxError, parse
from ptx.snippet import run_snippet

LANES = np.arange(64, dtype=np.uint32)
STORE = "mov.u32 %r20, buffer; shl.b32 %r21, %r0, 2; add.u32 %r22, %r20, %r21; st.shared.u32 [%r22], %r1;"
NEIGHBOUR = "xor.b32 %r23, %r21, 128; add.u32 %r24, %r20, %r23; ld.shared.u32 %r10, [%r24];"  # of another warp
COPY = "mov.u32 %r20, buffer; shl.b32 %r21, %r0, 4; add.u32 %r22, %r20, %r21; cp.async.cg.shared.global [%r22], [%rd1], 16;"


class ChecksTest(unittest.TestCase):
    def run_body(self, body, result="r", threads=64, **options):
        return run_snippet(body, LANES[:threads, None], result, **options)

    def assert_reports(self, message, body, **options):
        with self.assertRaisesRegex(PtxError, message):
            self.run_body(body, **options)

    def test_an_unknown_instruction_is_named(self):
        self.assert_reports(r"tanh\.approx\.f32 .*unknown instruction", "tanh.approx.f32 %f10, %f1;")
        self.assert_reports(r"mma\.sync\.aligned\.m16n8k16.*not supported",
                            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1,%f2,%f3,%f4},{%r1,%r2,%r3,%r4},{%r1,%r2},{%f1,%f2,%f3,%f4};")
        self.run_body("mov.u32 %r10, 1; bra $end; tanh.approx.f32 %f10, %f1;\n$end:\n")  # never executed

    def test_atomics_are_refused(self):
        self.assert_reports("order is not defined", "atom.global.add.u32 %r10, [%rd2], 1;")

    def test_out_of_bounds(self):
        self.assert_reports("out of bounds: global", "ld.global.u32 %r10, [%rd1+1024];")
        self.assert_reports("out of bounds: global", "ld.global.u32 %r10, [%rd1+-16];")
        self.assert_reports("read-only", "st.global.u32 [%rd1], %r1;", result="")
        self.assert_reports("out of bounds: shared", "mov.u32 %r20, buffer; ld.shared.u32 %r10, [%r20+4096];")
        self.assert_reports("out of bounds: local", "mov.u64 %rd5, stack; st.local.u32 [%rd5+64], %r1;", result="")
        self.assert_reports("out of bounds: param", "ld.param.u32 %r10, [count+8];")

    def test_misaligned(self):
        self.assert_reports("misaligned", "ld.global.u32 %r10, [%rd1+2];")
        self.assert_reports("misaligned", "ld.global.v4.u32 {%r10, %r11, %r12, %r13}, [%rd1+4];")
        self.assert_reports("misaligned", "mov.u32 %r20, buffer; st.shared.u32 [%r20+1], %r1;")

    def test_uninitialised_shared_memory(self):
        self.assert_reports("undefined: stores", "mov.u32 %r20, buffer; ld.shared.u32 %r10, [%r20];")
        self.assert_reports("undefined: the predicate",
                            "mov.u32 %r20, buffer; ld.shared.u32 %r11, [%r20]; setp.eq.s32 %p2, %r11, 0; @%p2 mov.u32 %r10, 1;")
        # What is read and not used does no harm.
        self.run_body("mov.u32 %r20, buffer; ld.shared.u32 %r11, [%r20]; add.u32 %r12, %r11, 1; mov.u32 %r10, 3;")

    def test_uninitialised_registers(self):
        self.assert_reports("undefined: stores", "add.u32 %r10, %r11, 1;")
        self.assert_reports("undefined: %rd7", "ld.global.u32 %r10, [%rd7];")
        self.assert_reports("undefined", "setp.lt.u32 %p2, %r0, 5; @%p2 mov.u32 %r10, 1;")
        self.run_body("setp.lt.u32 %p2, %r0, 5; @%p2 mov.u32 %r11, 1; selp.b32 %r10, %r11, %r1, %p2;")

    def test_undefined_values_pass_through_shuffles_and_shared_memory(self):
        self.assert_reports("undefined: stores", "shfl.sync.bfly.b32 %r10, %r11, 1, 31, -1;")
        self.assert_reports("undefined: stores", "mov.u32 %r20, buffer; st.shared.u32 [%r20], %r11; bar.sync 0; ld.shared.u32 %r10, [%r20];",
                            threads=1)

    def test_outputs_that_nobody_wrote(self):
        memory = GlobalMemory(1 << 14)
        address = memory.place(None, 64, writable=True)
        with self.assertRaisesRegex(PtxError, "64 of 64 bytes were never written"):
            memory.read_back(address, 64)

    def test_shared_races(self):
        self.assert_reports("race: reads shared memory that another thread wrote", STORE + NEIGHBOUR)
        self.run_body(STORE + "bar.sync 0;" + NEIGHBOUR)
        # The next round's write against this round's read.
        self.assert_reports("race: writes shared memory that another thread read",
                            STORE + "bar.sync 0;" + NEIGHBOUR + "st.shared.u32 [%r22], %r2;")
        self.run_body(STORE + "bar.sync 0;" + NEIGHBOUR + "bar.sync 0; st.shared.u32 [%r22], %r2;")
        self.assert_reports("race: two threads write", "mov.u32 %r20, buffer; st.shared.u32 [%r20], %r0;", result="")

    def test_a_warp_barrier_orders_a_warp_only(self):
        own_warp = NEIGHBOUR.replace("128", "4")
        self.assert_reports("race", STORE + own_warp)
        self.run_body(STORE + "bar.warp.sync -1;" + own_warp)
        self.assert_reports("race", STORE + "bar.warp.sync -1;" + NEIGHBOUR)
        again = "bar.warp.sync -1;" + STORE
        self.run_body(STORE + "bar.warp.sync -1;" + own_warp + again)
        self.assert_reports("race: writes", STORE + "bar.warp.sync -1;" + own_warp + STORE)

    def test_blocks_race(self):
        body = "mul.wide.u32 %rd5, %r0, 16; sub.s64 %rd2, %rd2, %rd5; mov.u32 %r10, %ctaid.x;"
        self.assert_reports("race: writes global memory that another block", body, threads=1, blocks=2)
        read = "mov.u32 %r9, %ctaid.x; setp.eq.s32 %p2, %r9, 0; @%p2 st.global.u32 [%rd2+16], %r0; ld.global.u32 %r10, [%rd2+16];"
        self.assert_reports("race: reads global memory that another block", read, threads=1, blocks=2, result="")

    def test_threads_that_store_different_values_to_one_place(self):
        self.assert_reports("different values", "mul.wide.u32 %rd5, %r0, 16; sub.s64 %rd2, %rd2, %rd5; st.global.u32 [%rd2], %r0;",
                            result="")

    def test_non_coherent_loads_of_written_memory(self):
        self.assert_reports("non-coherent", "st.global.u32 [%rd2], %r0; ld.global.nc.u32 %r10, [%rd2];")

    def test_unconverged_warp_operations(self):
        branch = "setp.lt.u32 %p2, %r0, 16; @%p2 bra $skip; {op}\n$skip:\n mov.u32 %r10, 0;"
        shuffle = "shfl.sync.bfly.b32 %r11, %r1, 1, 31, -1;"
        self.assert_reports("unconverged: lanes 0xffff0000 .* want 0xffffffff", branch.format(op=shuffle))
        self.run_body(branch.format(op=shuffle.replace("-1", "0xFFFF0000")).replace("%r0, 16", "%laneid, 16"))
        self.assert_reports("unconverged", branch.format(op="bar.sync 0;"))
        self.assert_reports("unconverged", branch.format(op="bar.warp.sync -1;"))
        self.assert_reports("unconverged", shuffle + "mov.u32 %r10, 0;", threads=24)

    def test_barriers_that_part_of_a_block_misses(self):
        body = "setp.lt.u32 %p2, %r0, 32; @%p2 bra $other; bar.sync 0; bra $end;\n$other:\n bar.sync 0;\n$end:\n mov.u32 %r10, 0;"
        self.assert_reports("different barriers", body)

    def test_asynchronous_copies(self):
        read = "ld.shared.u32 %r10, [%r22];"
        commit = "cp.async.commit_group;"
        self.assert_reports("asynchronous copy is writing", COPY + commit + read)
        self.assert_reports("asynchronous copy is writing", COPY + commit + "cp.async.wait_group 1;" + read)
        self.assert_reports("asynchronous copy is writing", COPY + "cp.async.wait_group 0;" + read)  # not committed
        self.run_body(COPY + commit + "cp.async.wait_group 0;" + read)
        self.run_body(COPY + "cp.async.wait_all;" + read)
        other = "xor.b32 %r23, %r22, 512; ld.shared.u32 %r10, [%r23];"
        self.assert_reports("race: reads", COPY + commit + "cp.async.wait_group 0;" + other)
        self.run_body(COPY + commit + "cp.async.wait_group 0; bar.sync 0;" + other)
        self.assert_reports("copies in flight", COPY + commit + "mov.u32 %r10, 0;")
        self.assert_reports("out of bounds: shared", COPY.replace("4;", "5;", 1) + commit)

    def test_copies_that_are_cut_off_fill_with_zeros_and_read_nothing(self):
        body = COPY.replace("[%rd1], 16;", "[%rd5], 16, %r5;") + "cp.async.wait_all; ld.shared.u32 %r10, [%r22];"
        got = self.run_body("mov.u64 %rd5, 0; mov.u32 %r5, 0;" + body)
        self.assertFalse(got[:, 0].any())
        self.assert_reports("out of bounds: global", "mov.u64 %rd5, 0; mov.u32 %r5, 16;" + body)

    def test_kernels_that_do_not_end(self):
        memory = GlobalMemory(1 << 16)
        self.assert_reports("does not end", "$again:\n bra $again;", machine=Machine(memory, max_steps=1000), result="")

    def test_limits_of_a_launch(self):
        self.assert_reports("129 threads a block, want 1..128", "", threads=64, result="", machine=_WithThreads(129))
        self.assert_reports("bytes of shared memory", "", result="", dynamic_shared_bytes=48 << 10)
        kernel = parse(".version 9.0\n.entry k(.param .u64 a) { ret; }").kernels["k"]
        with self.assertRaisesRegex(PtxError, r"arguments of \[4\] bytes, want \[8\]"):
            Machine(GlobalMemory(4096)).launch(kernel, (1, 1, 1), (32, 1, 1), [b"1234"])


class _WithThreads(Machine):
    """A machine whose launches have another number of threads."""

    def __init__(self, threads):
        super().__init__(GlobalMemory(1 << 16))
        self._threads = threads

    def launch(self, kernel, grid, block, arguments, dynamic_shared_bytes=0, shared_limit_bytes=48 << 10):
        super().launch(kernel, grid, (self._threads, 1, 1), arguments, dynamic_shared_bytes, shared_limit_bytes)


if __name__ == "__main__":
    unittest.main()
