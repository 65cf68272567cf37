"""The closed form of the splines beside scipy's recursion."""

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from spaces.blocks.splinekan import REACH, Splines


@pytest.mark.parametrize("grid", [1, 3, 8])
def test_the_basis_is_that_of_cubic_splines_on_an_even_grid(grid: int) -> None:
    x, step = np.linspace(-REACH, REACH, 301), 2 * REACH / grid
    knots = -REACH + step * np.arange(-3, grid + 4)
    expected = BSpline.design_matrix(np.clip(x, None, REACH - 1e-12), knots, 3).toarray()
    found = Splines(1, 1, grid).basis(torch.from_numpy(x).reshape(1, 1, 1, 1, -1))[0, :, 0, 0].T.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-9)
