"""Recipes as a space: what is legal, how they are numbered, and what they look like as numbers."""

import random

from compress.distill.step import Distill
from compress.prune.channels import Prune
from compress.quantize.step import Quantize
from compress.recipe import STEPS
from search.tuning.earlier import nearest_in
from search.tuning.space import ABSENT, Candidate, RecipeSpace, legal_orders
from tests.contracts.test_tuners import space


def test_what_quantizes_comes_last_and_once() -> None:
    orders = legal_orders({name: STEPS.get(name) for name in ("prune", "quantize", "distill", "qat")})
    assert ("prune", "distill", "qat") in orders and ("quantize",) in orders and () not in orders
    assert len(orders) == 5 * 3 - 1 == len(set(orders))
    assert all(name not in ("quantize", "qat") for order in orders for name in order[:-1])


def test_every_recipe_has_one_number() -> None:
    found = [space()[index] for index in range(len(space()))]
    assert len(set(found)) == len(space()) == 2 + 6 + 2 + 2 * 2 + 6 * 2 + 2 * (2 * 6) + 2 * (2 * 6 * 2)
    assert all(candidate in space() for candidate in found)
    assert Candidate(0, (("prune", Prune(ratio=0.1)),)) not in space()


def test_a_recipe_as_numbers_says_where_each_step_stands_and_which_settings_it_has() -> None:
    chosen = Candidate(0, (("prune", Prune(ratio=0.5, importance="taylor")), ("distill", Distill())))
    (row,) = space().codes([chosen])
    assert row.tolist() == [0, 1, 0, ABSENT, 1, 1, 1, ABSENT]
    assert space().ordinal.tolist() == [False, False, False, False, False, True, False, False]


def test_neighbours_are_recipes_and_differ_in_one_thing() -> None:
    chosen = Candidate(0, (("prune", Prune(importance="magnitude")), ("quantize", Quantize())))
    around = set(space().neighbours(chosen)) - {chosen}
    assert all(one in space() for one in around)
    assert {len(one.steps) for one in around} == {1, 2, 3}


def test_of_a_large_space_a_part_and_the_neighbours_are_looked_at() -> None:
    many = tuple(Prune(ratio=r / 1000, epochs=e) for r in range(1, 900) for e in range(1, 20))
    large = RecipeSpace({"prune": many}, (("prune",),))
    near = Candidate(0, (("prune", many[5]),))
    pool = large.pool([near], random.Random(0))
    assert near in pool and len(pool) == len(set(pool)) < 5000 < len(large)


def test_the_nearest_recipe_keeps_order_and_the_nearest_settings() -> None:
    tried = (
        ("prune", Prune(ratio=0.45, importance="magnitude", epochs=9)),
        ("qat", STEPS.get("qat")()),
        ("quantize", Quantize(images=64)),
    )
    found = nearest_in(space(), tried)
    assert found == Candidate(0, (("prune", Prune(ratio=0.5, importance="magnitude")), ("quantize", Quantize())))
    assert nearest_in(space(), (("qat", STEPS.get("qat")()),)) is None


def test_a_line_for_people_names_what_there_is_a_choice_of() -> None:
    chosen = Candidate(0, (("prune", Prune(importance="magnitude")), ("quantize", Quantize())))
    assert space().describe(chosen) == "prune ratio 0.25 magnitude > quantize int8-static"
    half = Candidate(0, (("prune", Prune(ratio=0.5)), ("quantize", Quantize())))
    assert half.describe() == "prune ratio 0.5 > quantize"
