"""Exact limits: what is feasible, how it is found, and what is said where nothing is."""

import random
from pathlib import Path

import pytest

from search.config.study import read_config
from search.errors import Infeasible
from search.limits import describe_infeasible, exact_values, excess, feasible_sample, total_excess
from search.study import exact_limits
from spaces.counts import Counts, count
from spaces.space import SearchSpace, sample, smallest
from tests.contracts.small_spaces import space_of
from tests.search.finished_study import TINY

SPACE = space_of(("mbconv", "kan"))


def test_size_is_what_the_weights_take() -> None:
    assert exact_values(Counts(100, 2, 3), 4)["size_bytes"] == 400


@pytest.mark.parametrize(("steps", "bytes_each"), [("[quantize]", 1), ("[qat]", 1), ("[distill]", 4)])
def test_a_weight_takes_a_byte_where_a_step_quantizes(steps: str, bytes_each: int) -> None:
    config = read_config(TINY, [f"compress.steps={steps}", "limits={size: 40kB}"])
    assert exact_limits(config) == ({"size_bytes": 40_000}, bytes_each)


def test_excess_names_only_the_broken_limits() -> None:
    assert excess({"params": 150.0, "macs": 10.0}, {"params": 100.0, "macs": 10.0}) == {"params": 1.5}


def test_a_sample_is_feasible_where_one_in_a_thousand_is() -> None:
    rng = random.Random(0)
    params = sorted(count(sample(SPACE, rng)).params for _ in range(2000))
    limits = {"params": float(params[2])}
    for _ in range(5):
        assert total_excess(feasible_sample(SPACE, limits, 1, rng), limits, 1) == 0


def test_a_walk_begins_at_the_architecture_it_is_given() -> None:
    start = sample(SPACE, random.Random(0))
    assert feasible_sample(SPACE, {"params": float(count(start).params)}, 1, random.Random(1), start=start) == start


def test_where_nothing_is_feasible_the_nearest_and_what_it_exceeds_are_named() -> None:
    with pytest.raises(Infeasible) as raised:
        feasible_sample(SPACE, {"params": 10.0, "macs": 1e12}, 1, random.Random(0))
    message = str(raised.value)
    rng = random.Random(5)
    least = min(count(sample(SPACE, rng)).params for _ in range(500))
    named = int(message.split("params is ")[1].split(", limit")[0].replace(",", ""))
    assert named <= least
    assert "limit 10 (" in message and "macs" not in message
    nearest = message.splitlines()[1].strip()
    assert nearest.startswith("8 | 16: ")  # the narrowest of the space
    assert "Raise these limits in `limits`" in message


@pytest.mark.parametrize(("study", "shape"), [("digits", (1, 8, 8)), ("cifar10", (3, 32, 32)), ("speakers", (12, 29))])
def test_the_shipped_spaces_are_entered_where_one_architecture_in_a_thousand_is_feasible(
    study: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LATHE_DATA", str(tmp_path))  # only the space is read
    config = read_config(Path(__file__).parents[2] / "studies" / study / "space.yaml")
    space = SearchSpace(shape, 10, config.stem_width, config.stem_stride, config.stages)
    rng = random.Random(0)
    drawn = [exact_values(count(sample(space, rng)), 1) for _ in range(1000)]
    limits = {name: min(values[name] for values in drawn) for name in ("params", "macs")}  # each met by 0.1 %
    for seed in range(3):
        assert total_excess(feasible_sample(space, limits, 1, random.Random(seed)), limits, 1) == 0


def test_how_far_a_limit_is_away_is_readable() -> None:
    arch = smallest(SPACE, random.Random(0))
    params = count(arch).params
    assert f"({params:,.0f} times)" in describe_infeasible(arch, {"params": 1.0}, 4)
    assert "(1.25 times)" in describe_infeasible(arch, {"params": params / 1.25}, 4)
