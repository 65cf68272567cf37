"""Group-rational activation: a learnable ratio of polynomials, one pair of polynomials for each group of channels."""

from kernels.rational.formula import IDENTITY, SILU, Coefficients
from kernels.rational.operation import rational

__all__ = ["IDENTITY", "SILU", "Coefficients", "rational"]
