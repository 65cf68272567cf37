"""The group-rational activation against its formula, and its gradient against finite differences."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import silu

from kernels.rational import IDENTITY, SILU, Coefficients, rational, reference

GROUPS, PER_GROUP = 2, 3


def inputs(dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """x of shape (2, 6, 3, 2) away from 0, and coefficients with both signs."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, GROUPS * PER_GROUP, 3, 2, generator=generator, dtype=dtype)
    x = x + 0.1 * x.sign()
    a = torch.randn(GROUPS, 6, generator=generator, dtype=dtype)
    b = torch.randn(GROUPS, 4, generator=generator, dtype=dtype)
    return x, a, b + 0.1 * b.sign()


def naive(x: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    for channel in range(x.shape[1]):
        group = channel // PER_GROUP
        part = x[:, channel]
        p = sum(a[group, i] * part**i for i in range(6))
        y[:, channel] = p / (1 + sum(abs(b[group, j - 1]) * np.abs(part) ** j for j in range(1, 5)))
    return y


def start(coefficients: Coefficients) -> tuple[Tensor, Tensor]:
    return torch.tensor([coefficients.a], dtype=torch.float64), torch.tensor([coefficients.b], dtype=torch.float64)


@pytest.mark.parametrize("gradients", [False, True])
def test_it_is_the_formula_written_naively(gradients: bool) -> None:
    x, a, b = inputs()
    expected = naive(x.numpy(), a.numpy(), b.numpy())
    y = rational(x.requires_grad_(gradients), a, b)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 3, 2)])
def test_it_takes_any_number_of_dimensions_behind_the_channels(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    a, b = start(IDENTITY)
    assert torch.equal(rational(x, a.float(), b.float()), x)


def test_its_gradient_is_that_of_finite_differences() -> None:
    x, a, b = (t.requires_grad_() for t in inputs())
    assert torch.autograd.gradcheck(rational, (x, a, b))


def test_its_gradient_for_the_input_holds_where_b_is_zero() -> None:
    x, a, b = inputs()
    assert torch.autograd.gradcheck(lambda x, a: rational(x, a, torch.zeros_like(b)), (x.requires_grad_(), a))


def test_a_denominator_that_starts_at_zero_learns_as_if_b_were_positive() -> None:
    """The convention for |b| at 0: the derivative from the right. Autograd's 0 would keep b at 0 for ever."""
    x, a, b = inputs()
    zero, small = torch.zeros_like(b).requires_grad_(), torch.full_like(b, 1e-9).requires_grad_()
    rational(x, a, zero).sum().backward()
    rational(x, a, small).sum().backward()
    assert zero.grad is not None and small.grad is not None
    assert (zero.grad != 0).all()
    torch.testing.assert_close(zero.grad, small.grad, rtol=1e-5, atol=1e-6)


def test_the_slope_of_the_absolute_value_at_zero_is_zero() -> None:
    """The convention for |x| at 0: what is left is P'(0) = a_1."""
    _, a, b = inputs()
    x = torch.zeros(1, GROUPS * PER_GROUP, 1, 1, dtype=torch.float64, requires_grad=True)
    rational(x, a, b).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad.flatten(), a[:, 1].repeat_interleave(PER_GROUP))


def test_the_silu_start_is_as_close_as_its_comment_says() -> None:
    a, b = start(SILU)
    for bound, reach in ((1.9e-4, 3), (1.5e-3, 6)):
        x = torch.linspace(-reach, reach, 20_001, dtype=torch.float64)[:, None]
        error = (rational(x, a, b) - silu(x)).abs().max().item()
        assert 0.9 * bound < error <= bound


def test_it_has_no_pole_for_any_coefficients() -> None:
    x = torch.linspace(-30, 30, 4001)[:, None]
    for seed in range(20):
        a, b = torch.randn(2, 1, 6, generator=torch.Generator().manual_seed(seed)).unbind(0)
        assert rational(x, a, 10 * b[:, :4]).isfinite().all()


@pytest.mark.parametrize("shape", [(3, 6, 5, 7), (5, 6, 4), (50, 6)])
@pytest.mark.parametrize("order", ["first", "last", "neither"])
def test_in_blocks_all_gradients_are_those_of_autograd(
    shape: tuple[int, ...], order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "BLOCK", 32)
    _, a, b = (t.requires_grad_() for t in inputs())
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    if order == "last":
        x = x.movedim(1, -1).contiguous().movedim(-1, 1)
    elif order == "neither":
        x = x.repeat_interleave(2, 0)[::2]
    x.requires_grad_()
    powers = torch.stack([x.movedim(1, -1) ** i for i in range(6)], -1)
    wide_a, wide_b = (t.repeat_interleave(PER_GROUP, 0) for t in (a, b.abs()))
    expected = ((powers * wide_a).sum(-1) / (1 + (powers.abs()[..., 1:5] * wide_b).sum(-1))).movedim(-1, 1)
    found, grad = rational(x, a, b), torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(found, expected)
    for one, other in zip(*(torch.autograd.grad(y, (x, a, b), grad) for y in (found, expected)), strict=True):
        torch.testing.assert_close(one, other)
    assert order != "last" or found.movedim(1, -1).is_contiguous()


@pytest.mark.parametrize("gradients", [False, True])
def test_channels_last_goes_in_and_comes_out(gradients: bool) -> None:
    x, a, b = inputs(torch.float32)
    x = x.to(memory_format=torch.channels_last).requires_grad_(gradients)
    y = rational(x, a, b)
    assert y.is_contiguous(memory_format=torch.channels_last) and not y.is_contiguous()
    torch.testing.assert_close(y, rational(x.detach().contiguous(), a, b))


def test_with_and_without_gradients_the_output_is_the_same_bit_for_bit() -> None:
    x, a, b = inputs(torch.float32)
    assert torch.equal(rational(x, a, b), rational(x.clone().requires_grad_(), a, b).detach())


def test_channels_that_do_not_divide_into_the_groups_are_an_error() -> None:
    x, a, b = inputs()
    with pytest.raises(ValueError, match="5 channels and 2 groups"):
        rational(x[:, :5], a, b)
