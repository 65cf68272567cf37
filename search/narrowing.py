"""What the training of the shared weights says about the space: options that it cut, and the network that it prefers.

Both are events of the study, so a resumed study searches the same space from the same starts.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search.errors import Infeasible
from search.limits import feasible_sample
from search.report.cuts import KIND, PREFERRED
from search.supernet.cutting import Allows, Cuts, cut_of
from search.supernet.rules.relaxed import Relaxed, most_likely
from spaces.architecture import Architecture
from spaces.counts import count
from spaces.space import SearchSpace, decide

if TYPE_CHECKING:
    from search.state.ledger import Ledger
    from search.study import Study
    from search.supernet.checkpoint import Course


def remaining(ledger: Ledger, study_id: int, space: SearchSpace) -> SearchSpace:
    """What the study's training has left of its space."""
    return Cuts(found=[cut_of(tree) for tree in ledger.event_data(study_id, KIND)]).applied(space)


def preferred(ledger: Ledger, study_id: int) -> tuple[Architecture, ...]:
    """The network that a rule which learns what to draw would draw; none with other rules."""
    found = ledger.event_data(study_id, PREFERRED)
    return (Architecture.from_json(found[-1]["architecture"]),) if found else ()


def record_cuts(study: Study, course: Course) -> None:
    """Write the cuts that are not in the log yet."""
    known = len(study.ledger.event_data(study.id, KIND))
    for cut in course.cuts.found[known:]:
        study.event(KIND, cut.sentence, vars(cut) | {"option": vars(cut.option)})


def record_preferred(study: Study, course: Course) -> None:
    """Write what a rule that learns what to draw has learned, once."""
    rule = study.config.supernet.rule
    if not isinstance(rule, Relaxed) or preferred(study.ledger, study.id):
        return
    arch = most_likely(rule, study.space, course.memory)
    chances = {name: logits.softmax(0).tolist() for name, logits in course.memory.get("logits", {}).items()}
    text = f"most likely network of the relaxation: {arch.describe()}"
    study.event(PREFERRED, text, {"architecture": arch.to_json(), "probabilities": chances})


def keeps_feasible(whole: SearchSpace, limits: Mapping[str, float], weight_bytes: int) -> Allows:
    """Whether a part of the `whole` space still has a network within the limits. A limit that must be measured asks for
    more: nothing may go that the cheapest network needs."""
    exact = {name: value for name, value in limits.items() if "@" not in name}
    least = least_macs(whole)

    def allows(space: SearchSpace) -> bool:
        try:
            feasible_sample(space, exact, weight_bytes, random.Random(0))
        except Infeasible:
            return False
        return len(exact) == len(limits) or least_macs(space) <= least

    return allows


def least_macs(space: SearchSpace) -> int:
    """Multiply-adds of the cheapest network: everything least, and of every stage the cheapest kind."""
    kinds: dict[str, int] = {}

    def macs(stage: str, kind: int) -> int:
        def pick(name: str, options: tuple[Any, ...]) -> Any:
            if ".block" in name and name.count(".") == 1:
                own = name.partition(".")[0]
                return kind if own == stage else kinds.get(own, 0)
            return options[0] if isinstance(options[0], str) else min(options)

        return count(decide(space, pick)).macs

    for i, stage in enumerate(space.stages):
        kinds[f"stage{i}"] = min(range(len(stage.blocks)), key=lambda kind, name=f"stage{i}": macs(name, kind))
    return macs("", 0)
