"""Rotations folded into a transformers model in float64, exactly as quant/methods/rotation.cc folds them, with
the Hadamard matrices of quant/model/hadamard.h and paley.h. Needs torch."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sasq.errors import CannotApply

_MAX_BLOCK = 8192
_MAX_OUTER_ORDER = 1024
_MAX_DEGREE = 3  # of a field over its primes
_ROW_BLOCK = 8192  # rows of a weight that are in float64 at a time


@dataclasses.dataclass(frozen=True)
class Hadamard:
    """H_n / sqrt(n) = H_m (x) H_b / sqrt(n): b a power of two (Sylvester), m of Paley's constructions or 1."""

    size: int
    block: int
    outer: Tensor  # H_m, float64 [m, m], of +1 and -1

    @staticmethod
    def create(size: int, size_name: str) -> Hadamard:
        """CannotApply that names the size for which no construction gives a matrix."""
        block = 1
        while block < _MAX_BLOCK and size % (2 * block) == 0:
            block *= 2
        if block == size:
            return Hadamard(size, block, torch.ones(1, 1, dtype=torch.float64))
        while block >= 1 and size // block <= _MAX_OUTER_ORDER:
            outer = paley_matrix(size // block)
            if outer is not None:
                return Hadamard(size, block, torch.tensor(outer, dtype=torch.float64))
            block //= 2
        raise CannotApply(f"{size_name}: there is no Hadamard matrix of order {size} from a power of two and a Paley "
                          "matrix")

    def matrix(self) -> Tensor:
        """Float64 [size, size]."""
        sylvester = torch.ones(1, 1, dtype=torch.float64)
        while sylvester.shape[0] < self.block:
            sylvester = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64), sylvester)
        return torch.div(torch.kron(self.outer, sylvester), self.size**0.5)

    def apply(self, x: Tensor) -> Tensor:
        """x H_n / sqrt(n) on the last dimension, in the type of x."""
        y = x.reshape(-1, self.outer.shape[0], self.block)
        distance = 1
        while distance < self.block:
            pairs = y.reshape(y.shape[0], y.shape[1], -1, 2, distance)
            y = torch.stack((pairs[..., 0, :] + pairs[..., 1, :], pairs[..., 0, :] - pairs[..., 1, :]), dim=-2)
            y = y.reshape(pairs.shape[0], pairs.shape[1], self.block)
            distance *= 2
        y = torch.matmul(self.outer.t().to(x), y)
        return torch.div(y, self.size**0.5).reshape(x.shape)


@torch.no_grad()
def fold_rotations(model: Any, seed: int, online_down: bool) -> Hadamard | None:
    """Rotates the residual stream, the values and (online_down) the input of down_proj of a causal LM.

    Norms' gains go into the linears behind them, the head gets weights of its own. Returns the transform that the
    input of down_proj needs while the model runs. CannotApply, before anything was changed, for sizes without a
    Hadamard matrix.
    """
    config, decoder = model.config, model.model
    head_dim = decoder.layers[0].self_attn.head_dim
    residual_hadamard = Hadamard.create(config.hidden_size, "hidden_size")
    values = Hadamard.create(head_dim, "head_dim").matrix().to(model.device)
    down = Hadamard.create(config.intermediate_size, "intermediate_size") if online_down else None
    signs = torch.tensor([-1.0 if bits >> 63 else 1.0
                          for bits in itertools.islice(_mersenne_twister_64(seed), config.hidden_size)],
                         dtype=torch.float64)
    residual = (signs.unsqueeze(1) * residual_hadamard.matrix()).to(model.device)

    embeddings = decoder.embed_tokens.weight.detach()
    head = model.lm_head.weight.detach()
    if head.data_ptr() == embeddings.data_ptr():
        head = head.clone()
        model.lm_head.weight = torch.nn.Parameter(head, requires_grad=False)
        config.tie_word_embeddings = False
    _multiply_rows(embeddings, residual)
    for layer in decoder.layers:
        attention, mlp = layer.self_attn, layer.mlp
        _rotate_values(attention, values, head_dim)
        _rotate_readers((attention.q_proj, attention.k_proj, attention.v_proj), layer.input_layernorm, residual)
        _rotate_writer(attention.o_proj, residual)
        _rotate_readers((mlp.gate_proj, mlp.up_proj), layer.post_attention_layernorm, residual)
        _rotate_writer(mlp.down_proj, residual)
        if down is not None:
            mlp.down_proj.weight.copy_(down.apply(mlp.down_proj.weight))
    _multiply_rows(head, _folded_gain(decoder.norm, residual))
    return down


def _multiply_rows(weight: Tensor, right: Tensor) -> None:
    for begin in range(0, weight.shape[0], _ROW_BLOCK):
        rows = weight[begin:begin + _ROW_BLOCK]
        rows.copy_(rows.double() @ right)


def _folded_gain(norm: Any, residual: Tensor) -> Tensor:
    """diag(gain) R1; the gain becomes one."""
    folded: Tensor = norm.weight.double().unsqueeze(1) * residual
    norm.weight.fill_(1)
    return folded


def _rotate_readers(linears: tuple[Any, ...], norm: Any, residual: Tensor) -> None:
    right = _folded_gain(norm, residual)
    for linear in linears:
        _multiply_rows(linear.weight.detach(), right)


def _rotate_writer(linear: Any, residual: Tensor) -> None:
    linear.weight.copy_(residual.t() @ linear.weight.double())
    if linear.bias is not None:
        linear.bias.copy_(linear.bias.double() @ residual)


def _rotate_values(attention: Any, rotation: Tensor, head_dim: int) -> None:
    """Each head's values times R2; each head of o_proj's input is read through it."""
    for outputs in (attention.v_proj.weight, attention.v_proj.bias):
        if outputs is not None:
            by_head = outputs.double().reshape(-1, head_dim, outputs.numel() // outputs.shape[0])
            outputs.copy_((rotation.t() @ by_head).view(outputs.shape))
    _multiply_rows(attention.o_proj.weight.detach().view(-1, head_dim), rotation)


def _mersenne_twister_64(seed: int) -> Iterator[int]:
    """std::mt19937_64 (Nishimura, "Tables of 64-bit Mersenne Twisters", 2000)."""
    word = (1 << 64) - 1
    state = [seed & word]
    for i in range(1, 312):
        state.append((6364136223846793005 * (state[-1] ^ (state[-1] >> 62)) + i) & word)
    while True:
        for i in range(312):
            x = (state[i] & ~0x7FFFFFFF & word) | (state[(i + 1) % 312] & 0x7FFFFFFF)
            state[i] = state[(i + 156) % 312] ^ (x >> 1) ^ (0xB5026F5AA96619E9 if x & 1 else 0)
        for y in state:
            y ^= (y >> 29) & 0x5555555555555555
            y ^= (y << 17) & 0x71D67FFFEDA60000
            y ^= (y << 37) & 0xFFF7EEE000000000
            yield y ^ (y >> 43)


def paley_matrix(order: int) -> list[list[int]] | None:
    """A Hadamard matrix by Paley's constructions: order q + 1 with q = 3 mod 4, 2 (q + 1) with q = 1 mod 4, where q
    is a prime, its square or its cube; None for any other order."""
    if order % 4:
        return None
    field = _Field.create(order - 1)
    if field is not None:
        matrix = field.core(corner=-1)
        for i in range(order):
            matrix[i][i] = 1
        return matrix
    field = _Field.create(order // 2 - 1) if (order // 2 - 1) % 4 == 1 else None
    if field is None:
        return None
    upper_lower = {0: ((1, -1), (-1, -1)), 1: ((1, 1), (1, -1)), -1: ((-1, -1), (-1, 1))}
    return [[sign for s in row for sign in upper_lower[s][half]] for row in field.core(corner=1) for half in (0, 1)]


class _Field:
    """The field of p^degree elements: polynomials modulo a monic one without a root. Element i has the digits of i
    in base p as coefficients."""

    def __init__(self, p: int, degree: int) -> None:
        self.p, self.degree, self.size = p, degree, p**degree
        self.modulus = [0] * degree  # without the leading 1; of degree 1, the integers modulo p
        while degree > 1 and any(self._value(x) == 0 for x in range(p)):
            self.modulus = self._digits(self._number(self.modulus) + 1)

    @staticmethod
    def create(q: int) -> _Field | None:
        for p in range(2, q + 1):
            if all(p % d for d in range(2, int(p**0.5) + 1)):
                for degree in range(1, _MAX_DEGREE + 1):
                    if p**degree == q:
                        return _Field(p, degree)
        return None

    def core(self, corner: int) -> list[list[int]]:
        """[0, 1; corner, Q] with Q_ij = character(i - j) and a column of `corner`."""
        character = [0] + [-1] * (self.size - 1)
        for element in range(1, self.size):
            character[self._square(element)] = 1
        rows = [[character[self._subtract(i, j)] for j in range(self.size)] for i in range(self.size)]
        return [[0] + [1] * self.size, *([corner, *row] for row in rows)]

    def _digits(self, number: int) -> list[int]:
        return [number // self.p**i % self.p for i in range(self.degree)]

    def _number(self, digits: list[int]) -> int:
        return functools.reduce(lambda number, digit: number * self.p + digit % self.p, reversed(digits), 0)

    def _value(self, x: int) -> int:
        return functools.reduce(lambda value, c: (value * x + c) % self.p, reversed(self.modulus), 1)

    def _subtract(self, a: int, b: int) -> int:
        return self._number([x - y for x, y in zip(self._digits(a), self._digits(b))])

    def _square(self, a: int) -> int:
        digits = self._digits(a)
        product = [0] * (2 * self.degree - 1)
        for (i, x), (j, y) in itertools.product(enumerate(digits), repeat=2):
            product[i + j] += x * y
        # x^degree is minus the rest of the modulus.
        for i in range(2 * self.degree - 2, self.degree - 1, -1):
            for j, c in enumerate(self.modulus):
                product[i - self.degree + j] -= product[i] * c
        return self._number(product[:self.degree])
