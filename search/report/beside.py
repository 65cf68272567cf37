"""Several studies beside each other: what each would ship, and how much of one box that covers. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from search.errors import UsageError
from search.objectives import Objective, front, minimised
from search.report.comparison import Model, best_shipped, models, value_of
from search.report.costs import study_cost
from search.report.summary import Quantity, objectives_of, screened_as, shares, summarise
from search.state.recorded import Recorded


@dataclass(frozen=True)
class Network:
    """A network that a study would ship: name, what it is, its values by objective, and whether it was shipped."""

    name: str
    description: str
    values: Mapping[str, Quantity]
    is_shipped: bool = False


@dataclass(frozen=True)
class Beside:
    """One study of several. networks: its front. share: of the box that the fronts of all of them span, 0 to 1, that
    this one dominates; None where that box is flat. seconds: what its last run took; None if it never ended.
    """

    name: str
    sampler: str
    seed: int
    trials: int
    networks: tuple[Network, ...]
    shipped: Model | None
    seconds: float | None
    share: float | None = None


def beside(studies: Sequence[Recorded]) -> tuple[Beside, ...]:
    """The studies in their order. The front of a study is made of the networks that it trained, compressed and kept, as
    files; of those it measured, where it develops none (a table).

    Raises: UsageError: for fewer than two, or studies whose objectives differ.
    """
    if len({recorded.study.name for recorded in studies}) < 2:
        raise UsageError("comparing takes two studies or more. `search status` lists them.")
    objectives = _common_objectives(studies)
    found = [_one(recorded, objectives) for recorded in studies]
    values = [[_values(network, objectives) for network in one.networks] for one in found]
    boxed = shares(values) if any(values) else None
    covered = boxed[2] if boxed else [None] * len(found)
    return tuple(replace(one, share=share) for one, share in zip(found, covered, strict=True))


def remarks(studies: Sequence[Recorded]) -> tuple[str, ...]:
    """What speaks against a comparison."""
    said = []
    if len({recorded.study.data_hash for recorded in studies}) > 1:
        said.append("They read different data, or split it differently: accuracies are not of the same examples.")
    machines = {frozenset(device.fingerprint for device in recorded.devices) for recorded in studies}
    if len(machines) > 1:
        said.append("They were not measured on the same device: latencies are not comparable.")
    if len({screened_as(recorded) for recorded in studies if not recorded.variants}) > 1:
        said.append("They were screened in different precisions: latencies are of different files.")
    unfinished = [recorded.study.name for recorded in studies if recorded.study.state != "done"]
    if unfinished:
        said.append(f"Not finished yet: {', '.join(unfinished)}.")
    return tuple(said)


def _common_objectives(studies: Sequence[Recorded]) -> tuple[Objective, ...]:
    first, *others = [objectives_of(recorded.study.config) for recorded in studies]
    for recorded, objectives in zip(studies[1:], others, strict=True):
        if set(objectives) != set(first):
            one, other = (", ".join(f"{o.name} {o.direction}" for o in each) for each in (first, objectives))
            names = studies[0].study.name, recorded.study.name
            raise UsageError(f"{names[0]} looks for {one}, but {names[1]} for {other}: they cannot be compared.")
    if not first:
        raise UsageError("studies that only compress a model have no objectives to compare. See `search show`.")
    return first


def _one(recorded: Recorded, objectives: Sequence[Objective]) -> Beside:
    made = models(recorded)
    found = [n for model in made if (n := _of_model(model, objectives))] or [
        Network(f"trial {point.number}", point.description, point.values) for point in summarise(recorded).front
    ]
    kept = front([_values(network, objectives) for network in found])
    config: Mapping[str, Any] = recorded.study.config.get("search") or {}
    cost = study_cost(recorded)
    return Beside(
        name=recorded.study.name,
        sampler=str(config.get("sampler", "")),
        seed=recorded.study.seed,
        trials=sum(trial.origin == "search" for trial in recorded.trials),
        networks=tuple(found[index] for index in kept),
        shipped=best_shipped(made),
        seconds=sum(cost["seconds"].values()) if cost else None,
    )


def _of_model(model: Model, objectives: Sequence[Objective]) -> Network | None:
    """A winner as a file, if it was kept and all of its values are known."""
    values = {o.name: value_of(model, o.name) for o in objectives}
    known = {name: value for name, value in values.items() if value is not None}
    if model.role != "winner" or model.verdict == "rejected" or len(known) < len(values):
        return None
    return Network(f"{model.name}, {model.step}", model.description, known, model.is_shipped)


def _values(network: Network, objectives: Sequence[Objective]) -> tuple[float, ...]:
    return minimised(objectives, {name: value.value for name, value in network.values.items()})
