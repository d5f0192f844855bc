"""The operators in a Python process: loaded by torch.ops.load_library, compared with PyTorch's own
arithmetic, and put through torch.library.opcheck.
"""

import os

import pytest
import torch

torch.ops.load_library(os.environ["SASQ_OPS_LIBRARY"])
sasq = torch.ops.sasq
DTYPES = [torch.float32, torch.float16, torch.bfloat16]
SCALE = 0.03125  # a power of two: products with it are exact in every type


def values(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).to(dtype)


def codes_of(x, scale):
    return torch.clamp(torch.round(x.float() / scale), -128, 127).to(torch.int8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_quantize(dtype):
    x = values(7, 33, dtype=dtype) * 3
    assert torch.equal(sasq.quantize_static(x, SCALE), codes_of(x, SCALE))
    codes, scales = sasq.quantize_per_token(x)
    want_scales = x.float().abs().amax(dim=1) / 127
    assert torch.equal(scales, want_scales)
    assert torch.equal(codes, codes_of(x, want_scales[:, None]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rms_norm_adds_the_residual(dtype):
    x, residual = values(5, 72, dtype=dtype), values(5, 72, dtype=dtype, seed=1)
    gain = values(72, dtype=dtype, seed=2)
    hidden = x + residual
    want = torch.nn.functional.rms_norm(hidden.float(), (72,), gain.float(), 1e-5)
    codes = sasq.rms_norm_quantize_static(x, gain, 1e-5, SCALE, residual)
    assert torch.equal(residual, hidden)
    # Sums of squares are taken in another order: codes at a rounding boundary may differ by one.
    difference = (codes.int() - codes_of(want, SCALE).int()).abs()
    assert difference.max() <= 1 and difference.sum() <= 3
    codes, scales = sasq.rms_norm_quantize_per_token(hidden, gain, 1e-5)
    torch.testing.assert_close(codes * scales[:, None], want, atol=want.abs().max() / 250, rtol=0)


def test_silu_mul():
    gate_up = values(5, 2 * 40) * 3
    gate, up = gate_up[:, :40], gate_up[:, 40:]
    want = torch.nn.functional.silu(gate) * up
    difference = (sasq.silu_mul_quantize_static(gate, up, SCALE).int()
                  - codes_of(want, SCALE).int()).abs()
    assert difference.max() <= 1 and difference.sum() <= 2  # e^x differs in the last bit
    codes, scales = sasq.silu_mul_quantize_per_token(gate, up)
    torch.testing.assert_close(codes * scales[:, None], want, atol=want.abs().max() / 250, rtol=0)


def test_int8_linear_is_exact():
    weights = values(24, 65, seed=3)
    w_codes, w_scales = sasq.quantize_per_token(weights)
    packed = sasq.pack_weights(w_codes)
    codes, x_scales = sasq.quantize_per_token(values(9, 65))
    bias = values(24, seed=4)
    sums = (codes.long() @ w_codes.long().T).float()
    want = sums * (x_scales[:, None] * w_scales) + bias
    assert torch.equal(sasq.int8_linear(codes, x_scales, packed, w_scales, bias), want)
    static = sasq.int8_linear.static(codes, SCALE, packed, w_scales, None, torch.bfloat16)
    assert torch.equal(static, (sums * (SCALE * w_scales)).bfloat16())


def test_int8_linear_keeps_leading_dimensions():
    w_codes, w_scales = sasq.quantize_per_token(values(8, 16))
    codes = sasq.quantize_static(values(2, 3, 16), SCALE)
    y = sasq.int8_linear.static(codes, SCALE, sasq.pack_weights(w_codes), w_scales)
    assert y.shape == (2, 3, 8)


def test_fake_quantize_has_lsq_gradients():
    x = (values(6, 50) * 3).requires_grad_()
    scale = torch.tensor(SCALE, requires_grad=True)
    y = sasq.fake_quantize(x, scale)
    assert torch.equal(y, codes_of(x.detach(), SCALE) * SCALE)
    grad = values(6, 50, seed=5)
    y.backward(grad)
    v = x.detach() / SCALE
    inside = (v > -128) & (v < 127)
    assert torch.equal(x.grad, grad * inside)
    slope = torch.where(inside, torch.round(v) - v, v.clamp(-128, 127))
    torch.testing.assert_close(scale.grad, (grad.double() * slope.double()).sum().float())


def test_hadamard_transform_is_its_own_inverse():
    x = values(3, 64)
    torch.testing.assert_close(sasq.hadamard_transform(sasq.hadamard_transform(x, 32), 32), x)


def test_wrong_arguments_name_what_is_wrong():
    x = values(2, 16)
    with pytest.raises(ValueError, match="scale"):
        sasq.quantize_static(x, 0.0)
    with pytest.raises(ValueError, match="float32, float16 or bfloat16"):
        sasq.quantize_static(x.double(), SCALE)
    codes = sasq.quantize_static(x, SCALE)
    with pytest.raises(ValueError, match="pack_weights"):
        sasq.int8_linear.static(codes, SCALE, torch.zeros(5, dtype=torch.int8), torch.ones(4))
    with pytest.raises(ValueError, match="up"):
        sasq.silu_mul_quantize_static(x, values(2, 8), SCALE)
    with pytest.raises(ValueError, match="infinity"):
        sasq.quantize_per_token(x / 0)


def cases():
    x, gain = values(4, 32), values(32)
    w_codes, w_scales = sasq.quantize_per_token(values(8, 32))
    codes, x_scales = sasq.quantize_per_token(x)
    packed = sasq.pack_weights(w_codes)
    return [
        (sasq.quantize_static, (x, SCALE)),
        (sasq.quantize_per_token, (x,)),
        (sasq.rms_norm_quantize_static, (x, gain, 1e-5, SCALE, values(4, 32))),
        (sasq.rms_norm_quantize_per_token, (x, gain, 1e-5)),
        (sasq.silu_mul_quantize_static, (x, x, SCALE)),
        (sasq.silu_mul_quantize_per_token, (x, x)),
        (sasq.int8_linear.default, (codes, x_scales, packed, w_scales, gain[:8])),
        (sasq.int8_linear.static, (codes, SCALE, packed, w_scales)),
        (sasq.fake_quantize, (values(4, 32).requires_grad_(), torch.tensor(SCALE))),
        (sasq.fake_quantize_backward, (x, x, SCALE)),
        (sasq.hadamard_transform, (x, 16)),
    ]


@pytest.mark.parametrize("operator, arguments", cases(), ids=lambda case: str(case)[:40])
def test_opcheck(operator, arguments):
    """Schemas, shapes without data (Meta) and the registration of gradients."""
    torch.library.opcheck(operator, arguments,
                          test_utils=("test_schema", "test_faketensor", "test_autograd_registration"))
