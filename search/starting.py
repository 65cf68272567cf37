"""What compression starts from: a model of the user's, or recorded variants of a study of the database."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import safetensors.torch
from torch import nn

from compress.artifact import sha256_of
from compress.export import ExportError
from compress.foreign import Description, Foreign, description_of, rebuilt
from compress.given import (
    GivenError,
    answers,
    check_training,
    describe_given,
    in_its_order,
    load_given,
    short_name,
)
from compress.onnx_file import OnnxFile
from compress.recipe import Step
from compress.variant import Variant
from search.config.recipe import RecipeConfig, is_recipe
from search.errors import ConfigError, NotFound
from search.report.summary import evaluation_of
from search.state.ledger import Ledger
from search.state.records import Role, StudyRecord, VariantRecord, is_teacher
from search.state.weights import stored_network, weights_bytes
from spaces.tasks import Data

WINNERS: tuple[Role, ...] = ("winner",)
BOTH: tuple[Role, ...] = ("winner", "baseline")  # the baselines are trained as well, and may be better than they seem


@dataclass(frozen=True)
class Start:
    """A trained network. name: for people. source: what a recipe writes to name it again, a model or STUDY:ID."""

    name: str
    source: str
    variant: Variant


def starts_of(config: RecipeConfig, ledger: Ledger, data: Data) -> list[Start]:
    """The model, or the trained networks of a study, its baselines among them, the most accurate first.

    Raises: ConfigError: if it does not fit the data. NotFound: if there is no such study or variant.
    """
    if not config.variant:
        return [Start(short_name(config.model), config.model, _given(config, data))]
    study, records = recorded_starts(config, ledger, data)
    code = _code_of(study, data)
    return [
        Start(f"{study.name}:{record.id}", f"{study.name}:{record.id}", _recorded(record, code, ledger))
        for record in records
    ]


def recorded_starts(config: RecipeConfig, ledger: Ledger, data: Data) -> tuple[StudyRecord, list[VariantRecord]]:
    """The study that `variant` names, and the rows to start from. Raises: ConfigError: if it is of other data.
    NotFound."""
    study, records = _records(config.variant, ledger, BOTH if config.tune or ":" in config.variant else WINNERS)
    if study.data_hash != data.digest:
        raise ConfigError(f"error: {_other_data(study.name, study.config.get('task') or {}, config.tree['task'])}")
    return study, records


def _other_data(name: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """In what a recipe's task is not that of the study whose networks it takes, and what to do."""
    differing = [key for key in dict.fromkeys((*theirs, *ours)) if theirs.get(key) != ours.get(key)]
    if not differing:
        return (
            f"the data has changed since study {name!r} read it, or an older Lathe drew its parts otherwise. Bring it "
            "back, or run a study on what is there."
        )
    theirs_said, ours_said = (
        ", ".join(f"{key}: {task[key]}" for key in differing if key in task) or "nothing of that"
        for task in (theirs, ours)
    )
    return (
        f"study {name!r} was made with other data: its task says {theirs_said}, the recipe's {ours_said}. "
        "Write the same, or name the study's space file: --data SPACE.yaml"
    )


def teacher_of(
    config: RecipeConfig, starts: Sequence[Start], ledger: Ledger, data: Data
) -> tuple[nn.Module, Description, str] | None:
    """(network, description, whose it is): one of the user's, the most accurate of the study's, or the model as it was
    given. None for an ONNX file, which cannot teach.

    A study's networks may well have overtaken the one that taught them.
    """
    given = starts[0].variant
    if config.teacher:
        return (*_users_teacher(config, data), "a network of the user's")
    if isinstance(given.network, OnnxFile):
        return None
    if any(name == "train" for name, _ in config.steps) or (config.tune and "train" in config.tune.space.choices):
        return None  # what is trained here has nothing to teach before
    if config.variant:
        return _best_of(config.variant.partition(":")[0], ledger, data)
    return given.network, given.arch, "the model as it was given"


def digest_of(starts: Sequence[Start]) -> str:
    """sha256 of the file or of the tensors: a model that changed is another study."""
    found = [_digest(start.variant.network) for start in starts]
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def _given(config: RecipeConfig, data: Data) -> Variant:
    try:
        network = in_its_order(load_given(config.model, config.choose), data)
        arch = describe_given(network, config.model, data)
        if any(getattr(step, "epochs", 0) > 0 for step in _may_be_taken(config)):
            check_training(network, short_name(config.model), data)
        return Variant(arch, network)
    except (GivenError, ExportError) as error:
        raise ConfigError(f"error: {error}") from error


def _may_be_taken(config: RecipeConfig) -> list[Step]:
    """The steps of a recipe, or all of which recipes are made."""
    return [step for _, step in config.steps] + [
        step for steps in (config.tune.space.choices.values() if config.tune else ()) for step in steps
    ]


def _users_teacher(config: RecipeConfig, data: Data) -> tuple[nn.Module, Foreign]:
    name = short_name(config.teacher)
    try:
        network = in_its_order(load_given(config.teacher), data)
        classes = answers(network, name, data)
        if classes != len(data.classes):
            raise GivenError(f"the teacher {name} knows {classes} classes, the data has {len(data.classes)}.")
        return network, describe_given(network, config.teacher, data)
    except (GivenError, ExportError) as error:
        raise ConfigError(f"error: {error}") from error


def _best_of(name: str, ledger: Ledger, data: Data) -> tuple[nn.Module, Description, str]:
    """The most accurate network of a study, who taught the others among them."""
    study, trained = _records(name, ledger, BOTH)
    teachers = [v for v in ledger.variants(study.id) if is_teacher(v) and v.weights and v.architecture]
    best = max([*teachers[-1:], *trained], key=_accuracy)
    variant = _recorded(best, _code_of(study, data), ledger)
    whose = f"the teacher of study {name}" if is_teacher(best) else f"{name}:{best.id}, the most accurate of its study"
    return variant.network, variant.arch, whose


def _code_of(study: StudyRecord, data: Data) -> nn.Module | None:
    """A user's network, where the study is about one."""
    if not is_recipe(study.config) or "model" not in study.config:
        return None
    return in_its_order(load_given(str(study.config["model"]), study.config.get("choose") or {}), data)


def _records(named: str, ledger: Ledger, roles: Collection[Role]) -> tuple[StudyRecord, list[VariantRecord]]:
    """The study and its variants that `STUDY` (of these roles) or `STUDY:ID` names."""
    name, colon, wanted = named.partition(":")
    study = ledger.study(name)
    variants = [v for v in ledger.variants(study.id) if v.weights and v.precision == "float32" and v.role in roles]
    if colon:
        found = [v for v in variants if str(v.id) == wanted]
        if not found:
            known = ", ".join(f"{v.id} ({v.step})" for v in variants[:20]) or "none"
            raise NotFound(f"study {name!r} has no float32 network {wanted!r}. It has: {known}.")
        return study, found
    found = _trained(variants)
    if not found:
        raise NotFound(f"study {name!r} has no trained network yet; it is {study.state}.")
    return study, found


def _trained(variants: Sequence[VariantRecord]) -> list[VariantRecord]:
    """Of every chain the most accurate variant that is not smaller than its start."""
    heads: dict[int, list[VariantRecord]] = {}
    of: dict[int, int] = {}
    for variant in variants:
        base = next((p.id for p in variant.parents if p.role == "base"), None)
        if variant.id is None or variant.verdict == "rejected" or (base is not None and base not in of):
            continue
        of[variant.id] = variant.id if base is None else of[base]
        heads.setdefault(of[variant.id], []).append(variant)
    chosen = [max((v for v in c if v.architecture_id == c[0].architecture_id), key=_accuracy) for c in heads.values()]
    return sorted(chosen, key=_accuracy, reverse=True)


def _accuracy(variant: VariantRecord) -> float:
    found = evaluation_of(variant.evaluations, "accuracy", "validation")
    return found.value if found else 0.0


def _recorded(record: VariantRecord, code: nn.Module | None, ledger: Ledger) -> Variant:
    assert record.architecture is not None and record.weights is not None
    arch = description_of(record.architecture.json)
    if not isinstance(arch, Foreign):
        return Variant(arch, stored_network(ledger.store, record))
    if code is None:
        raise NotFound(f"{record.architecture_id[:12]} is a network of a user's, whose code the study does not name.")
    return Variant(arch, rebuilt(code, safetensors.torch.load_file(ledger.store.path(record.weights))))


def _digest(network: nn.Module) -> str:
    if isinstance(network, OnnxFile):
        return sha256_of(network.path)
    return hashlib.sha256(weights_bytes(network)).hexdigest()
