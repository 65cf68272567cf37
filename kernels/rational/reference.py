"""The group-rational activation in plain torch, with its analytic gradient: what the Triton kernels must agree with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.rational.formula import DENOMINATOR_TERMS, NUMERATOR_TERMS

BLOCK = 1 << 16  # elements, so that what lies between the operators stays in a core's cache: best of 2^14 to 2^19


def rational(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y = P(x) / Q(x), differentiable; shapes and conventions as in `kernels.rational.rational`.

    Cost: 9 multiply-adds and a division an element, in a dozen operators over blocks that stay in the cache: a training
        step takes .55 to .77 of what they take over whole tensors, .8 to .9 where freed memory is kept. The backward
        pass recomputes P and Q instead of keeping the 20 intermediates that autograd would. While a graph is traced
        there are no blocks.
    """
    if torch.is_grad_enabled() and (x.requires_grad or a.requires_grad or b.requires_grad):
        return _Rational.apply(x, a, b)  # type: ignore[no-any-return]
    return forward(x, a, b)


def forward(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y alone, outside autograd."""
    if _is_traced():
        p, q = _polynomials(x, x.abs(), _per_channel(a, x), _per_channel(b.abs(), x))
        return _in(x.dtype, p / q)
    rows = _Rows.of(x, a, b)
    y = torch.empty_like(rows.x)
    for block in rows.blocks():
        part = block.of(rows.x)
        p, q = _polynomials(part, part.abs(), block.a, block.b)
        block.of(y).copy_(p.div_(q))
    return rows.shaped(y)


def backward(grad: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """dx = u (P' - y sgn(x) Q'), da_i = sum u x^i, db_j = -sgn(b_j) sum u y |x|^j, with u = grad / Q."""
    if _is_traced():
        columns = _per_channel(a, x), _per_channel(b.abs(), x)
        dx, powers = _gradients(grad, x, *columns, lambda t: _group_sum(t, a.shape[0]))
        sums = torch.stack(powers, 1)
    else:
        rows = _Rows.of(x, a, b)
        over, found = rows.flat(grad), torch.empty_like(rows.x)
        totals = rows.x.new_zeros(
            rows.channels, NUMERATOR_TERMS + DENOMINATOR_TERMS, dtype=torch.promote_types(x.dtype, a.dtype)
        )
        for block in rows.blocks():
            part, powers = _gradients(block.of(over), block.of(rows.x), block.a, block.b, rows.sum)
            block.of(found).copy_(part)
            rows.add(totals, torch.stack(powers, 1), block)
        dx, sums = rows.shaped(found), totals.reshape(a.shape[0], -1, totals.shape[1]).sum(1)
    da, db = sums[:, :NUMERATOR_TERMS].contiguous(), -sums[:, NUMERATOR_TERMS:] * torch.where(b < 0, -1.0, 1.0)
    return _in(x.dtype, dx), _in(a.dtype, da), _in(b.dtype, db)


class _Rational(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(x, a, b)
        return forward(x, a, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return backward(grads[0], *ctx.saved_tensors)


class _Block(NamedTuple):
    """Some rows, and the coefficients of their elements."""

    start: int
    stop: int
    a: list[Tensor]
    b: list[Tensor]

    def of(self, rows: Tensor) -> Tensor:
        return rows[self.start : self.stop]


class _Rows(NamedTuple):
    """A tensor as rows that lie one after the other in memory. is_last: a row holds all channels at one position, else
    all positions of one channel. a, b: coefficients of every channel, (terms, C)."""

    x: Tensor
    is_last: bool
    shape: torch.Size
    a: Tensor
    b: Tensor

    @staticmethod
    def of(x: Tensor, a: Tensor, b: Tensor) -> _Rows:
        is_last = x.movedim(1, -1).is_contiguous()
        a, b = (t.repeat_interleave(x.shape[1] // a.shape[0], 0).t().contiguous() for t in (a, b.abs()))
        rows = _Rows(x, is_last, x.shape, a, b)
        return rows._replace(x=rows.flat(x))

    @property
    def channels(self) -> int:
        return self.shape[1]

    def flat(self, x: Tensor) -> Tensor:
        """Another tensor of this shape as such rows."""
        return x.movedim(1, -1).reshape(-1, x.shape[1]) if self.is_last else x.reshape(x.shape[0] * x.shape[1], -1)

    def shaped(self, rows: Tensor) -> Tensor:
        """Rows in the shape and order of memory of the tensor they come from."""
        if not self.is_last:
            return rows.reshape(self.shape)
        return rows.reshape(self.shape[0], *self.shape[2:], self.shape[1]).movedim(-1, 1)

    def blocks(self) -> Iterator[_Block]:
        """Blocks of about BLOCK elements."""
        count, width = self.x.shape
        height = max(1, BLOCK // max(1, width))
        if self.is_last:  # written out: operators are slow where the last dimension is broadcast along the others
            tiles = [[row.expand(min(height, count), -1).contiguous() for row in rows] for rows in (self.a, self.b)]
        else:
            tiles = [[row.repeat(self.shape[0])[:, None] for row in rows] for rows in (self.a, self.b)]
        for start in range(0, count, height):
            stop = min(start + height, count)
            own = slice(0, stop - start) if self.is_last else slice(start, stop)
            yield _Block(start, stop, *([tile[own] for tile in each] for each in tiles))

    def sum(self, x: Tensor) -> Tensor:
        """Of a block over positions: a number for each channel, or for each row."""
        return x.sum(0 if self.is_last else 1)

    def add(self, totals: Tensor, sums: Tensor, block: _Block) -> None:
        """Add sums of a block to those of all channels, (C, terms)."""
        if self.is_last:
            totals += sums
        else:
            rows = torch.arange(block.start, block.stop, device=totals.device) % self.channels
            totals.index_add_(0, rows, sums)


def _gradients(
    grad: Tensor, x: Tensor, a: list[Tensor], b: list[Tensor], total: Callable[[Tensor], Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """dx, and the totals of u x^i and then of u y |x|^j."""
    absolute = x.abs()
    p, q = _polynomials(x, absolute, a, b)
    dp, dq = _derivatives(x, absolute, a, b)
    u = grad / q
    uy = p.div_(q).mul_(u)
    dx = dp.mul_(u).sub_(dq.mul_(uy).mul_(x.sign()))
    powers = [total(u)]
    powers += [total(u.mul_(x)) for _ in range(NUMERATOR_TERMS - 1)]
    powers += [total(uy.mul_(absolute)) for _ in range(DENOMINATOR_TERMS)]
    return dx, powers


def _is_traced() -> bool:
    """A graph is being made: for it, one operator a step is best, and loops over blocks would be part of the graph."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]


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
