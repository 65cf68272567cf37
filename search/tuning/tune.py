"""`search tune`: look for the recipe that makes a trained network fastest within the accuracy it may cost."""

import json
from collections.abc import Sequence
from typing import Any

from compress.recipe import STEPS
from search.choosing import mark_shipped, nearest_miss, siblings
from search.compressing import Job, opened
from search.config.recipe import RecipeConfig
from search.config.tune import Tune
from search.errors import Infeasible
from search.stages import stage
from search.state.ledger import Ledger
from search.state.records import VariantRecord
from search.tuning.chosen import choose, measure_front
from search.tuning.earlier import earlier_recipes
from search.tuning.problem import Problem, Proposal
from search.tuning.samplers import TUNERS
from search.tuning.seen import Seen, best
from search.tuning.space import Candidate, RecipeSpace, settings_of
from search.tuning.tree import Tree
from search.watch import Watch

PROPOSAL = "proposal"  # the events that say what was begun
ENOUGH, WORTH = 2, 0.4  # pairs of look and whole to judge by; the part of a whole's time that a look may take


def tune(config: RecipeConfig, ledger: Ledger, watch: Watch) -> None:
    """Search until the budget is used, measure the front thoroughly, choose, read the test part, say what is shipped.

    Resumable: what is recorded is not repeated, and what was begun is finished first. Raises: as `compress_given`.
    """
    assert config.tune is not None
    settings = config.tune.settings
    with opened(config, ledger, watch) as job:
        if job is None:
            return
        space = RecipeSpace(config.tune.space.choices, config.tune.space.orders, len(job.starts))
        with stage(job, "tune"):
            tree = Tree(job, settings)
            _search(job, tree, space, settings)
        with stage(job, "front"):
            measure_front(job, tree)
            chosen = choose(job, tree)
        if chosen is None:
            raise Infeasible(
                f"neither a model nor what was made of it meets every limit. {nearest_miss(job)} Raise `limits`."
            )
        variants = [v for v in ledger.variants(job.id) if v.model]
        mark_shipped(job, [chosen], [*siblings(variants, chosen), *_start_of(variants, chosen)])
        ledger.set_state(job.id, "done")


def _search(job: Job, tree: Tree, space: RecipeSpace, settings: Tune) -> None:
    """Propose and try until nothing of the budget, or of the space, is left."""
    propose, max_drop = TUNERS.get(settings.sampler), job.config.compress.max_drop
    earlier = earlier_recipes(job.ledger, job.id, space, max_drop, settings.warm)
    begun = job.ledger.event_data(job.id, PROPOSAL)
    pending = _read(begun[-1]) if begun else None

    def tell(share: float, text: str) -> None:
        job.watch.advance(_used(tree, settings, share), text)

    if pending is not None and not tree.has(pending):
        tree.grow(pending, tell)
    while _used(tree, settings) < 1:
        job.watch.check()
        seen = tree.seen()
        looks = settings.looks_first and looks_pay(seen)
        problem = Problem(space, seen, max_drop, looks, earlier, settings.aim == "front")
        proposal = propose(problem, job.seed * 100_003 + len(begun))
        if proposal is None:
            job.watch.say(f"All {len(space)} recipes were tried.")
            break
        begun.append(_written(proposal))
        what = "look at" if proposal.is_look else "try"
        job.event(PROPOSAL, f"{what} {space.describe(proposal.candidate)}", begun[-1])
        tree.grow(proposal, tell)
        tell(0.0, _line(tree, space, max_drop))


def looks_pay(seen: Sequence[Seen]) -> bool:
    """Whether a short look takes clearly less time than the whole, by the recipes of which both are known; true while
    they are few. Where exporting and measuring takes longer than training, looks are a waste."""
    took: dict[Candidate, dict[bool, float]] = {}
    for one in seen:
        if one.numbers is not None and one.candidate.steps and getattr(one.candidate.steps[-1][1], "epochs", 0) > 0:
            took.setdefault(one.candidate, {})[one.is_look] = one.seconds
    both = [pair for pair in took.values() if len(pair) == 2]
    return len(both) < ENOUGH or sum(pair[True] for pair in both) < WORTH * sum(pair[False] for pair in both)


def _used(tree: Tree, settings: Tune, share: float = 0.0) -> float:
    """The part of the budget that is used, 0 to 1; `share`: of the variant at work."""
    made = tree.made
    shares = [0.0]
    if settings.evaluations:
        shares.append((len(made) + min(share, 0.99)) / settings.evaluations)
    if settings.minutes:
        shares.append(sum(record.seconds for record in made) / 60 / settings.minutes)
    return min(1.0, max(shares))


def _line(tree: Tree, space: RecipeSpace, max_drop: float) -> str:
    """What is best so far, in a few words."""
    seen = tree.seen()
    found, start = best(seen, max_drop), next(one for one in seen if not one.candidate.steps)
    if found is None or found.numbers is None or start.numbers is None:
        return f"{len(tree.made)} variants, nothing within the limits yet"
    speed = start.numbers.latency_ms / found.numbers.latency_ms
    return f"{len(tree.made)} variants, best {speed:.2f}x: {space.describe(found.candidate)}"


def _written(proposal: Proposal) -> dict[str, Any]:
    """A proposal as JSON has it."""
    steps = [[name, settings_of(step)] for name, step in proposal.candidate.steps]
    return json.loads(json.dumps({"start": proposal.candidate.start, "steps": steps, "is_look": proposal.is_look}))


def _read(tree: dict[str, Any]) -> Proposal:
    """The inverse of `_written`."""
    steps = tuple((name, STEPS.get(name)(**settings)) for name, settings in tree["steps"])
    return Proposal(Candidate(tree["start"], steps), tree["is_look"])


def _start_of(variants: list[VariantRecord], chosen: VariantRecord) -> list[VariantRecord]:
    """The start that the chosen variant was made from, if it is another one."""
    by_id = {variant.id: variant for variant in variants}
    first = chosen
    while (base := next((p.id for p in first.parents if p.role == "base"), None)) in by_id:
        first = by_id[base]
    return [first] if first.id != chosen.id else []
