"""Starting coefficients of the group-rational activation.

y = P(x) / Q(x) with P(x) = sum_i a_i x^i (i = 0..5) and Q(x) = 1 + sum_j |b_j| |x|^j (j = 1..4). Q >= 1, so there is
no pole.
Source: Yang and Wang 2024, arXiv:2409.10594 (Kolmogorov-Arnold Transformer), safe Pade form of Molina et al. 2020.
Differs: the published GELU start was fitted to another denominator (1 + |sum_j b_j x^j|) and is off by up to 1.46 on
[-3, 3] in this form; ours are fitted to the form that is computed, weighted on [-6, 6].
"""

from typing import NamedTuple

NUMERATOR_TERMS, DENOMINATOR_TERMS = 6, 4


class Coefficients(NamedTuple):
    """`a`: 6 numerator coefficients, constant first; `b`: 4 denominator coefficients, linear first."""

    a: tuple[float, ...]
    b: tuple[float, ...]


IDENTITY = Coefficients((0.0, 1.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0))
# Largest error against SiLU: 1.9e-4 on [-3, 3], 1.5e-3 on [-6, 6].
SILU = Coefficients(
    (-0.0001031, 0.5000634, 0.2502694, 0.0532727, 0.0057316, 0.0002596), (1.582e-4, 0.1065007, 0.0, 5.2e-4)
)
