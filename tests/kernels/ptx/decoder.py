"""Which function decodes which instruction."""

from __future__ import annotations

from collections.abc import Callable

from . import arithmetic, conversion, movement, warp
from .errors import PtxError
from .operands import Operation
from .parser import Instruction, Kernel

_DECODERS: dict[str, Callable[[Kernel, Instruction], Operation]] = {
    **dict.fromkeys(("add", "sub", "mul"), arithmetic.decode_binary),
    **dict.fromkeys(("div", "rem", "rcp"), arithmetic.decode_division),
    **dict.fromkeys(("min", "max"), arithmetic.decode_extremum),
    **dict.fromkeys(("neg", "abs", "not", "popc", "clz", "brev"), arithmetic.decode_unary),
    **dict.fromkeys(("and", "or", "xor"), arithmetic.decode_logic),
    **dict.fromkeys(("shl", "shr"), arithmetic.decode_shift),
    **dict.fromkeys(("bfe", "bfi"), arithmetic.decode_bit_field),
    **dict.fromkeys(("bar", "barrier"), warp.decode_bar),
    **dict.fromkeys(("ret", "exit"), warp.decode_end),
    **dict.fromkeys(("membar", "fence"), warp.decode_nothing),
    **dict.fromkeys(("atom", "red"), movement.decode_atom),
    "mad": arithmetic.decode_mad,
    "fma": arithmetic.decode_fma,
    "sqrt": arithmetic.decode_sqrt,
    "lop3": arithmetic.decode_lop3,
    "shf": arithmetic.decode_funnel_shift,
    "prmt": arithmetic.decode_prmt,
    "setp": arithmetic.decode_setp,
    "selp": arithmetic.decode_selp,
    "mov": arithmetic.decode_mov,
    "dp4a": arithmetic.decode_dp4a,
    "cvt": conversion.decode_cvt,
    "cvta": conversion.decode_cvta,
    "ld": movement.decode_ld,
    "st": movement.decode_st,
    "cp": movement.decode_cp_async,
    "bra": warp.decode_bra,
    "vote": warp.decode_vote,
    "activemask": warp.decode_activemask,
    "shfl": warp.decode_shfl,
    "ldmatrix": warp.decode_ldmatrix,
    "mma": warp.decode_mma,
    "redux": warp.decode_redux,
}


def decode(kernel: Kernel, instruction: Instruction) -> Operation:
    """The operation of an instruction. One that is not supported raises when it is executed: a kernel
    may hold paths that its launch never takes."""
    name = instruction.parts[0]
    try:
        if name not in _DECODERS:
            raise PtxError("unknown instruction")
        return _DECODERS[name](kernel, instruction)
    except (PtxError, ValueError, KeyError, IndexError) as error:
        reason = str(error) or type(error).__name__

        def refuse(gang: object) -> None:
            raise PtxError(f"not supported: {reason}")

        return Operation(refuse)
