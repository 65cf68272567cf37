"""What every tuner owes: nothing twice, nothing that was refused, the same answer to the same question."""

import random
from dataclasses import replace

import pytest

from compress.distill.step import Distill
from compress.prune.channels import Prune
from compress.quantize.step import Quantize
from compress.recipe import STEPS
from search.objectives import hypervolume
from search.tuning.problem import Problem
from search.tuning.samplers import TUNERS
from search.tuning.seen import Numbers, Seen, best, goal
from search.tuning.space import Candidate, RecipeSpace, legal_orders


def space(names: tuple[str, ...] = ("distill", "prune", "quantize")) -> RecipeSpace:
    choices = {
        "distill": tuple(Distill(loss=loss) for loss in ("logits", "dkd")),
        "prune": tuple(Prune(ratio=r, importance=i) for r in (0.25, 0.5, 0.75) for i in ("magnitude", "taylor")),
        "quantize": tuple(Quantize(kind=kind) for kind in ("int8-static", "int8-dynamic")),
    }
    return RecipeSpace({name: choices[name] for name in names}, legal_orders({name: STEPS.get(name) for name in names}))


def answer(candidate: Candidate, is_look: bool) -> Numbers:
    """A made-up network: pruning makes it fast and costs accuracy, distillation wins some of it back."""
    drop, latency, size = 0.0, 1.0, 100.0
    for _, step in candidate.steps:
        if isinstance(step, Prune):
            drop, latency, size = drop + 4 * step.ratio**2, latency * (1 - step.ratio), size * (1 - step.ratio)
        elif isinstance(step, Distill):
            drop -= 0.8 if step.loss == "dkd" else 0.4
        elif isinstance(step, Quantize):
            drop, latency, size = drop + 0.1, latency * (0.7 if step.kind == "int8-static" else 0.9), size / 4
    drop += 2.0 * is_look
    return Numbers(0.9 - drop / 100, drop, drop - 0.3, drop + 0.3, latency, size)


def problem(
    seen: list[Seen], looks_first: bool = True, among: RecipeSpace | None = None, for_front: bool = False
) -> Problem:
    return Problem(among or space(), seen, 1.0, looks_first, for_front=for_front)


def tried(
    name: str,
    seed: int,
    count: int,
    looks_first: bool = True,
    among: RecipeSpace | None = None,
    for_front: bool = False,
) -> list[Seen]:
    """What a tuner that is asked `count` times sees, without what is on the way to a recipe."""
    given = Candidate(0, ())
    seen = [Seen(given, False, answer(given, False))]
    for number in range(count):
        proposal = TUNERS.get(name)(problem(seen, looks_first, among, for_front), 1000 * seed + number)
        if proposal is None:
            break
        seen.append(Seen(proposal.candidate, proposal.is_look, answer(proposal.candidate, proposal.is_look)))
    return seen


@pytest.mark.parametrize("name", TUNERS.names())
def test_nothing_is_proposed_twice_and_all_of_a_small_space_is_reached(name: str) -> None:
    small = space(("prune", "quantize"))
    seen = tried(name, 0, 100, looks_first=False, among=small)
    whole = [one.candidate for one in seen if not one.is_look]
    assert len(set(whole)) == len(whole) == len(small) + 1


@pytest.mark.parametrize("name", TUNERS.names())
def test_a_recipe_that_trains_is_looked_at_first_and_once(name: str) -> None:
    seen = tried(name, 0, 30)
    looks = [one.candidate for one in seen if one.is_look]
    assert looks and len(set(looks)) == len(looks)
    for index, one in enumerate(seen):
        if not one.is_look and one.candidate.is_trained:
            assert one.candidate in [before.candidate for before in seen[:index] if before.is_look]


@pytest.mark.parametrize("name", TUNERS.names())
def test_the_same_question_has_the_same_answer(name: str) -> None:
    seen = tried(name, 0, 12)
    again = [TUNERS.get(name)(problem(seen), 7) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize("name", TUNERS.names())
def test_what_begins_with_a_step_that_was_refused_is_not_proposed(name: str) -> None:
    refused = Candidate(0, (("prune", Prune(ratio=0.75, importance="magnitude")),))
    given = Candidate(0, ())
    seen = [Seen(given, False, answer(given, False)), Seen(refused, False, None)]
    for number in range(16):
        proposal = TUNERS.get(name)(problem(seen), number)
        assert proposal is not None
        assert proposal.candidate.steps[:1] != refused.steps
        seen.append(Seen(proposal.candidate, proposal.is_look, answer(proposal.candidate, proposal.is_look)))


@pytest.mark.parametrize("name", TUNERS.names())
def test_what_was_best_elsewhere_comes_first(name: str) -> None:
    rng = random.Random(0)
    elsewhere = (space()[rng.randrange(len(space()))], space()[3])
    given = Candidate(0, ())
    asked = replace(problem([Seen(given, False, answer(given, False))]), earlier=elsewhere)
    proposal = TUNERS.get(name)(asked, 0)
    assert proposal is not None and proposal.candidate == elsewhere[0]


@pytest.mark.parametrize("name", TUNERS.names())
def test_only_legal_orders_are_proposed_though_their_beginnings_were_made_too(name: str) -> None:
    among = replace(space(), orders=(("distill", "prune", "quantize"),))
    given = Candidate(0, ())
    seen = [Seen(given, False, answer(given, False))]
    for number in range(12):
        proposal = TUNERS.get(name)(problem(seen, among=among), number)
        assert proposal is not None and proposal.candidate in among
        for length in (1, 2, 3):
            made = Candidate(0, proposal.candidate.steps[:length])
            seen.append(Seen(made, proposal.is_look, answer(made, proposal.is_look)))


def test_the_surrogate_finds_the_best_of_the_grid_in_a_fifth_of_it() -> None:
    everything = [Seen(c, False, answer(c, False)) for c in (space()[i] for i in range(len(space())))]
    target = best(everything, 1.0)
    assert target is not None and target.numbers is not None
    for seed in range(2):
        found = best(tried("surrogate", seed, len(space()) // 5, looks_first=False), 1.0)
        assert found is not None and found.numbers is not None
        assert goal(found.numbers) <= goal(target.numbers) + 0.01


def test_the_surrogate_that_aims_at_the_front_covers_more_of_it_than_one_that_aims_at_the_fastest() -> None:
    def covered(for_front: bool) -> float:
        seen = [tried("surrogate", seed, 25, looks_first=False, for_front=for_front) for seed in (1, 2)]
        return sum(hypervolume(points_of(one), (4.0, 1.0, 100.0)) for one in seen)

    assert covered(for_front=True) > covered(for_front=False) + 3


def test_the_surrogate_that_aims_at_the_front_gives_the_same_answer_and_looks_first() -> None:
    for looks_first in (True, False):
        seen = tried("surrogate", 0, 12, looks_first, for_front=True)
        asked = problem(seen, looks_first, for_front=True)
        assert TUNERS.get("surrogate")(asked, 7) == TUNERS.get("surrogate")(asked, 7)
        assert any(one.is_look for one in seen) == looks_first


def test_of_several_starts_the_front_is_widened_more_than_by_chance_in_as_many_seconds() -> None:
    """A network half as large takes half as long to train; what quantizes takes no training at all."""
    among = replace(space(), starts=3)

    def worth(candidate: Candidate) -> Seen:
        found, scale = answer(candidate, False), 0.5**candidate.start
        found = replace(found, drop=found.drop + 0.3 * candidate.start, latency_ms=found.latency_ms * scale)
        found = replace(found, size_bytes=found.size_bytes * scale)
        is_int8 = bool(candidate.steps) and candidate.steps[-1][0] == "quantize"
        return Seen(candidate, False, found, seconds=1.0 if is_int8 else 4.0 * scale)

    def covered(name: str, seed: int) -> float:
        seen, spent = {Candidate(start, ()): worth(Candidate(start, ())) for start in range(3)}, 0.0
        while spent < 30:
            asked = problem(list(seen.values()), False, among, for_front=True)
            proposal = TUNERS.get(name)(asked, 1000 * seed + len(seen))
            assert proposal is not None
            for end in range(1, len(proposal.candidate.steps) + 1):
                part = Candidate(proposal.candidate.start, proposal.candidate.steps[:end])
                if part not in seen:
                    seen[part] = worth(part)
                    spent += seen[part].seconds
        return hypervolume(points_of(list(seen.values())), (4.0, 1.0, 100.0))

    assert sum(covered("surrogate", seed) - covered("random", seed) for seed in range(2)) > 0


def points_of(seen: list[Seen]) -> list[tuple[float, float, float]]:
    return [(n.drop, n.latency_ms, n.size_bytes) for one in seen if (n := one.numbers)]
