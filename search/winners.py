"""From a trial to a file: train on, compress, and measure after every step."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import nn

from compress.apply import Attempt, Budget, Findings, apply, find
from compress.context import Context
from compress.devices import formats_of
from compress.distill.assistant import Assistant
from compress.foreign import Description, description_of
from compress.measurement import Measurement, exact
from compress.onnx_file import OnnxFile
from compress.recipe import STEPS, Step
from compress.train import Training
from compress.variant import Variant
from search.alone import trained_alone
from search.config.winner_steps import winner_steps
from search.fidelities.short import begun
from search.hand_made import hand_made
from search.latency.measuring import DECIDING, SHIPPED, measure_file
from search.latency.parts import measure_parts
from search.latency.reach import when_reachable
from search.screen import evaluations, extract_calibrated
from search.state.records import ASSISTANT, ArtifactRecord, Evaluation, Parent, Role, TrialRecord, VariantRecord
from search.state.weights import weights_bytes
from search.study import Study, architecture_record
from search.supernet.shared_weights import Supernet
from search.supernet.teacher import HAND_MADE
from search.workplace import Workplace
from spaces.architecture import Architecture


def develop_winner(
    trial: TrialRecord,
    supernet: Supernet,
    teacher: tuple[nn.Module, Parent] | None,
    study: Study,
    role: Role = "winner",
) -> None:
    """Take a trial's network from the supernet, or from its short training, through the recipe; records every step."""
    assert trial.architecture is not None
    arch = Architecture.from_json(trial.architecture.json)
    name = {"name": "random search"} if role == "baseline" else {}

    chain = Chain(study, role, name, trial.id, teacher)
    short = begun(trial, study)
    if short is not None:
        chain.run("short", lambda: Variant(arch, short.network), {"epochs": short.epochs}, short.left)
    else:
        start = lambda: Variant(arch, extract_calibrated(supernet, arch, study))  # noqa: E731
        chain.run("inherit", start, {}, winner_steps(study.config))


def develop_hand_made(study: Study) -> None:
    """The hand-made baseline: as many epochs as the supernet had, alone, then the same recipe without a teacher."""
    arch = hand_made(study.space, study.proposer.is_feasible)
    training = Training(study.config.supernet.epochs, batch=study.config.supernet.batch, lr=study.config.supernet.lr)

    def start() -> Variant:
        return Variant(arch, trained_alone(arch, study.data, training, study.config.search.seed, study.watch.check))

    Chain(study, "baseline", {"name": HAND_MADE}, None, None).run("train", start, asdict(training), study.config.steps)


class Chain:
    """One network's way through the recipe. What a killed run has already recorded is loaded, not repeated.

    origins: the variants that its first one was made of, where there are any.
    """

    def __init__(
        self,
        study: Workplace,
        role: Role,
        name: Mapping[str, Any],
        trial_id: int | None,
        teacher: tuple[nn.Module, Parent] | None,
        sessions: int = SHIPPED,
        origins: Sequence[Parent] = (),
    ) -> None:
        self.study, self.name, self.trial_id, self.origins = study, dict(name), trial_id, tuple(origins)
        self.role: Role = role
        self.sessions = sessions
        self.device = study.devices[0]
        self.context = Context(
            study.data,
            teacher[0] if teacher else None,
            study.folder,
            study.seed,
            progress=self._progress,
            before_step=study.watch.check,
            graphs=study.graphs,
            measure=lambda files: measure_parts(files, self.device, study),
            formats=formats_of(*(study.config.devices[name] for name in study.devices)),
            teacher_arch=self._described(teacher[1]) if teacher else None,
        )
        self.teacher = teacher[1] if teacher else None
        self.done = study.watch.done

    def _described(self, teacher: Parent) -> Description | None:
        records = self.study.ledger.variants(self.study.id, after=teacher.id - 1)
        row = next((record.architecture for record in records if record.id == teacher.id), None)
        return description_of(row.json) if row else None

    def _progress(self, share: float, text: str) -> None:
        """How far the step at work is, of the whole stage."""
        self.study.watch.advance(self.done + min(share, 0.99), text)

    def run(
        self,
        step: str,
        start: Callable[[], Variant],
        config: Mapping[str, Any],
        recipe: Sequence[tuple[str, Step]],
    ) -> None:
        """Record the start and every step of the recipe, going on after what is recorded."""
        known = self._recorded()
        kept, kept_ids = list[Findings](), list[int]()
        variant: Variant | None = None
        for record in known:
            if record.verdict in ("start", "accepted"):
                variant = self.loaded(record)
                kept.append(find(variant, self.context, self.measure))
                kept_ids.append(record.id or 0)
        if variant is None:
            variant = start()
            kept.append(find(variant, self.context, self.measure))
            kept_ids.append(self.record(Attempt(step, config, variant, kept[0], "start", "", 0.0), variant, None))
        budget = self.budget()
        left = recipe[max(0, len(known) - 1) :]
        for attempt in apply(left, variant, kept, self.context, self.measure, budget):
            self.done += 1
            self.study.watch.advance(self.done, f"{attempt.step}: {attempt.verdict}")
            number = self.record(attempt, variant, kept_ids[-1])
            if attempt.verdict == "accepted" and attempt.variant is not None:
                variant = attempt.variant
                kept_ids.append(number)

    def budget(self) -> Budget:
        """What the study allows, on the device that judges."""
        limits = {name.removesuffix(f"@{self.device}"): value for name, value in self.study.config.limits.items()}
        settings = self.study.config.compress
        return Budget(settings.max_drop, limits, settings.judge == "each")

    def _recorded(self) -> list[VariantRecord]:
        """This chain's variants so far, in order."""
        return [
            record
            for record in self.study.ledger.variants(self.study.id)
            if record.role == self.role
            and record.trial_id == self.trial_id
            and {k: v for k, v in record.config.items() if k == "name"} == self.name
        ]

    def loaded(self, record: VariantRecord) -> Variant:
        """A recorded variant with its weights."""
        assert record.architecture is not None
        arch, network = description_of(record.architecture.json), self.study.network_of(record)
        if record.precision == "float32":
            return Variant(arch, network)
        settings = {key: value for key, value in record.config.items() if key != "name"}
        step: Any = STEPS.get(record.step)(**settings)  # what quantizes is also what writes the file again
        return Variant(arch, network, "int8", step)

    def measure(self, path: Path) -> Measurement:
        return self._measure_on(self.device, path)

    def _measure_on(self, device: str, path: Path) -> Measurement:
        """In more sessions where the latency keeps its limit and its interval does not."""
        limit = self.study.config.limits.get(f"latency_ms@{device}", math.inf)
        found = when_reachable(self.study, device, lambda: measure_file(path, device, self.study, self.sessions))
        if not found.value <= limit < found.high:
            return found
        return when_reachable(self.study, device, lambda: measure_file(path, device, self.study, DECIDING))

    def record(self, attempt: Attempt, before: Variant, parent: int | None, more: Sequence[Evaluation] = ()) -> int:
        """Write an attempt with its files, evaluations (and `more`) and measurements; returns its id."""
        variant = attempt.variant or before
        findings, study = attempt.findings, self.study
        parents = (Parent(parent),) if parent else self.origins
        if self.teacher and attempt.step in ("distill", "prune", "qat"):
            by = attempt.assistant
            parents = (*parents, self._record_assistant(by, self.teacher, parent or 0) if by else self.teacher)
        row = architecture_record(variant.arch)
        weights = model = None
        artifacts: tuple[ArtifactRecord, ...] = ()
        rows: dict[str, Any] = {}
        if findings is not None:
            if not isinstance(variant.network, OnnxFile):  # of which the file is all there is
                content = weights_bytes(variant.network)
                weights = study.ledger.add_artifact(study.id, content, "safetensors", attempt.step)
            made_of = (weights,) if weights else ()
            model = study.ledger.add_artifact(study.id, findings.path, "onnx", attempt.step, parents=made_of)
            ran = findings.ran or findings.path
            if ran != findings.path:  # an engine's own format; the latency's details have its sha256
                study.ledger.add_artifact(study.id, ran, ran.suffix[1:], attempt.step, parents=(*made_of, model))
            rows = {
                "evaluations": (*evaluations(findings.quality, "validation", "exported"), *more),
                "measurements": self._costs(findings, model),
            }
        record = VariantRecord(
            variant.arch.id, self.role, attempt.step, {**attempt.config, **self.name}, variant.precision,
            attempt.verdict, attempt.reason, self.trial_id, parents, weights, model, attempt.seconds,  # type: ignore[arg-type]
            architecture=row, artifacts=artifacts, **rows,
        )  # fmt: skip
        return study.ledger.record_variant(study.id, record)

    def _record_assistant(self, found: Assistant, teacher: Parent, student: int) -> Parent:
        """The assistant's row: made of the teacher, which it learned from, for the student of that id."""
        study, chosen = self.study, found.chosen
        config = {"student": student, "tried": found.tried, "epochs": found.epochs}
        record = VariantRecord(
            chosen.arch.id, "teacher", ASSISTANT, config, "float32", "start",
            f"least accuracy lost for a parameter of {len(found.tried)} sizes", self.trial_id,
            (Parent(teacher.id), teacher), seconds=found.seconds, architecture=architecture_record(chosen.arch),
            weights=study.ledger.add_artifact(study.id, weights_bytes(chosen.network), "safetensors", ASSISTANT),
            evaluations=evaluations(chosen.quality, "validation", "alone"),
        )  # fmt: skip
        return Parent(study.ledger.record_variant(study.id, record), "teacher")

    def _costs(self, findings: Findings, model: str) -> tuple[Measurement, ...]:
        counts = findings.counts
        shares = {k: v for k, v in (findings.graph or {}).items() if k in ("fused_share", "delegated_share")}
        fused = tuple(exact(name, share, "", model) for name, share in shares.items())
        same = () if findings.agreement is None else (exact("lsb_difference", findings.agreement.steps, "LSB", model),)
        return (
            *fused,
            *same,
            replace(findings.latency, artifact=model),
            *(replace(self._measure_on(device, findings.path), artifact=model) for device in self.study.devices[1:]),
            exact("size_bytes", findings.size_bytes, "B", model),
            exact("params", counts.params, "", model),
            exact("macs", counts.macs, "", model),
            exact("peak_bytes", counts.peak_bytes, "B", model),
        )
