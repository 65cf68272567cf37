"""What a search must beat: a network made by hand, and as many random ones."""

from collections.abc import Callable
from typing import Any

from search.propose import Proposal
from search.screen import screen
from search.study import Study
from search.suggest import decisions, params_of
from search.supernet import Supernet
from spaces.architecture import Architecture
from spaces.space import SearchSpace, decide

LEVELS = (0.5, 0.4, 0.3, 0.2, 0.1, 0.0)


def hand_made(space: SearchSpace, is_feasible: Callable[[Architecture], bool] = lambda _: True) -> Architecture:
    """What an engineer writes without a search: the first kind of block everywhere, every choice in the middle of its
    range, and the whole scaled down until it meets the exact limits (or is the smallest there is)."""
    arch = uniform(space, LEVELS[0])
    for level in LEVELS[1:]:
        if is_feasible(arch):
            break
        arch = uniform(space, level)
    return arch


def uniform(space: SearchSpace, level: float) -> Architecture:
    """The architecture with every ordered choice at the same relative level, 0 (least) to 1 (most)."""

    def pick(name: str, options: tuple[Any, ...]) -> Any:
        is_ordered = not isinstance(options[0], str) and not (".block" in name and name.count(".") == 1)
        return sorted(options)[round(level * (len(options) - 1))] if is_ordered else options[0]

    return decide(space, pick)


def random_baseline(study: Study, supernet: Supernet) -> None:
    """Screen as many random feasible architectures as the search tried, by the same rules, and record them."""
    target = len(study.of("search"))
    first = study.config.search.trials
    while len(study.of("random")) < target:
        study.watch.check()
        number = first + len(study.of("random"))
        arch = study.proposer.random_architecture(number)
        unused = {name: options[0] for name, options in decisions(study.space).items()}
        proposal = Proposal(number, arch, params_of(study.space, arch, unused), {})
        trial = screen(proposal, supernet, study, origin="random")
        study.add(trial)
        study.proposer.seen.add(arch.id)
        study.watch.advance(len(study.of("random")), f"{len(study.of('random'))} of {target}")
