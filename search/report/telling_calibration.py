"""A calibrated device, for people."""

import math
from collections.abc import Sequence

from search.latency.calibrate_device import Fit


def fits_text(name: str, fits: Sequence[Fit]) -> str:
    """A paragraph for each precision."""
    return "\n".join(_sentence(name, fit) for fit in fits)


def _sentence(name: str, fit: Fit) -> str:
    return (
        f"{name}, {fit.precision}: all {fit.blocks} blocks are known. Of {fit.networks} whole networks, each predicted "
        f"from the blocks and the others, {100 * fit.within_5:.0f} % were within 5 % of the measurement and "
        f"{100 * fit.within_10:.0f} % within 10 %; a new network is within {100 * math.expm1(fit.half):.0f} % of its "
        "prediction nine times of ten."
    )
