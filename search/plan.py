"""What a study will do, before it does it."""

import random
import time

from search.config.recipe import RecipeConfig
from search.config.study import StudyConfig
from search.fidelities.short import rungs
from search.limits import exact_values, excess, feasible_sample
from search.report.words import screened
from search.stitching.config import StitchConfig
from search.watch import duration
from spaces.counts import count
from spaces.network import build
from spaces.space import sample, size
from spaces.tasks import Data, Table

SAMPLES = 200
STEP_S = 1.0  # exporting, evaluating and measuring one network, with the first export that loads the exporter shared


def headline(config: StudyConfig | RecipeConfig | StitchConfig, db: str) -> str:
    """One line at the start of a run."""
    if isinstance(config, StitchConfig):
        stitching = config.stitching
        return f"study {config.study}   between {stitching.of}:{stitching.small} and :{stitching.large}   {db}"
    if isinstance(config, RecipeConfig):
        steps = " -> ".join(name for name, _ in config.steps)
        if config.tune:
            steps = f"{len(config.tune.space):,} recipes with {config.tune.settings.sampler}"
        return f"study {config.study}   {config.source}   {steps}   judged on {config.device}   {db}"
    objectives = ", ".join(f"{o.name} {o.direction}" for o in config.objectives)
    return f"study {config.study}   {objectives}   {_trials(config)}   {db}"


def _trials(config: StudyConfig) -> str:
    how = screened(config.search.screen)
    return f"{config.search.trials} trials with {config.search.sampler}" + (f", {how}" if how else "")


def check_space(config: StudyConfig) -> str:
    """Load the data, build random networks, and say what the space holds. Raises: Infeasible, DataError."""
    data = config.task.load()
    space = config.space(data)
    rng = random.Random(config.search.seed)
    archs = [sample(space, rng) for _ in range(SAMPLES)]
    for arch in archs[:5]:
        build(arch)
    counts = [count(arch) for arch in archs]
    limits = {name: value for name, value in config.limits.items() if "@" not in name}
    weight_bytes = 1 if any(name == "quantize" for name, _ in config.steps) else 4
    feasible_sample(space, limits, weight_bytes, rng)
    inside = sum(not excess(exact_values(c, weight_bytes), limits) for c in counts)
    lines = [
        f"study       {config.study}",
        f"data        {_held(data)}, {len(data.classes)} classes, "
        f"{'images' if space.dims == 2 else 'series'} {'x'.join(map(str, data.input_shape))}",
        f"space       {size(space):.2e} architectures",
        f"parameters  {min(c.params for c in counts):,} to {max(c.params for c in counts):,} in {SAMPLES} random ones",
        f"MACs        {min(c.macs for c in counts):,} to {max(c.macs for c in counts):,}",
        f"limits      {inside / SAMPLES:.0%} of the random ones meet the exact limits"
        if limits
        else "limits      none that need no measurement",
    ]
    return "\n".join(lines)


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
    supernet_s, trial_s, epoch_s = estimate_seconds(config)
    minutes = config.supernet.minutes
    supernet_s = min(supernet_s, 60 * minutes) if minutes else supernet_s
    chains, raced = config.compress.keep + 2, rungs(config)
    epochs = sum(getattr(step, "epochs", 0) for _, step in config.steps)
    search_s = 2 * config.search.trials * trial_s + config.search.exports * 0.5
    winners_s = chains * (epochs * epoch_s + STEP_S * (1 + len(config.steps))) + config.supernet.epochs * epoch_s
    bound = f" or {minutes:g} minutes" if minutes else ""
    recipe = " -> ".join(name for name, _ in config.steps) or "no steps"
    winners = f"{config.compress.keep} networks"
    if raced:
        ends = raced.finalists(raced.candidates)
        winners = f"{raced.candidates} networks for {raced.epochs} of {raced.of} epochs, at most {ends} of them"
    print(
        f"1 supernet  {config.supernet.epochs} epochs{bound}: about {duration(supernet_s)}\n"
        f"2 search    {_trials(config)}, as many random ones, at most "
        f"{config.search.exports} measured: about {duration(search_s)}\n"
        f"3 winners   {winners} and 2 baselines through {recipe}: about {duration(winners_s)}\n"
        f"estimate    {duration(supernet_s + search_s + winners_s)} in all, from a few steps timed just now"
    )


def estimate_seconds(config: StudyConfig) -> tuple[float, float, float]:
    """(supernet training, screening one trial, one epoch of one network) on this machine as it is now."""
    from compress.evaluate import evaluate
    from compress.recalibrate import IMAGES, recalibrate
    from compress.train import batches
    from search.supernet.shared_weights import build_supernet
    from search.supernet.training import train_step

    data = config.task.load()
    space = config.space(data)
    supernet = build_supernet(space, config.search.seed).train()
    steps = max(1, len(data.train.y) // config.supernet.batch)
    batch = next(batches(data, config.supernet.batch, 0, 0))
    times = []
    for step in range(3):
        began = time.monotonic()
        train_step(supernet, batch, config.supernet, config.search.seed, step, done=1.0)  # as costly as it gets
        times.append(time.monotonic() - began)
    began = time.monotonic()
    network = supernet.extract(sample(space, random.Random(0)))
    recalibrate(network, data.normalise(data.train.x[:IMAGES]))
    evaluate(network, data, data.validation)
    step_s = sorted(times)[1]
    return config.supernet.epochs * steps * step_s, time.monotonic() - began, steps * step_s / 3
