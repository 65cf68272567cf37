"""Between Optuna's parameters and architectures, and back."""

import random

from search.suggest import architecture_of, decisions, distributions, is_ordinal, params_of
from spaces.blocks import BLOCKS
from spaces.space import sample
from tests.contracts.small_spaces import space_of

SPACE = space_of(tuple(BLOCKS.names()))
UNUSED = {name: 0 if is_ordinal(name, options) else options[0] for name, options in decisions(SPACE).items()}


def test_200_random_architectures_come_back_from_their_parameters() -> None:
    rng = random.Random(0)
    for arch in [sample(SPACE, rng) for _ in range(200)]:
        assert architecture_of(SPACE, params_of(SPACE, arch, UNUSED)) == arch


def test_parameters_are_what_optuna_may_propose() -> None:
    known, rng = distributions(SPACE), random.Random(1)
    for arch in [sample(SPACE, rng) for _ in range(50)]:
        params = params_of(SPACE, arch, UNUSED)
        assert params.keys() == known.keys()
        assert all(known[name]._contains(known[name].to_internal_repr(value)) for name, value in params.items())


def test_decisions_that_are_not_used_keep_the_parameters_they_had() -> None:
    arch = sample(SPACE, random.Random(2))
    kept = {n: len(o) - 1 if is_ordinal(n, o) else o[-1] for n, o in decisions(SPACE).items()}
    one, other = params_of(SPACE, arch, UNUSED), params_of(SPACE, arch, kept)
    changed = {name for name in one if one[name] != other[name]}
    assert changed
    assert architecture_of(SPACE, one) == architecture_of(SPACE, other)


def test_kinds_switches_and_names_have_no_order() -> None:
    assert is_ordinal("stage0.width", (16, 24))
    assert is_ordinal("stage0.block0.1.ratio", (1, 2))
    assert not is_ordinal("stage0.block0", (0, 1))
    assert not is_ordinal("stage0.block0.0.se", (False, True))
    assert not is_ordinal("stage0.block0.0.act", ("relu6", "hardswish"))
