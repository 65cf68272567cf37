"""Which two networks of a study are stitched together: by name, or the fastest and the most accurate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from compress.artifact import DamagedArtifact
from compress.variant import Variant
from search.choosing import accuracy_of, preferred
from search.errors import NotFound, UsageError
from search.report.summary import evaluation_of
from search.state.ledger import Ledger
from search.state.records import StudyRecord, VariantRecord
from search.state.weights import stored_network
from spaces.architecture import Architecture
from spaces.counts import count
from spaces.registry import nearest

BASELINES = {"random search": "random", "hand-made": "hand-made"}  # as the record has it: as it is asked for


@dataclass(frozen=True)
class Anchor:
    """A trained network. name: a trial's number, `hand-made`, `random` or `teacher`. latency_ms: None: not measured."""

    name: str
    record: VariantRecord
    accuracy: float
    loss: float
    latency_ms: float | None

    @property
    def arch(self) -> Architecture:
        """Its description."""
        assert self.record.architecture is not None
        return Architecture.from_json(self.record.architecture.json)

    def describe(self) -> str:
        """For people: `21 (99.2 %, 0.015 ms)`."""
        cost = "" if self.latency_ms is None else f", {self.latency_ms:.3g} ms"
        return f"{self.name} ({100 * self.accuracy:.1f} %{cost})"


def trained_networks(ledger: Ledger, study: StudyRecord, max_drop: float) -> dict[str, Anchor]:
    """Of every network that the study trained the float32 variant that it would ship, by name, the fastest first."""
    numbers = {trial.id: str(trial.number) for trial in ledger.trials(study.id)}
    chains: dict[str, list[VariantRecord]] = {}
    for record in ledger.variants(study.id):
        if record.weights and record.precision == "float32" and record.verdict in ("start", "accepted"):
            chains.setdefault(_name(record, numbers), []).append(record)
    found = [_anchor(name, [v for v in chain if v.model] or chain, max_drop) for name, chain in chains.items()]
    return {anchor.name: anchor for anchor in sorted(found, key=lambda a: a.latency_ms or math.inf)}


def choose_anchors(found: Mapping[str, Anchor], small: str, large: str, study: str) -> tuple[Anchor, Anchor]:
    """(small, large); "" means the fastest and the most accurate of those that were measured.

    Raises: NotFound: if there is no such network. UsageError: if the two are one, or the small one is not the faster.
    """
    measured = [anchor for anchor in found.values() if anchor.latency_ms is not None]
    if len(measured) < 2:
        raise NotFound(
            f"stitching joins two trained networks, and study {study!r} has {len(measured)}. "
            f"Finish it with `search resume {study}`, or run one anew that trains more: -o compress.keep=3"
        )
    one = _named(found, small, study) if small else min(measured, key=lambda a: a.latency_ms or 0.0)
    other = _named(found, large, study) if large else max(measured, key=lambda a: (a.accuracy, -a.loss))
    known = f"It has: {', '.join(anchor.describe() for anchor in found.values())}."
    if one.record.id == other.record.id:
        why = "is both" if small and large else "is the fastest network and the most accurate one"
        raise UsageError(f"{one.describe()} {why}: between it and itself is nothing. Name two. {known}")
    if _cost(one, other) >= _cost(other, one):
        raise UsageError(
            f"the small network must be the faster one, and {one.describe()} is no faster than {other.describe()}. "
            f"Change them over, or name others. {known}"
        )
    return one, other


def given_variant(ledger: Ledger, study: str, id: int) -> Variant:
    """A recorded network by its id. Raises: NotFound: if the study, the variant or its file is gone."""
    for record in ledger.variants(ledger.study(study).id):
        if record.id == id and record.architecture and record.weights:
            try:
                network = stored_network(ledger.store, record)
            except (FileNotFoundError, DamagedArtifact) as error:
                raise NotFound(f"the weights of {study}:{id} cannot be read: {error}") from error
            return Variant(Architecture.from_json(record.architecture.json), network)
    raise NotFound(f"study {study!r} has no trained network {id}.")


def _named(found: Mapping[str, Anchor], name: str, study: str) -> Anchor:
    if name not in found:
        close = nearest(name, list(found))
        hint = f" Did you mean {close!r}?" if close else ""
        known = ", ".join(anchor.describe() for anchor in found.values())
        raise NotFound(f"study {study!r} has trained no network {name!r}.{hint} It has: {known}.")
    return found[name]


def _cost(one: Anchor, other: Anchor) -> float:
    """Latency where that of both is known, else multiply-adds."""
    is_measured = one.latency_ms is not None and other.latency_ms is not None
    return (one.latency_ms or 0.0) if is_measured else count(one.arch).macs


def _name(record: VariantRecord, numbers: Mapping[int | None, str]) -> str:
    if record.role == "teacher":
        return "teacher"
    if record.role == "baseline":
        name = str(record.config.get("name", record.step))
        return BASELINES.get(name, name)
    return numbers.get(record.trial_id, str(record.id))


def _anchor(name: str, chain: list[VariantRecord], max_drop: float) -> Anchor:
    record = preferred(chain, max_drop) if all(v.model for v in chain) else chain[-1]
    loss = evaluation_of(record.evaluations, "loss", "validation")
    latency = next((m.value for m in record.measurements if m.metric == "latency_ms"), None)
    return Anchor(name, record, accuracy_of(record), loss.value if loss else 0.0, latency)
