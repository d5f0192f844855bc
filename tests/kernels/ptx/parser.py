"""Reads PTX text: kernels with their parameters, registers, variables, labels and instructions."""

from __future__ import annotations

import dataclasses
import re

from .errors import PtxError

TYPE_BYTES = {"b8": 1, "u8": 1, "s8": 1, "b16": 2, "u16": 2, "s16": 2, "f16": 2, "bf16": 2, "b32": 4,
              "u32": 4, "s32": 4, "f32": 4, "b64": 8, "u64": 8, "s64": 8, "f64": 8, "pred": 1}
# Statements that say nothing about what is computed.
_IGNORED = (".loc", ".pragma")
_ENTRY = re.compile(r"(?:\.(?:visible|weak|extern)\s+)*\.entry\s+([\w$]+)\s*(?:\((.*?)\))?([^{;]*)\{", re.S)
_VARIABLE = re.compile(
    r"(?:\.(?:visible|extern|weak|common)\s+)*\.(shared|global|const|local)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+"
    r"([\w$]+)\s*((?:\[\d*\])*)\s*(?:=\s*(.*))?$", re.S)


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A kernel parameter and its place in the parameter buffer."""
    name: str
    offset: int
    size_bytes: int


@dataclasses.dataclass(frozen=True)
class Variable:
    """A variable of a state space. `size_bytes` is 0 for the launch's dynamic shared memory."""
    name: str
    space: str
    align: int
    size_bytes: int
    initial: bytes


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction; `guard` is the predicate register of @p, or empty."""
    opcode: str
    operands: tuple[str, ...]
    guard: str
    guard_negated: bool
    line: int

    @property
    def parts(self) -> list[str]:
        return self.opcode.split(".")

    def __str__(self) -> str:
        return f"line {self.line}: {self.opcode} {', '.join(self.operands)}"


@dataclasses.dataclass
class Kernel:
    """An entry function. `registers` maps a name to its type, `offsets` variables to addresses in
    their state space; dynamic shared memory follows the static one."""
    name: str
    parameters: list[Parameter]
    max_threads: int
    registers: dict[str, str] = dataclasses.field(default_factory=dict)
    variables: dict[str, Variable] = dataclasses.field(default_factory=dict)
    offsets: dict[str, int] = dataclasses.field(default_factory=dict)
    static_shared_bytes: int = 0
    local_bytes: int = 0
    instructions: list[Instruction] = dataclasses.field(default_factory=list)
    labels: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def parameter_bytes(self) -> int:
        return max((p.offset + p.size_bytes for p in self.parameters), default=0)


@dataclasses.dataclass
class Module:
    kernels: dict[str, Kernel]


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _without_comments(text: str) -> str:
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())
    return re.sub(r"//[^\n]*|/\*.*?\*/", blank, text, flags=re.S)


def _matching_brace(text: str, start: int) -> int:
    """The place after the brace that closes the one before `start`."""
    depth = 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[start], 0)
        start += 1
    return start


def _initial_bytes(text: str | None, element_bytes: int) -> bytes:
    if text is None:
        return b""
    values = [int(v, 0) for v in re.findall(r"-?\w+", text)]
    return b"".join((v % (1 << 8 * element_bytes)).to_bytes(element_bytes, "little") for v in values)


def _parse_variable(statement: str) -> Variable | None:
    match = _VARIABLE.match(statement)
    if not match:
        return None
    space, align, element, name, extents, initial = match.groups()
    size = TYPE_BYTES[element]
    for extent in re.findall(r"\[(\d*)\]", extents):
        size *= int(extent or 0)
    return Variable(name, space, int(align or TYPE_BYTES[element]), size, _initial_bytes(initial, TYPE_BYTES[element]))


def _parse_parameters(text: str) -> list[Parameter]:
    parameters: list[Parameter] = []
    end = 0
    for declaration in filter(None, (part.strip() for part in text.split(","))):
        match = re.match(r"\.param\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+(?:\.ptr\s+(?:\.\w+\s+)?(?:\.align\s+\d+\s+)?)?"
                         r"([\w$]+)(?:\[(\d+)\])?$", declaration)
        if not match:
            raise PtxError(f"unknown parameter: {declaration}")
        align, element, name, extent = match.groups()
        size = TYPE_BYTES[element] * int(extent or 1)
        offset = _round_up(end, int(align or TYPE_BYTES[element]))
        parameters.append(Parameter(name, offset, size))
        end = offset + size
    return parameters


def _declare_registers(kernel: Kernel, statement: str) -> None:
    kind, names = re.match(r"\.reg\s+\.(\w+)\s+(.*)", statement, re.S).groups()
    for name in (n.strip() for n in names.split(",")):
        ranged = re.match(r"(\S+)<(\d+)>", name)
        expanded = [f"{ranged[1]}{i}" for i in range(int(ranged[2]))] if ranged else [name]
        kernel.registers.update(dict.fromkeys(expanded, kind))


def _split_operands(text: str) -> tuple[str, ...]:
    operands, depth, current = [], 0, ""
    for char in text:
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            operands.append(current.strip())
            current = ""
        else:
            current += char
    return tuple(o for o in (*operands, current.strip()) if o)


def _parse_instruction(statement: str, line: int) -> Instruction:
    match = re.match(r"(?:@(!?)\s*(%?[\w$]+)\s+)?([\w.:]+)\s*(.*)$", " ".join(statement.split()), re.S)
    if not match:
        raise PtxError(f"line {line}: unknown statement: {statement}")
    negated, guard, opcode, operands = match.groups()
    return Instruction(opcode, _split_operands(operands), guard or "", negated == "!", line)


def _add_variable(kernel: Kernel, variable: Variable) -> None:
    if variable.space == "shared" and variable.size_bytes:
        kernel.offsets[variable.name] = _round_up(kernel.static_shared_bytes, variable.align)
        kernel.static_shared_bytes = kernel.offsets[variable.name] + variable.size_bytes
    elif variable.space == "local":
        kernel.offsets[variable.name] = _round_up(kernel.local_bytes, variable.align)
        kernel.local_bytes = kernel.offsets[variable.name] + variable.size_bytes
    kernel.variables[variable.name] = variable


def _parse_body(kernel: Kernel, body: str, first_line: int) -> None:
    place = 0
    while place < len(body):
        rest = re.compile(r"[\s{}]*(?:([\w$]+)\s*:(?!:))?").match(body, place)
        if rest.group(1):
            if rest.group(1) in kernel.labels:
                raise PtxError(f"label {rest.group(1)} twice in {kernel.name}")
            kernel.labels[rest.group(1)] = len(kernel.instructions)
        if rest.end() > place:
            place = rest.end()
            continue
        end = body.find(";", place)
        end = len(body) if end < 0 else end
        statement, line = body[place:end].strip(), first_line + body.count("\n", 0, place)
        place = end + 1
        if statement.startswith(".reg"):
            _declare_registers(kernel, statement)
        elif statement.startswith("."):
            variable = _parse_variable(statement)
            if variable:
                _add_variable(kernel, variable)
            elif not statement.startswith(_IGNORED):
                raise PtxError(f"line {line}: unknown directive: {statement}")
        elif statement:
            kernel.instructions.append(_parse_instruction(statement, line))


def parse(text: str) -> Module:
    """The kernels of a PTX module."""
    text = _without_comments(text)
    kernels: dict[str, Kernel] = {}
    outside, place = "", 0
    for match in _ENTRY.finditer(text):
        outside += text[place:match.start()]
        place = _matching_brace(text, match.end())
        limits = [int(n) for n in re.findall(r"\d+", "".join(re.findall(r"\.(?:max|req)ntid([\s\d,]+)", match[3])))]
        threads = 1
        for limit in limits:
            threads *= limit
        kernel = Kernel(match[1], _parse_parameters(match[2] or ""), threads if limits else 1024)
        _parse_body(kernel, text[match.end():place - 1], text.count("\n", 0, match.end()) + 1)
        kernels[kernel.name] = kernel
    outside = re.sub(r"^\s*\.(version|target|address_size)\b.*$", "", outside + text[place:], flags=re.M)
    variables = [_parse_variable(statement.strip()) for statement in outside.split(";")]
    for kernel in kernels.values():
        for variable in filter(None, variables):
            _add_variable(kernel, variable)
        end = _round_up(kernel.static_shared_bytes, 128)
        dynamic = [v.name for v in kernel.variables.values() if v.space == "shared" and not v.size_bytes]
        if dynamic:
            kernel.static_shared_bytes = end
            kernel.offsets.update(dict.fromkeys(dynamic, end))
    return Module(kernels)
