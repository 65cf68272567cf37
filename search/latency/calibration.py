"""How a study's latency predictions fared where the device was asked afterwards. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from search.report.summary import Quantity

LEAST = 3  # fewer pairs say nothing


@dataclass(frozen=True)
class Calibration:
    """Of `n` networks that were measured after they were predicted, the shares whose prediction lay within 5 and 10 %
    of the measurement and whose measurement lay in the 90 % interval. rank: Spearman's correlation; low: how many were
    predicted too low."""

    n: int
    within_5: float
    within_10: float
    in_interval: float
    rank: float
    low: int

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"{self.n} networks were measured after they were predicted: {100 * self.within_5:.0f} % of the "
            f"predictions within 5 % of the measurement, {100 * self.within_10:.0f} % within 10 %; "
            f"{100 * self.in_interval:.0f} % of the measurements in the 90 % interval; "
            f"rank correlation {self.rank:.2f}; {self.low} predictions too low."
        )


def calibrate(pairs: Sequence[tuple[Quantity, Quantity]]) -> Calibration | None:
    """From (predicted, measured later); None with fewer than 3 pairs."""
    if len(pairs) < LEAST:
        return None
    from scipy.stats import spearmanr

    errors = [abs(predicted.value / measured.value - 1) for predicted, measured in pairs]
    inside = [predicted.low <= measured.value <= predicted.high for predicted, measured in pairs]
    told, found = ([pair[i].value for pair in pairs] for i in (0, 1))
    rank = float(spearmanr(told, found)[0]) if len(set(told)) > 1 and len(set(found)) > 1 else 0.0  # type: ignore[arg-type]
    return Calibration(
        n=len(pairs),
        within_5=sum(error <= 0.05 for error in errors) / len(pairs),
        within_10=sum(error <= 0.1 for error in errors) / len(pairs),
        in_interval=sum(inside) / len(pairs),
        rank=rank,
        low=sum(predicted.value < measured.value for predicted, measured in pairs),
    )
