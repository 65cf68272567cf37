"""The rung between shared weights and a full training: a share of the first step's epochs, on what shared weights give.

It is a training of its own whose rate ends at nothing, so that what it reaches can be compared; the first step then has
the epochs that are left. Weights and qualities are recorded, so a resumed study does not train in short again.
"""

from dataclasses import dataclass, replace
from typing import Any

import safetensors.torch
from torch import nn

from compress.context import Context
from compress.evaluate import evaluate
from compress.recipe import Step
from compress.variant import Variant
from search.config.study import StudyConfig
from search.config.winner_steps import TRAINING, epochs_of, winner_steps, with_epochs
from search.screen import evaluations, extract_calibrated
from search.state.records import TrialRecord
from search.state.weights import weights_bytes
from search.study import Study
from search.supernet.shared_weights import Supernet
from spaces.architecture import Architecture
from spaces.windows import extract


@dataclass(frozen=True)
class Rungs:
    """How many epochs of the first step are the short training, of how many, and how many networks it is for. budget:
    epochs of all steps that may be spent. whole: those that one network takes through all steps."""

    epochs: int
    of: int
    candidates: int
    budget: int
    whole: int

    def finalists(self, candidates: int) -> int:
        """So many of them can be trained to the end: at least one."""
        return max(1, (self.budget - candidates * self.epochs) // (self.whole - self.epochs))


def rungs(config: StudyConfig) -> Rungs | None:
    """None where no extra network is wanted or can be paid for, or the recipe does not begin with a training that can
    be parted: of two epochs or more, and without an assistant, which would be found anew for each part."""
    wanted, steps = config.compress, winner_steps(config)
    if not steps or steps[0][0] not in TRAINING:
        return None
    first: Any = steps[0][1]
    of, whole = first.epochs, epochs_of(steps)
    if of < 2 or getattr(first, "assistant", "none") != "none":
        return None
    short, budget = min(max(1, round(wanted.short * of)), of - 1), wanted.keep * whole
    candidates = min(wanted.keep + wanted.extra, (budget - whole) // short + 1)  # at least one goes on
    return Rungs(short, of, candidates, budget, whole) if candidates > wanted.keep else None


def steps_to_take(config: StudyConfig) -> int:
    """Short trainings, and steps of the winners and of two baselines: at most so many, for the progress."""
    plan = rungs(config)
    winners = plan.finalists(plan.candidates) if plan else config.compress.keep
    return (plan.candidates if plan else 0) + (winners + 1) * len(winner_steps(config)) + len(config.steps)


def train_short(
    trial: TrialRecord, supernet: Supernet, teacher: nn.Module | None, study: Study, epochs: int
) -> TrialRecord:
    """The trial with its qualities after `epochs` epochs of the first step; from the record where they are there.

    Raises: StepError, NonFiniteLoss: if the network cannot be trained so.
    """
    assert trial.architecture is not None
    if any(e.fidelity == "short" for e in trial.evaluations):
        return trial
    context = Context(study.data, teacher, study.folder, study.seed, before_step=study.watch.check)
    arch = Architecture.from_json(trial.architecture.json)
    start = Variant(arch, extract_calibrated(supernet, arch, study))
    network = with_epochs(winner_steps(study.config)[0][1], epochs)(start, context).network
    found = evaluations(evaluate(network, study.data, study.data.validation), "validation", "short")
    study.ledger.save_checkpoint(study.id, _name(trial), weights_bytes(network))
    study.ledger.record_evaluations(study.id, trial, found)
    return replace(trial, evaluations=(*trial.evaluations, *found))


@dataclass(frozen=True)
class Begun:
    """A network after its short training, how many epochs that had, and the recipe with those that are left."""

    network: nn.Module
    epochs: int
    left: tuple[tuple[str, Step], ...]


def begun(trial: TrialRecord, study: Study) -> Begun | None:
    """What the trial's short training left; None if it had none."""
    plan = rungs(study.config)
    weights = study.ledger.load_checkpoint(study.id, _name(trial)) if plan else None
    if plan is None or weights is None or trial.architecture is None:
        return None
    network = extract(safetensors.torch.load(weights), Architecture.from_json(trial.architecture.json))
    (name, first), *rest = winner_steps(study.config)
    return Begun(network, plan.epochs, ((name, with_epochs(first, plan.of - plan.epochs)), *rest))


def _name(trial: TrialRecord) -> str:
    return f"short-{trial.number}"
