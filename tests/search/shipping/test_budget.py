"""The file for a budget."""

from dataclasses import replace

import pytest

from search.errors import Infeasible, NotFound, UsageError
from search.report.comparison import Model, models
from search.report.summary import Quantity
from search.shipping.budget import Budget, best_within, read_budget
from search.state.recorded import load_study
from tests.search.recorded_study import record_study


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.05ms", Budget(0.05)), ("50us", Budget(0.05)), ("2", Budget(2.0)), ("1 ms@pi", Budget(1.0, "pi"))],
)
def test_a_budget_is_a_latency_with_a_unit_and_a_device(text: str, expected: Budget) -> None:
    found = read_budget(text)
    assert (found.device, found.latency_ms) == (expected.device, pytest.approx(expected.latency_ms))


@pytest.mark.parametrize("text", ["fast", "0ms", "-1ms", "5kB", ""])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--budget is a latency such as"):
        read_budget(text)


@pytest.fixture(scope="module")
def developed(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    """What a study developed."""
    url = str(tmp_path_factory.mktemp("budget") / "lathe.db")
    record_study(url)
    return list(models(load_study("digits-cpu", url)))


@pytest.fixture(scope="module")
def network(developed: list[Model]) -> Model:
    """Any network with a file."""
    return next(m for m in developed if m.role == "winner" and m.file)


def among(network: Model, *numbers: tuple[float, float, float]) -> list[Model]:
    """Networks of (accuracy, latency in ms, upper end of its interval)."""
    return [
        replace(
            network,
            id=id,
            verdict="start",
            accuracy=Quantity(accuracy, accuracy, accuracy, "exact"),
            latencies={"latency_ms@here": Quantity(ms, ms, high, "measured")},
        )
        for id, (accuracy, ms, high) in enumerate(numbers)
    ]


def test_the_most_accurate_network_whose_interval_keeps_the_budget_is_taken(network: Model) -> None:
    found = among(network, (0.9, 1.0, 1.1), (0.95, 1.9, 2.1), (0.94, 1.5, 1.6), (0.99, 4.0, 4.1))
    assert [best_within(found, Budget(ms)).id for ms in (1.2, 2.0, 2.2, 9.0)] == [0, 2, 1, 3]


def test_of_equally_accurate_networks_the_fastest_is_taken(network: Model) -> None:
    assert best_within(among(network, (0.9, 2.0, 2.0), (0.9, 1.0, 1.0)), Budget(3.0)).id == 1


def test_rejected_networks_and_baselines_are_not_offered_unless_they_ship(network: Model) -> None:
    found = among(network, (0.9, 1.0, 1.0), (0.95, 1.0, 1.0), (0.99, 1.0, 1.0))
    found[1], found[2] = replace(found[1], verdict="rejected"), replace(found[2], role="baseline", is_shipped=False)
    assert best_within(found, Budget(3.0)).id == 0
    assert best_within([*found[:2], replace(found[2], is_shipped=True)], Budget(3.0)).id == 2


def test_a_budget_that_nothing_keeps_names_the_fastest_and_an_unknown_device_those_there_are(network: Model) -> None:
    found = among(network, (0.9, 1.0, 1.1), (0.95, 1.9, 2.1))
    with pytest.raises(Infeasible, match=r"the fastest takes 1 ms \[1, 1.1\]"):
        best_within(found, Budget(1.05))
    with pytest.raises(NotFound, match="measured on 'pi'. Devices: here"):
        best_within(found, Budget(1.0, "pi"))


def test_a_study_offers_what_it_developed(developed: list[Model]) -> None:
    best = best_within(developed, Budget(1e6))
    able = [m for m in developed if m.role == "winner" and m.file and m.verdict != "rejected" and m.accuracy]
    assert best.accuracy and best.accuracy.value == max(m.accuracy.value for m in able if m.accuracy)
