"""`search compress`: the compression half alone, on a model of the user's: same steps, same judge, same records."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from compress.apply import COMPARED, file_of
from compress.context import Context
from compress.devices import fingerprint_of, formats_of
from compress.evaluate import evaluate_file
from compress.export import ExportError
from compress.export.agreement import answers_of, furthest
from compress.export.formats import copy_all
from compress.export.session import logits
from compress.foreign import Description, rebuilt
from compress.memory import keep_freed_memory
from compress.onnx_file import OnnxFile
from compress.prune.foreign import EXTRA
from compress.scratch import discard, make_scratch
from compress.variant import Variant
from search.choosing import nearest_miss, ship
from search.config.recipe import RecipeConfig
from search.errors import ConfigError, Infeasible, NotFound, UsageError
from search.latency.reach import when_reachable
from search.stages import stage, state_on_leaving
from search.starting import Start, digest_of, starts_of, teacher_of
from search.state.facts import record_facts
from search.state.ledger import Ledger
from search.state.names import record_names
from search.state.records import Parent, StudyRecord, VariantRecord
from search.state.weights import stored_network
from search.study import architecture_record, versions
from search.watch import Watch
from search.winners import Chain
from spaces.architecture import Architecture
from spaces.tasks import Data

ALIKE = 0.01  # of the largest logit: what is further from the model's answer is no rounding
CHANCE = 1.5  # a start below so many times the share of the commonest class is reported


@dataclass
class Job:
    """What one run of `compress_given` works on; see search/workplace.py. starts: the model, or the
    networks of a study."""

    config: RecipeConfig
    record: StudyRecord
    ledger: Ledger
    data: Data
    watch: Watch
    folder: Path
    starts: Sequence[Start]
    teacher: tuple[nn.Module, Parent] | None = None
    graphs: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    away: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> int:
        """The study's row."""
        return self.record.id

    @property
    def given(self) -> Variant:
        """What the work starts from; the first, where there are several."""
        return self.starts[0].variant

    @property
    def seed(self) -> int:
        """Of everything drawn."""
        return self.config.seed

    @property
    def devices(self) -> list[str]:
        """The one that judges, and those whose latency is limited."""
        return measured_on(self.config)

    def network_of(self, record: VariantRecord) -> nn.Module:
        """A recorded variant's network. A user's has their code, and the shapes of the record."""
        if record.weights is None:
            return self.given.network
        if isinstance(self.given.arch, Architecture):
            return stored_network(self.ledger.store, record)
        return rebuilt(self.given.network, safetensors.torch.load_file(self.ledger.store.path(record.weights)))

    def event(self, kind: str, message: str, data: Mapping[str, Any] | None = None, level: Any = "info") -> None:
        """A row of what happened."""
        self.ledger.event(self.id, level, kind, message, data)


def measured_on(config: RecipeConfig) -> list[str]:
    """The names of the devices that everything is measured on; the first one judges."""
    limited = [name.partition("@")[2] for name in config.limits if "@" in name]
    return list(dict.fromkeys([config.device, *limited]))


def compress_given(config: RecipeConfig, ledger: Ledger, watch: Watch) -> None:
    """Take the model through its recipe and choose what is shipped; what is recorded is not repeated.

    Nothing is written before the model was loaded, tried, exported and run. Raises: ConfigError: a model, teacher or
    data that do not fit. LatheError with its exit code otherwise; Interrupted leaves the study paused.
    """
    with opened(config, ledger, watch) as job:
        if job is None:
            return
        if len(job.starts) > 1:
            names = ", ".join(start.source for start in job.starts)
            raise UsageError(f"study {config.variant!r} has several networks. Name one of them: {names}.")
        with stage(job, "compress", len(config.steps)):
            chain = Chain(job, "winner", {"name": job.starts[0].name}, None, job.teacher)
            chain.run("given", lambda: job.given, {}, config.steps)
            shipped = ship(job)
        if shipped is None:
            raise Infeasible(
                f"neither the model nor what was made of it meets every limit. {nearest_miss(job)} Raise `limits`."
            )
        ledger.set_state(job.id, "done")


@contextmanager
def opened(config: RecipeConfig, ledger: Ledger, watch: Watch) -> Iterator[Job | None]:
    """The study's row with all that its work needs; None if it is done. However the work ends, the row says so.

    Nothing is written before the model was loaded, tried, exported and run. Raises: ConfigError: a model, teacher or
    data that do not fit.
    """
    keep_freed_memory()
    names = [name for name, _ in config.steps] + (list(config.tune.space.choices) if config.tune else [])
    if "prune" in names and not config.variant and find_spec("torch_pruning") is None:
        raise NotFound(EXTRA)
    data = config.load_data()
    starts = starts_of(config, ledger, data)
    teacher = teacher_of(config, starts, ledger, data)
    tree = config.tree | {"model_sha256": digest_of(starts)}
    tree["objectives"] = {"accuracy": "max", f"latency_ms@{config.device}": "min"}
    folder, graphs = make_scratch(), {}
    try:
        formats = formats_of(*(config.devices[name] for name in measured_on(config)))
        context = Context(data, None, folder, graphs=graphs, formats=formats)
        reference = _exported(starts[0].variant, context, starts[0].name)
        record = ledger.open_study(config.study, tree, data.digest, versions(), config.seed)
    except BaseException:
        discard(folder)
        raise
    if record.state == "done":
        discard(folder)
        watch.say("This study is done; nothing is repeated. To run it anew give it another `study:` name.")
        yield None
        return
    job = Job(config, record, ledger, data, watch, folder, starts, graphs=graphs)
    with state_on_leaving(job), watch.interruptible():
        record_facts(ledger, record.id, data)
        for device in job.devices:
            when_reachable(job, device, partial(fingerprint_of, config.devices[device]))
        record_names(ledger, record.id, config.devices, job.devices)
        _tell_start(job, reference)
        _tell_difference(job, reference)
        job.teacher = _record_teacher(job, *teacher) if teacher else None
        watch.note = lambda name, done, total: job.event(
            "progress", f"{name} {done:g} of {total:g}", {"stage": name, "done": done, "total": total}
        )
        yield job


def _exported(given: Variant, context: Context, name: str) -> Path:
    """The model's float file, beside which all others are measured."""
    try:
        made = file_of(given, context)
    except ExportError as error:
        raise ConfigError(f"error: {name}: {error}") from error
    return copy_all(made, context.folder / "reference.onnx")


def _tell_start(job: Job, reference: Path) -> None:
    """Say so if the model seems to see other numbers than it was trained with."""
    accuracy = evaluate_file(reference, job.data.validation).accuracy
    commonest = float(job.data.validation.y.bincount().max()) / len(job.data.validation.y)
    is_trained_here = any(name == "train" for name, _ in job.config.steps)
    if accuracy < CHANCE * commonest and not is_trained_here:
        message = (
            f"the model as given is right on {accuracy:.1%} of the validation examples, little more than always saying "
            f"the commonest class ({commonest:.1%}). Does `input: {{mean, std}}` say what it was trained with? "
            "If it is not trained yet, begin with the step `train`."
        )
        job.event("accuracy", message, level="warning")
        job.watch.say(f"warning: {message}")


def _tell_difference(job: Job, reference: Path) -> None:
    """Say so if the exported file is another network than the one that was given."""
    if isinstance(job.given.network, OnnxFile):
        return
    data = job.data
    x = data.validation.x[:COMPARED].float().numpy()
    off = furthest(logits(reference, x), answers_of(job.given.network, (data.mean, data.std), x))
    if off > ALIKE:
        message = (
            f"the exported file answers differently from the model, by {off:.2g} of its largest logit. Does its "
            "`forward` draw random numbers, or call the layers of an nn.Sequential one by one? BatchNorm there is part "
            "of the convolution before it in the file."
        )
        job.event("export", message, level="warning")
        job.watch.say(f"warning: {message}")


def _record_teacher(job: Job, network: nn.Module, arch: Description, reason: str) -> tuple[nn.Module, Parent]:
    row = architecture_record(arch)
    record = VariantRecord(arch.id, "teacher", "given", {}, "float32", "start", reason=reason, architecture=row)
    return network, Parent(job.ledger.record_variant(job.id, record), "teacher")
