"""What a rank certificate says: do a study's shared weights rank networks as training each of them alone does?

Made of the events that `search.supernet.certify` records, one a network.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from search.state.recorded import Recorded
from search.supernet.ranking import Ranking, ranking

KIND = "ranked"  # of the events
LEAST = 5  # networks that a certificate speaks of
MEANING = (
    "Kendall's tau-b of each score with what the same networks reach when trained alone, and its 95 % interval: over "
    "all, among the best fifth, and among networks of like MACs (mean over fifths). 1 is the same order, 0 chance."
)


@dataclass(frozen=True)
class Certificate:
    """How scores rank `networks` networks trained alone for `epochs` epochs, by `metric` on the validation part.

    rankings: the supernet first, then counts, then scores that need no training.
    """

    networks: int
    epochs: int
    metric: str
    rankings: Mapping[str, Ranking]

    def rows(self) -> list[tuple[str, str, str, str]]:
        """(score, tau over all, among the best fifth, at like MACs), as text."""
        return [(name, str(r.overall), str(r.top), str(r.alike)) for name, r in self.rankings.items()]

    @property
    def sentence(self) -> str:
        """What it comes to, in one sentence."""
        best = max((name for name in self.rankings if name != "supernet"), key=self._value)
        mine, other = self.rankings["supernet"].overall, self.rankings[best].overall
        verdict = "clearly better than" if mine.low > other.value else "not clearly better than"
        epochs = f"{self.epochs} epoch{'' if self.epochs == 1 else 's'}"
        return (
            f"Against {self.networks} networks trained alone for {epochs}, the supernet ranks with a tau "
            f"of {mine}, {verdict} the best score without training ({best}: {other})."
        )

    def _value(self, name: str) -> float:
        value = self.rankings[name].overall.value
        return -math.inf if math.isnan(value) else value


def certificate(recorded: Recorded) -> Certificate | None:
    """The certificate of the networks that were ranked last; None if there are too few of them."""
    metric = "accuracy" if "accuracy" in recorded.study.config["objectives"] else "loss"
    ranked = [event.data for event in recorded.events if event.kind == KIND]
    epochs = ranked[-1]["epochs"] if ranked else 0
    rows = [row for row in ranked if row["epochs"] == epochs]
    if len(rows) < LEAST:
        return None
    sign = 1 if metric == "accuracy" else -1
    truth, macs = [sign * row["alone"][metric] for row in rows], [row["macs"] for row in rows]
    scores = {"supernet": [sign * row["supernet"][metric] for row in rows]}
    scores |= {name: [row[name] for row in rows] for name in ("params", "macs", "depth")}
    for name in rows[0]["proxies"]:
        scores[name] = [math.nan if (value := row["proxies"].get(name)) is None else value for row in rows]
    found = {name: ranking(values, truth, macs) for name, values in scores.items()}
    return Certificate(len(rows), epochs, metric, found)
