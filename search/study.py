"""A study at work: its config, data and rows, and the predictors that its measurements feed."""

import platform
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from torch import nn

from compress.devices import DeviceOffline, fingerprint_of
from compress.foreign import Description, counts_of
from compress.measurement import Kind, Measurement
from compress.recipe import is_quantizing
from compress.scratch import discard, make_scratch
from search.class_counts import lacking_in
from search.config.study import StudyConfig
from search.hand_made import scaled_by_hand
from search.latency.foresight import Foresight, Known, foresee
from search.latency.known_blocks import known_blocks, known_networks
from search.latency.known_devices import device_tables
from search.latency.precision import NETWORK_METRICS
from search.latency.reach import note_away
from search.latency.transfer import FEW
from search.limits import FLOAT_BYTES, INT8_BYTES, feasible_sample
from search.narrowing import preferred, remaining
from search.objectives import minimised
from search.propose import Proposer
from search.state.facts import record_facts
from search.state.ledger import Ledger
from search.state.names import record_names, recorded_names
from search.state.records import ArchitectureRecord, StudyRecord, TrialRecord, VariantRecord
from search.state.weights import stored_network
from search.watch import Watch
from spaces.architecture import Architecture
from spaces.space import SearchSpace
from spaces.tasks import Data

VERSIONED = ("torch", "optuna", "onnx", "onnxruntime", "onnxscript", "numpy", "sqlalchemy")


@dataclass
class Study:
    """What one run of `launch` works on. `measured` holds the best measurement of an architecture on a device, by
    (architecture id, device name); `foresight` predicts on each device, fitted anew after measurements."""

    config: StudyConfig
    record: StudyRecord
    ledger: Ledger
    data: Data
    space: SearchSpace
    proposer: Proposer
    watch: Watch
    folder: Path
    trials: list[TrialRecord] = field(default_factory=list)
    measured: dict[tuple[str, str], Measurement] = field(default_factory=dict)
    foresight: dict[str, Foresight] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)  # of each device, before this study
    graphs: dict[str, Any] = field(default_factory=dict)  # exported graphs by architecture, for other weights
    exports: int = 0  # files of trials that were measured, on each device and by each exporter
    away: dict[str, float] = field(default_factory=dict)  # devices that did not answer, and when to ask again
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> int:
        """The study's row."""
        return self.record.id

    @property
    def devices(self) -> list[str]:
        """Devices whose latency is an objective or a limit, by name; the first one judges the winners. Without any, the
        first by name does, where there will be winners."""
        named = [objective.device for objective in self.config.objectives if objective.device]
        named += [name.partition("@")[2] for name in self.config.limits if "@" in name]
        judge = [] if self.data.scores else list(self.config.devices)[:1]
        return list(dict.fromkeys(named)) or judge

    @property
    def seed(self) -> int:
        """Of everything drawn."""
        return self.config.search.seed

    def network_of(self, record: VariantRecord) -> nn.Module:
        """A recorded variant's network with its weights, rebuilt from its architecture."""
        return stored_network(self.ledger.store, record)

    def of(self, origin: str) -> list[TrialRecord]:
        """Finished trials of one origin, by number."""
        return [trial for trial in self.trials if trial.origin == origin]

    def has_budget(self) -> bool:
        """Trials are left to try."""
        return len(self.of("search")) < self.config.search.trials

    def add(self, trial: TrialRecord) -> None:
        """Write a finished trial and remember it."""
        self.trials.append(replace(trial, id=self.ledger.record_trial(self.id, trial)))

    def latency(self, arch: Architecture, device: str) -> tuple[float, float, float, Kind] | None:
        """(ms, low, high, kind): measured where it was, else predicted; None if too little was measured to predict."""
        known = self.measured.get((arch.id, device))
        if known is not None:
            return known.value, known.low, known.high, known.kind
        foresight = self.foresight.get(device)
        told = foresight.predict_ms(arch) if foresight else None
        return None if told is None else (*told, "predicted")

    def refit(self, device: str) -> None:
        """Fit the device's predictor to all that was measured of this study's trials, in their order, and to what was
        known before: blocks and networks of a calibration, and other devices' networks of the same kinds."""
        measured = [
            (Architecture.from_json(trial.architecture.json), self.measured[trial.architecture_id, device].value)
            for trial in self.trials
            if trial.architecture and (trial.architecture_id, device) in self.measured
        ]
        self.foresight[device] = foresee(self.space, self.known_before(device), measured)

    def known_before(self, device: str) -> Known:
        """What the database knew of a device before this run; read once, when the first measurement says of what kind
        this device's latencies are and beside which reference they were taken."""
        first = next((m for (_, name), m in self.measured.items() if name == device), None)
        if device not in self.known and first is not None:
            own, screen = first.fingerprint, self.config.search.screen
            elsewhere = self.ledger.latencies_elsewhere(own, NETWORK_METRICS[screen])
            others = device_tables(elsewhere, self.space, first.kind)
            networks = known_networks(self.ledger, own, self.space, screen)
            comparable = [
                (arch, m.value) for arch, m in networks if m.details.get("reference") == first.details.get("reference")
            ]
            self.known[device] = Known(known_blocks(self.ledger, own, screen), tuple(comparable), tuple(others))
        return self.known.get(device, Known())

    def calibration(self, device: str) -> int:
        """So many first trials are measured whatever is predicted: the config says, or 10 where blocks of the device or
        other devices are known."""
        wanted = self.config.search.calibration
        return min(FEW, wanted) if self.known_before(device).helps else wanted

    def values(self, trial: TrialRecord) -> dict[str, float]:
        """A trial's values, with latencies that were measured after it was told."""
        values = dict(trial.values)
        for objective in self.config.objectives:
            known = self.measured.get((trial.architecture_id, objective.device))
            if objective.metric == "latency_ms" and known is not None:
                values[objective.name] = known.value
        return values

    def point(self, trial: TrialRecord) -> tuple[float, ...]:
        """The trial's best known values, all to be minimised."""
        return minimised(self.config.objectives, self.values(trial))

    def is_measured(self, trial: TrialRecord) -> bool:
        """Every latency the study decides by was measured for this trial."""
        return all((trial.architecture_id, device) in self.measured for device in self.devices)

    def event(self, kind: str, message: str, data: Mapping[str, Any] | None = None, level: Any = "info") -> None:
        """A row of what happened."""
        self.ledger.event(self.id, level, kind, message, data)


def open_study(config: StudyConfig, ledger: Ledger, watch: Watch, data: Data | None = None) -> Study:
    """Load the data, create or resume the study's rows, and rebuild what lives in memory from them.

    data: the task's, where it is loaded already.

    Raises: ConfigError, StudyBusy (ledger); DataError (task); Infeasible if nothing meets the exact limits.
    """
    began = time.monotonic()
    data = data or config.task.load()
    space = config.space(data)
    feasible_sample(space, *exact_limits(config), random.Random(0))  # before there is a row, and before any training
    record = ledger.open_study(config.study, config.tree, data.digest, versions(), config.search.seed)
    record_facts(ledger, record.id, data)
    if data.scores is None and record.state != "done" and (lacking := lacking_in(data)):
        watch.say(f"warning: {lacking}")
    proposer = proposer_of(config, ledger, record.id, remaining(ledger, record.id, space))
    study = Study(config, record, ledger, data, space, proposer, watch, make_scratch())
    try:
        record_names(ledger, study.id, config.devices, study.devices)
        _restore(study)
    except BaseException:  # such as a device that does not answer: nothing was worked on
        discard(study.folder)
        if record.state != "done":
            ledger.set_state(study.id, "paused")
        raise
    watch.note = lambda stage, done, total: study.event(
        "progress", f"{stage} {done:g} of {total:g}", {"stage": stage, "done": done, "total": total}
    )
    study.seconds["data"] = time.monotonic() - began
    return study


def exact_limits(config: StudyConfig) -> tuple[dict[str, float], int]:
    """The limits that need no measurement, and the bytes that a weight will take."""
    exact = {name: value for name, value in config.limits.items() if "@" not in name}
    return exact, INT8_BYTES if any(is_quantizing(step) for _, step in config.steps) else FLOAT_BYTES


def proposer_of(config: StudyConfig, ledger: Ledger, study_id: int, space: SearchSpace) -> Proposer:
    """Who proposes networks of a space, which may be less than the study's: what its training has left."""
    exact, weight_bytes = exact_limits(config)
    proposer = Proposer(space, config.objectives, config.search.sampler, config.search.seed, exact, weight_bytes)
    if config.search.sampler != "random":
        proposer.starts = (*preferred(ledger, study_id), *scaled_by_hand(space))
    return proposer


def _restore(study: Study) -> None:
    """Trials, Optuna's memory, measurements and predictors, as they were when the last trial was written."""
    study.trials = study.ledger.trials(study.id)
    study.proposer.replay(study.trials)
    ids, metric = [trial.architecture_id for trial in study.trials], NETWORK_METRICS[study.config.search.screen]
    for name in study.devices:
        fingerprint = _fingerprint(study, name)
        for row in study.ledger.measurements(study_id=study.id, fingerprint=fingerprint, metric=metric):
            if row.architecture_id in ids and row.variant_id is None and row.measurement.kind != "predicted":
                study.measured[row.architecture_id, name] = replace(row.measurement, device=name)
                study.exports += 1
        study.refit(name)


def _fingerprint(study: Study, name: str) -> str:
    """Of a device of the study; where it does not answer, the one that it had, and the study goes on with predictions.
    Raises: DeviceOffline: where the study never saw it."""
    try:
        return fingerprint_of(study.config.devices[name])
    except DeviceOffline as error:
        known = next((key for key, own in recorded_names(study.ledger, study.id).items() if own == name), None)
        if known is None:
            raise
        note_away(study, name, error, "The study goes on with predictions until it is back.")
        return known


def architecture_record(arch: Description) -> ArchitectureRecord:
    """The row of an architecture, or of a network of the user's, with its exact counts."""
    counts = counts_of(arch)
    return ArchitectureRecord(arch.id, arch.to_json(), counts.params, counts.macs, counts.peak_bytes)


def versions() -> dict[str, str]:
    """What ran: Lathe, Python, the platform and the libraries that numbers depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "lathe": lathe_version()}
    return found | {name: metadata.version(name) for name in VERSIONED}


def lathe_version() -> str:
    """The installed distribution's version."""
    try:
        return metadata.version("lathe")
    except metadata.PackageNotFoundError:
        return "0 (not installed)"
