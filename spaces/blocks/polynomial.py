"""Kolmogorov-Arnold layers of polynomials: a linear layer for each basis function, so that the degree is elastic.

Sources: Sidharth et al. 2024, arXiv:2405.07200 (Chebyshev); Drokin 2024, arXiv:2407.01092 (Gram, and the convolution).
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn

from spaces.blocks.block import BLOCKS, check_kernel, check_positive
from spaces.blocks.convnext import ConvNeXt
from spaces.layers import Residual, depthwise, start_at_zero

GRAM_POINTS = 16  # the Gram polynomials are orthogonal on this many points, evenly spaced in [-1, 1]
BASES = ("chebyshev", "gram")


@BLOCKS.register("polynomial")
@dataclass(frozen=True)
class PolynomialKAN:
    """x + outer(norm(inner(norm(depthwise(x))))), inner and outer polynomial layers at every position.

    degree: highest polynomial; fewer are a prefix. basis: `chebyshev` or `gram` (share no weights). ratio: channels
    between the layers a channel. kernel: odd, taps of the depthwise convolution. Differs: a depthwise convolution in
    front mixes positions; the constant is a bias; Gram's recurrence has fixed numbers instead of learned ones;
    BatchNorm in front of tanh keeps the input where the polynomials differ.
    """

    degree: int = 3
    basis: str = "chebyshev"
    kernel: int = 3
    ratio: float = 1
    kind: ClassVar[str] = "polynomial"
    separate: ClassVar[tuple[str, ...]] = ("basis",)
    nested: ClassVar[tuple[str, ...]] = ("degree",)
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"basis": BASES}

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        check_positive(degree=self.degree, ratio=self.ratio)

    def build(self, width: int) -> nn.Module:
        hidden = self.units(width)["hidden"]
        outer = Polynomials(hidden, width, 1, self.degree, self.basis)
        for layer in outer.terms:
            start_at_zero(layer)
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        branch["depthwise"] = depthwise(width, self.kernel)
        branch["norm"] = nn.BatchNorm2d(width)
        branch["inner"] = Polynomials(width, hidden, 1, self.degree, self.basis)
        branch["middle_norm"] = nn.BatchNorm2d(hidden)
        branch["outer"] = outer
        return Residual(nn.Sequential(branch))

    def units(self, width: int) -> dict[str, int]:
        return {"degree": self.degree, "hidden": round(width * self.ratio)}

    def resized(self, width: int, dimension: str, units: int) -> "PolynomialKAN":
        return replace(self, degree=units) if dimension == "degree" else replace(self, ratio=units / width)

    def twin(self, scale: float) -> ConvNeXt:
        return ConvNeXt(self.kernel, self.ratio * scale, act="silu")


class Polynomials(nn.Module):
    """sum_n convolution_n(P_n(tanh(x))) for n = 1 ... degree; the bias of the first is P_0's."""

    def __init__(self, inputs: int, outputs: int, kernel: int, degree: int, basis: str) -> None:
        super().__init__()
        self.basis = basis
        self.terms = nn.ModuleList(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=n == 0) for n in range(degree)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        total: Tensor | None = None
        for term, polynomial in zip(self.terms, self.features(x), strict=True):
            total = term(polynomial) if total is None else total + term(polynomial)
        assert total is not None
        return total

    def features(self, x: Tensor) -> Iterator[Tensor]:
        """(N, inputs, H, W) -> what each of the terms is asked: P_n(tanh(x)), of the same shape."""
        x = x.tanh()
        before, polynomial = 1.0, x
        for n in range(1, len(self.terms) + 1):
            yield polynomial
            if n < len(self.terms):
                before, polynomial = polynomial, self._next(n, x, polynomial, before)

    def _next(self, n: int, x: Tensor, polynomial: Tensor, before: Tensor | float) -> Tensor:
        """P_(n+1) from P_n and P_(n-1), by three-term recurrence."""
        if self.basis == "chebyshev":
            return 2 * x * polynomial - before
        points = GRAM_POINTS
        return x * polynomial - n**2 * (points**2 - n**2) / ((4 * n**2 - 1) * (points - 1) ** 2) * before
