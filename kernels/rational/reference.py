"""The group-rational activation in plain torch, with its analytic gradient: what the Triton kernels must agree with."""

from typing import Any

import torch
from torch import Tensor

from kernels.rational.formula import DENOMINATOR_TERMS, NUMERATOR_TERMS


def rational(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y = P(x) / Q(x), differentiable; shapes and conventions as in `kernels.rational.rational`.

    Cost: 9 multiply-adds and a division an element. With gradients on, the backward pass recomputes P and Q instead of
        keeping the 20 intermediates that autograd would.
    """
    if torch.is_grad_enabled() and (x.requires_grad or a.requires_grad or b.requires_grad):
        return _Rational.apply(x, a, b)  # type: ignore[no-any-return]
    p, q = _polynomials(x, x.abs(), _per_channel(a, x), _per_channel(b.abs(), x))
    return _in(x.dtype, p / q)


def forward(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y alone, outside autograd."""
    p, q = _polynomials(x, x.abs(), _per_channel(a, x), _per_channel(b.abs(), x))
    return _in(x.dtype, p.div_(q))


def backward(grad: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """dx = u (P' - y sgn(x) Q'), da_i = sum u x^i, db_j = -sgn(b_j) sum u y |x|^j, with u = grad / Q."""
    absolute, columns_a, columns_b = x.abs(), _per_channel(a, x), _per_channel(b.abs(), x)
    p, q = _polynomials(x, absolute, columns_a, columns_b)
    dp, dq = _derivatives(x, absolute, columns_a, columns_b)
    u = grad / q
    uy = p.div_(q).mul_(u)
    dx = dp.mul_(u).sub_(dq.mul_(uy).mul_(x.sign()))
    da = [_group_sum(u, a.shape[0])]
    for _ in range(NUMERATOR_TERMS - 1):
        da.append(_group_sum(u.mul_(x), a.shape[0]))
    db = [-_group_sum(uy.mul_(absolute), b.shape[0]) for _ in range(DENOMINATOR_TERMS)]
    signed = torch.stack(db, 1) * torch.where(b < 0, -1.0, 1.0)
    return _in(x.dtype, dx), _in(a.dtype, torch.stack(da, 1)), _in(b.dtype, signed)


class _Rational(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(x, a, b)
        return forward(x, a, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return backward(grads[0], *ctx.saved_tensors)


def _per_channel(coefficients: Tensor, x: Tensor) -> list[Tensor]:
    """(G, K) -> K tensors (1, C, 1, ...): no reshape of x, so any memory format of it is kept."""
    channels = coefficients.repeat_interleave(x.shape[1] // coefficients.shape[0], 0)
    return [column.reshape(1, -1, *([1] * (x.ndim - 2))) for column in channels.unbind(1)]


def _polynomials(x: Tensor, absolute: Tensor, a: list[Tensor], b: list[Tensor]) -> tuple[Tensor, Tensor]:
    """P and Q by Horner's rule."""
    p = torch.addcmul(a[4], a[5], x)
    for i in (3, 2, 1, 0):
        p = torch.addcmul(a[i], p, x)
    q = torch.addcmul(b[2], b[3], absolute)
    for j in (1, 0):
        q = torch.addcmul(b[j], q, absolute)
    return p, q * absolute + 1.0


def _derivatives(x: Tensor, absolute: Tensor, a: list[Tensor], b: list[Tensor]) -> tuple[Tensor, Tensor]:
    """P'(x) and Q'(|x|)."""
    dp = torch.addcmul(4 * a[4], 5 * a[5], x)
    for i in (3, 2, 1):
        dp = torch.addcmul(i * a[i], dp, x)
    dq = torch.addcmul(3 * b[2], 4 * b[3], absolute)
    for j in (2, 1):
        dq = torch.addcmul(j * b[j - 1], dq, absolute)
    return dp, dq


def _group_sum(x: Tensor, groups: int) -> Tensor:
    """(N, C, ...) -> (G,): the sum over all but the group."""
    return x.sum([d for d in range(x.ndim) if d != 1]).reshape(groups, -1).sum(1)


def _in(dtype: torch.dtype, x: Tensor) -> Tensor:
    """x in this type; no operator in an exported graph where it already is."""
    return x if x.dtype == dtype else x.to(dtype)
