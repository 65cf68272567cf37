"""`search compress`: the compression half alone, on a model of the user's: same steps, same judge, same records."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from compress.apply import file_of
from compress.artifact import sha256_of
from compress.context import Context
from compress.evaluate import evaluate_file
from compress.export import ExportError
from compress.foreign import Foreign, rebuilt
from compress.given import GivenError, answers, describe_given, load_given, short_name
from compress.memory import keep_freed_memory
from compress.onnx_file import OnnxFile
from compress.prune.foreign import EXTRA
from compress.variant import Variant
from search.config.recipe import RecipeConfig
from search.errors import ConfigError, Infeasible, NotFound
from search.stages import stage, state_on_leaving
from search.state.facts import record_facts
from search.state.ledger import Ledger
from search.state.records import Parent, StudyRecord, VariantRecord
from search.state.weights import weights_bytes
from search.study import architecture_record, versions
from search.watch import Watch
from search.winners import Chain, nearest_miss, ship
from spaces.tasks import Data

CHANCE = 1.5  # a start below so many times the share of the commonest class is reported


@dataclass
class Job:
    """What one run of `compress_given` works on; see search/workplace.py."""

    config: RecipeConfig
    record: StudyRecord
    ledger: Ledger
    data: Data
    watch: Watch
    folder: Path
    given: Variant
    graphs: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    away: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> int:
        """The study's row."""
        return self.record.id

    @property
    def seed(self) -> int:
        """Of everything drawn."""
        return self.config.seed

    @property
    def devices(self) -> list[str]:
        """The one that judges."""
        return [self.config.device]

    def network_of(self, record: VariantRecord) -> nn.Module:
        """The user's network with a recorded variant's tensors: its code is theirs, its shapes are the record's."""
        if record.weights is None:
            return self.given.network
        return rebuilt(self.given.network, safetensors.torch.load_file(self.ledger.store.path(record.weights)))

    def event(self, kind: str, message: str, data: Mapping[str, Any] | None = None, level: Any = "info") -> None:
        """A row of what happened."""
        self.ledger.event(self.id, level, kind, message, data)


def compress_given(config: RecipeConfig, ledger: Ledger, watch: Watch) -> None:
    """Take the model through its recipe and choose what is shipped; what is recorded is not repeated.

    Nothing is written before the model was loaded, tried, exported and run. Raises: ConfigError: a model, teacher or
    data that do not fit. LatheError with its exit code otherwise; Interrupted leaves the study paused.
    """
    keep_freed_memory()
    if any(name == "prune" for name, _ in config.steps) and find_spec("torch_pruning") is None:
        raise NotFound(EXTRA)
    data = config.load_data()
    given = _given(config, data)
    teacher = _teacher(config, given, data)
    tree = config.tree | {"model_sha256": _digest(given.network)}
    tree["objectives"] = {"accuracy": "max", f"latency_ms@{config.device}": "min"}
    folder, graphs = Path(tempfile.mkdtemp(prefix="lathe-")), {}
    try:
        reference = _exported(given, Context(data, None, folder, graphs=graphs), short_name(config.model))
        record = ledger.open_study(config.study, tree, data.digest, versions(), config.seed)
    except BaseException:
        shutil.rmtree(folder)
        raise
    if record.state == "done":
        shutil.rmtree(folder)
        return watch.say("This study is done; nothing is repeated. To run it anew give it another `study:` name.")
    job = Job(config, record, ledger, data, watch, folder, given, graphs)
    with state_on_leaving(job), watch.interruptible():
        record_facts(ledger, record.id, data)
        _tell_start(job, reference)
        watch.note = lambda name, done, total: job.event(
            "progress", f"{name} {done:g} of {total:g}", {"stage": name, "done": done, "total": total}
        )
        with stage(job, "compress", len(config.steps)):
            parent = _record_teacher(job, teacher) if teacher else None
            chain = Chain(job, "winner", {"name": short_name(config.model)}, None, parent)
            chain.run("given", lambda: given, {}, config.steps)
            shipped = ship(job)
        if shipped is None:
            raise Infeasible(
                f"neither the model nor what was made of it meets every limit. {nearest_miss(job)} Raise `limits`."
            )
        ledger.set_state(job.id, "done")


def _given(config: RecipeConfig, data: Data) -> Variant:
    try:
        network = load_given(config.model, config.choose)
        return Variant(describe_given(network, config.model, data), network)
    except (GivenError, ExportError) as error:
        raise ConfigError(f"error: {error}") from error


def _teacher(config: RecipeConfig, given: Variant, data: Data) -> tuple[nn.Module, Foreign] | None:
    """The network that steps learn from and its description: one of the user's, or the model as it was given."""
    if isinstance(given.network, OnnxFile):
        return None
    assert isinstance(given.arch, Foreign)
    if not config.teacher and any(name == "train" for name, _ in config.steps):
        return None  # what is trained here has nothing to teach before
    if not config.teacher:
        return given.network, given.arch
    name = short_name(config.teacher)
    try:
        network = load_given(config.teacher)
        classes = answers(network, name, data)
        if classes != len(data.classes):
            raise GivenError(f"the teacher {name} knows {classes} classes, the data has {len(data.classes)}.")
        return network, describe_given(network, config.teacher, data)
    except (GivenError, ExportError) as error:
        raise ConfigError(f"error: {error}") from error


def _exported(given: Variant, context: Context, name: str) -> Path:
    """The model's float file, beside which all others are measured."""
    try:
        made = file_of(given, context)
    except ExportError as error:
        raise ConfigError(f"error: {name}: {error}") from error
    return made.rename(context.folder / "reference.onnx")


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


def _record_teacher(job: Job, teacher: tuple[nn.Module, Foreign]) -> tuple[nn.Module, Parent]:
    network, arch = teacher
    reason = "a network of the user's" if job.config.teacher else "the model as it was given"
    record = VariantRecord(
        arch.id, "teacher", "given", {}, "float32", "start", reason=reason, architecture=architecture_record(arch)
    )
    return network, Parent(job.ledger.record_variant(job.id, record), "teacher")


def _digest(network: nn.Module) -> str:
    """sha256 of the file or of the tensors: a model that changed is another study."""
    if isinstance(network, OnnxFile):
        return sha256_of(network.path)
    return hashlib.sha256(weights_bytes(network)).hexdigest()
