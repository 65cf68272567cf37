"""What a proposed architecture is worth with the supernet's weights, and what it costs on the device."""

from collections.abc import Callable

import torch

from compress.devices import DeviceOffline
from compress.evaluate import Quality, evaluate
from compress.measurement import Kind
from compress.recalibrate import IMAGES, recalibrate
from search.latency.measuring import measure_architecture
from search.latency.reach import is_away, note_away, note_back, when_reachable
from search.objectives import dominates, minimised
from search.propose import Proposal
from search.state.records import Evaluation, TrialRecord
from search.study import Study, architecture_record
from search.supernet.shared_weights import Supernet
from spaces.architecture import Architecture
from spaces.space import choices
from spaces.tasks import Scores

Worth = Callable[[Architecture], tuple[Evaluation, ...]]  # how good a network is; ValueError where nobody can say


def screen(proposal: Proposal, worth: Worth, study: Study, origin: str = "search") -> TrialRecord:
    """Ask what the network is worth; measure the latency where it may matter, else predict it.

    What goes wrong with one architecture is a failed trial and not the end of the study.
    """
    arch = proposal.arch
    try:
        found = worth(arch)
        values = {evaluation.metric: evaluation.value for evaluation in found}
        row = architecture_record(arch)
        values |= {"params": row.params, "macs": row.macs, "peak_bytes": row.peak_bytes}
        kinds: dict[str, Kind] = dict.fromkeys(values, "exact")
        for device in study.devices:
            measurement = cost(arch, device, values, study, origin)
            values[f"latency_ms@{device}"], kinds[f"latency_ms@{device}"] = measurement
    except (RuntimeError, ValueError) as error:
        return failed(proposal, error, origin)
    names = [objective.name for objective in study.config.objectives]
    names += [f"latency_ms@{device}" for device in study.devices if f"latency_ms@{device}" not in names]
    return TrialRecord(
        proposal.number,
        arch.id,
        proposal.params,
        proposal.system_attrs,
        {name: values[name] for name in names},
        {name: kinds[name] for name in names},
        origin=origin,
        architecture=row,
        evaluations=found,
    )


def by_shared_weights(supernet: Supernet, study: Study) -> Worth:
    """What a network does on the validation part, or the first of it, with the supernet's weights, recalibrated."""
    split = study.data.validation.first(study.config.search.images)

    def worth(arch: Architecture) -> tuple[Evaluation, ...]:
        quality = evaluate(extract_calibrated(supernet, arch, study), study.data, split)
        return evaluations(quality, "validation", "supernet")

    return worth


def by_table(scores: Scores, study: Study) -> Worth:
    """What a table says of a network that others trained, without any interval."""

    def worth(arch: Architecture) -> tuple[Evaluation, ...]:
        accuracy = scores.accuracy(choices(study.space, arch))
        return (Evaluation("validation", "accuracy", accuracy, accuracy, accuracy, 1, "alone"),)

    return worth


def failed(proposal: Proposal, error: Exception, origin: str) -> TrialRecord:
    """The row of a trial that could not be screened."""
    return TrialRecord(
        proposal.number, proposal.arch.id, proposal.params, proposal.system_attrs, {}, {}, "failed", origin,
        f"{type(error).__name__}: {error}", architecture_record(proposal.arch),
    )  # fmt: skip


def extract_calibrated(supernet: Supernet, arch: Architecture, study: Study) -> torch.nn.Module:
    """The stand-alone network with the supernet's weights and its own BatchNorm statistics."""
    network = supernet.extract(arch)
    recalibrate(network, study.data.normalise(study.data.train.x[:IMAGES]))
    return network


def evaluations(quality: Quality, split: str, fidelity: str) -> tuple[Evaluation, ...]:
    """Loss and accuracy as rows."""
    return (
        Evaluation(split, "loss", quality.loss, *quality.loss_interval, quality.n, fidelity),  # type: ignore[arg-type]
        Evaluation(split, "accuracy", quality.accuracy, *quality.accuracy_interval, quality.n, fidelity),  # type: ignore[arg-type]
    )


def cost(arch: Architecture, device: str, values: dict[str, float], study: Study, origin: str) -> tuple[float, Kind]:
    """(latency in ms, how it came about). The first trials are measured to teach the predictor, later ones where the
    optimistic end of the prediction could enter the front or where the interval straddles a limit."""
    known = study.latency(arch, device)
    if known is not None and known[3] != "predicted":
        return known[0], known[3]
    calibrating = origin == "search" and len(study.of("search")) < study.calibration(device)
    if known is not None:
        wanted = origin == "search" and (calibrating or may_matter(known[1], known[2], device, values, study))
        spent = study.exports >= study.config.search.exports - reserve(study)
        if not wanted or spent or is_away(study, device):
            return known[0], known[3]
        try:
            measurement = measure_architecture(arch, device, study)
        except DeviceOffline as error:
            note_away(study, device, error, "The study goes on with predictions until it is back.")
            return known[0], known[3]
        note_back(study, device)
    else:
        measurement = when_reachable(study, device, lambda: measure_architecture(arch, device, study))
    return measurement.value, measurement.kind


def reserve(study: Study) -> int:
    """Exports kept back for the final front and for the random baseline's: three tenths, at least 4."""
    return max(4, 3 * study.config.search.exports // 10)


def may_matter(low_ms: float, high_ms: float, device: str, values: dict[str, float], study: Study) -> bool:
    """The interval straddles a limit, or its lower end would not be dominated by any trial so far."""
    name = f"latency_ms@{device}"
    limit = study.config.limits.get(name)
    if limit is not None and low_ms <= limit < high_ms:
        return True
    best = {**values, name: low_ms}
    for objective in study.config.objectives:
        best.setdefault(objective.name, 0.0)  # a device not asked yet: as if it cost nothing
    optimistic = minimised(study.config.objectives, best)
    return not any(dominates(study.point(trial), optimistic) for trial in study.of("search") if trial.state == "done")
