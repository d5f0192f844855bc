"""Runs a few PTX instructions on one block, for the tests of the interpreter."""

from __future__ import annotations

import numpy as np

from .machine import Machine
from .memory import GlobalMemory
from .parser import parse

Array = np.ndarray

_TEMPLATE = """
.version 9.0
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 dynamic[];
.visible .entry snippet(
  .param .u64 inputs, .param .u64 outputs, .param .u32 count
)
.maxntid 128, 1, 1
{{
  .reg .pred %p<8>;
  .reg .b16 %rs<16>;
  .reg .b32 %r<40>;
  .reg .f32 %f<16>;
  .reg .b64 %rd<24>;
  .reg .f64 %fd<16>;
  .shared .align 16 .b8 buffer[1024];
  .local .align 16 .b8 stack[64];
  ld.param.u64 %rd1, [inputs];
  ld.param.u64 %rd2, [outputs];
  mov.u32 %r0, %tid.x;
  mul.wide.u32 %rd3, %r0, 16;
  add.s64 %rd1, %rd1, %rd3;
  add.s64 %rd2, %rd2, %rd3;
  ld.global.v4.u32 {{%r1, %r2, %r3, %r4}}, [%rd1];
  mov.b32 %f1, %r1;
  mov.b32 %f2, %r2;
  mov.b32 %f3, %r3;
  mov.b64 %rd11, {{%r1, %r2}};
  mov.b64 %rd12, {{%r3, %r4}};
  mov.b64 %fd1, %rd11;
  mov.b64 %fd2, %rd12;
{body}
  ret;
}}
"""
_STORE = {"r": "st.global.u32 [%rd2], %r10;", "f": "st.global.f32 [%rd2], %f10;", "rd": "st.global.u64 [%rd2], %rd10;",
          "fd": "st.global.f64 [%rd2], %fd10;", "rs": "st.global.u16 [%rd2], %rs10;",
          "p": "selp.u32 %r10, 1, 0, %p1; st.global.u32 [%rd2], %r10;", "": ""}


def run_snippet(body: str, inputs: Array, result: str, threads: int | None = None, *, blocks: int = 1,
                dynamic_shared_bytes: int = 0, machine: Machine | None = None) -> Array:
    """Runs `body` in one thread for each row of uint32 `inputs`[threads, 1..4], which it finds in %r1..%r4
    (also %f1..3, %rd11, %rd12, %fd1, %fd2), and returns what it left in register 10 of the `result` kind,
    16 bytes for each thread."""
    inputs = np.ascontiguousarray(inputs, np.uint32)
    inputs = inputs.reshape(inputs.shape[0], -1)
    padded = np.zeros((inputs.shape[0], 4), np.uint32)
    padded[:, :inputs.shape[1]] = inputs
    threads = threads or inputs.shape[0]
    kernel = parse(_TEMPLATE.format(body=body + "\n" + _STORE[result])).kernels["snippet"]
    machine = machine or Machine(GlobalMemory(1 << 16))
    source = machine.memory.place(padded)
    target = machine.memory.place(np.zeros((threads * blocks, 4), np.uint32), writable=True)
    arguments = [source.to_bytes(8, "little"), target.to_bytes(8, "little"), threads.to_bytes(4, "little")]
    machine.launch(kernel, (blocks, 1, 1), (threads, 1, 1), arguments, dynamic_shared_bytes)
    return machine.memory.read_back(target, 16 * threads * blocks).view(np.uint32).reshape(-1, 4)
