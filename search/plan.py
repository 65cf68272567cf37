"""What a study will do, before it does it."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from compress.recipe import asks_teacher
from search.class_counts import counts_of, spread, too_few
from search.config.recipe import RecipeConfig
from search.config.study import StudyConfig
from search.config.winner_steps import epochs_of, winner_steps
from search.fidelities.short import rungs
from search.limits import exact_values, excess, feasible_sample
from search.report.words import counted, screened
from search.stitching.config import StitchConfig
from search.study import exact_limits
from search.watch import duration
from spaces.architecture import Architecture
from spaces.counts import count
from spaces.network import build
from spaces.registry import nearest
from spaces.space import SearchSpace, largest, sample, size
from spaces.tasks import Data, Table

SAMPLES = 200
STEP_S = 1.0  # exporting, evaluating and measuring one network, with the first export that loads the exporter shared


@dataclass(frozen=True)
class Costs:
    """Seconds: an epoch of the supernet, the screening of one trial, an epoch of a random network and of a largest."""

    supernet_epoch_s: float
    trial_s: float
    network_epoch_s: float
    teacher_epoch_s: float


def headline(config: StudyConfig | RecipeConfig | StitchConfig, db: str) -> str:
    """One line at the start of a run."""
    if isinstance(config, StitchConfig):
        stitching = config.stitching
        small, large = (f"{stitching.of}:{id}" for id in (stitching.small, stitching.large))
        return f"study {config.study}   between {small} and {large}   {db}"
    if isinstance(config, RecipeConfig):
        steps = " -> ".join(name for name, _ in config.steps)
        if config.tune:
            steps = f"{len(config.tune.space):,} recipes with {config.tune.settings.sampler}"
        return f"study {config.study}   {config.source}   {steps}   judged on {config.device}   {db}"
    objectives = ", ".join(f"{o.name} {o.direction}" for o in config.objectives)
    return f"study {config.study}   {objectives}   {_trials(config)}   {db}"


def _trials(config: StudyConfig) -> str:
    how = screened(config.search.screen)
    return f"{counted(config.search.trials, 'trial')} with {config.search.sampler}" + (f", {how}" if how else "")


def check_space(config: StudyConfig) -> str:
    """Load the data, build random networks, and say what the space holds. Raises: Infeasible, DataError."""
    data = config.task.load()
    space = config.space(data)
    rng = random.Random(config.search.seed)
    archs = [sample(space, rng) for _ in range(SAMPLES)]
    for arch in archs[:5]:
        build(arch)
    counts = [count(arch) for arch in archs]
    limits, weight_bytes = exact_limits(config)
    feasible_sample(space, limits, weight_bytes, rng)
    inside = sum(not excess(exact_values(c, weight_bytes), limits) for c in counts)
    lines = [
        f"study       {config.study}",
        f"data        {_held(data)}, {len(data.classes)} classes, "
        f"{'images' if space.dims == 2 else 'series'} {'x'.join(map(str, data.input_shape))}",
        *([] if data.scores else [*_class_lines(data), f"test        {_test_part(config.task)}"]),
        f"space       {size(space):.2e} architectures",
        *_too_many_strides(space),
        f"parameters  {min(c.params for c in counts):,} to {max(c.params for c in counts):,} in {SAMPLES} random ones",
        f"MACs        {min(c.macs for c in counts):,} to {max(c.macs for c in counts):,}",
        f"limits      {_met(config, inside) if config.limits else 'none'}",
    ]
    return "\n".join(lines)


def _class_lines(data: Data) -> list[str]:
    """How many examples classes have, and whom that is too few of."""
    counts = counts_of(data)
    lacking = too_few(counts, data.classes)
    return [f"classes     {spread(counts, data.classes)}", *([f"warning     {lacking}"] if lacking else [])]


def _too_many_strides(space: SearchSpace) -> list[str]:
    """A warning where the resolution would fall below one position."""
    side = max(space.input_shape[1:])
    product = space.stem_stride * prod(stage.stride for stage in space.stages)
    if product <= side:
        return []
    return [
        f"warning     the strides multiply to {product}, and the input is {side} wide: its last stages see a single "
        "position, where they cannot tell shapes apart. Lower some `stride`."
    ]


def _met(config: StudyConfig, inside: int) -> str:
    """What is known of limits beforehand; inside: how many of the random networks meet those that are exact."""
    exact, _ = exact_limits(config)
    known = f"{inside / SAMPLES:.0%} of the random ones meet {', '.join(exact)}" if exact else ""
    measured = [name for name in config.limits if name not in exact]
    return "; ".join(filter(None, [known, f"{', '.join(measured)} will be measured" if measured else ""]))


def _test_part(task: Any) -> str:
    """Where the examples come from that final numbers are of. They are not opened for this."""
    if missing := missing_test_part(task):
        return missing
    apart = getattr(task, "test_path", "") or getattr(task, "test_x", "")
    share = getattr(task, "test", 0.0)
    return f"{apart or (f'{share:.0%} of the examples' if share else 'as the task has it')}, read once at the end"


def missing_test_part(task: Any) -> str:
    """One sentence where a test part is named that is not there: it may come later, or be misspelled."""
    path = getattr(task, "test_path", "")
    if not path or Path(path).exists():
        return ""
    folder = Path(path).parent
    close = nearest(Path(path).name, [p.name for p in folder.iterdir()]) if folder.is_dir() else None
    hint = f" Did you mean {close!r}?" if close else ""
    return f"there is no {path}, and the end of the study will want it.{hint}"


def _held(data: Data) -> str:
    if data.scores is not None:
        return f"a table of {len(data.scores.known):,} trained networks"
    return f"{len(data.train.y):,} to train, {len(data.validation.y):,} to validate"


def print_plan(config: StudyConfig) -> None:
    """The stages with what each will do, and an estimate of the time from a few timed steps on this machine."""
    print(check_space(config))
    if isinstance(config.task, Table):
        print(f"1 search    {_trials(config)}, as many random ones: looked up")
        return
    costs, minutes = estimate_seconds(config), config.supernet.minutes
    supernet_s = config.supernet.epochs * costs.supernet_epoch_s
    supernet_s = min(supernet_s, 60 * minutes) if minutes else supernet_s
    search_s = 2 * config.search.trials * costs.trial_s + config.search.exports * 0.5
    winners_s, raced = _winners_s(config, costs), rungs(config)
    bound = f" or {counted(minutes, 'minute')}" if minutes else ""
    recipe = " -> ".join(name for name, _ in config.steps) or "no steps"
    winners, epochs = counted(config.compress.keep, "network"), counted(epochs_of(winner_steps(config)), "epoch")
    if raced:
        ends = raced.finalists(raced.candidates)
        winners = f"{raced.candidates} networks for {raced.epochs} of {raced.of} epochs, at most {ends} of them"
    print(
        f"1 supernet  {counted(config.supernet.epochs, 'epoch')}{bound}: about {duration(supernet_s)}\n"
        f"2 search    {_trials(config)}, as many random ones, at most "
        f"{config.search.exports} measured: about {duration(search_s)}\n"
        f"3 winners   {winners} and 2 baselines through {recipe}, {epochs} each: "
        f"about {duration(winners_s)}\n"
        f"estimate    {duration(supernet_s + search_s + winners_s)} in all, from a few steps timed just now"
    )


def _winners_s(config: StudyConfig, costs: Costs) -> float:
    """The hand-made network alone, the teacher, then every chain, whose steps may ask the teacher too: a third of what
    training it takes. Where no step asks, none is trained."""
    steps, taken = winner_steps(config), config.compress.keep + 1  # the random baseline takes them too
    epochs = taken * epochs_of(steps) + config.supernet.epochs + epochs_of(config.steps)
    taught = epochs_of([(name, step) for name, step in steps if asks_teacher(step)])
    teacher_epochs = config.compress.teacher_epochs + taken * taught / 3 if taught else 0.0
    measured_s = STEP_S * (taken + 1) * (1 + len(steps))
    return epochs * costs.network_epoch_s + teacher_epochs * costs.teacher_epoch_s + measured_s


def estimate_seconds(config: StudyConfig) -> Costs:
    """From a few steps on this machine as it is now, of random networks and a largest one: a minute on CIFAR-10."""
    from torch.nn.functional import cross_entropy

    from compress.evaluate import evaluate
    from compress.processor import processor, visiting
    from compress.recalibrate import IMAGES, recalibrate
    from compress.threads import settle
    from compress.train import batches
    from search.supernet.shared_weights import build_supernet
    from search.supernet.training import train_step

    data = config.task.load()
    space, rng = config.space(data), random.Random(0)
    supernet = build_supernet(space, config.search.seed).train()
    here = processor()
    batch = next(batches(data, config.supernet.batch, 0, 0)).on(here)
    steps = max(1, len(data.train.y) // len(batch.y))

    def epoch_s(arch: Architecture) -> float:
        network = supernet.extract(arch).train()
        with visiting(network):
            return steps * _seconds(lambda _: cross_entropy(network(batch.x), batch.y).backward())

    def screen(arch: Architecture) -> None:
        network = supernet.extract(arch)
        recalibrate(network, data.normalise(data.train.x[:IMAGES]))
        evaluate(network, data, data.validation.first(config.search.images))

    def train(number: int) -> None:
        train_step(supernet, batch, config.supernet, config.search.seed, number, done=1.0)

    with visiting(supernet):
        settle(train, here)
        step_s = _seconds(train)
    return Costs(
        supernet_epoch_s=steps * step_s,  # at the end of training, where a step is as costly as it gets
        trial_s=_seconds(lambda i: screen(sample(space, random.Random(i)))),
        network_epoch_s=epoch_s(sample(space, rng)),
        teacher_epoch_s=epoch_s(largest(space, rng)),
    )


def _seconds(work: Callable[[int], object]) -> float:
    """Of the middle one of three runs; each is told its number."""
    from compress.processor import finish, processor

    took = []
    for number in range(3):
        began = time.monotonic()
        work(number)
        finish(processor())
        took.append(time.monotonic() - began)
    return sorted(took)[1]
