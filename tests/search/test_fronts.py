"""Which measured networks may be developed: those whose latency keeps its limit with the upper end of its interval."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from compress.measurement import Measurement
from search.config.study import read_config
from search.errors import Infeasible
from search.fronts import is_within_limits, measured_front, nearest_miss, spread
from search.latency.measuring import SCREENING
from search.main_loop import launch
from search.state.ledger import Ledger
from search.state.records import TrialRecord
from search.study import Study, architecture_record, open_study
from search.watch import Watch
from spaces.space import sample
from tests.search.finished_study import TINY

NAME, LATENCY = "formula", "latency_ms@formula"


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        yield open_study(read_config(TINY, (f"limits.{LATENCY}=1.0",)), ledger, Watch())


def tried(study: Study, number: int, loss: float, value: float, low: float, high: float) -> TrialRecord:
    """A done trial whose network was measured with this interval."""
    arch = sample(study.space, random.Random(number))
    values = {"loss": loss, LATENCY: value}
    row = architecture_record(arch)
    trial = TrialRecord(number, arch.id, {}, {}, values, dict.fromkeys(values, "exact"), architecture=row)
    details = {"exporter": SCREENING}
    found = Measurement("latency_ms", value, "ms", low, high, "measured", device=NAME, details=details)
    study.measured[arch.id, NAME] = found
    study.trials.append(trial)
    return trial


def test_a_latency_below_its_limit_with_an_interval_above_it_stays_off_the_front(study: Study) -> None:
    close = tried(study, 0, 0.1, 0.99, 0.97, 1.01)
    clear = tried(study, 1, 0.2, 0.9, 0.88, 0.92)
    assert not is_within_limits(study, close)
    assert measured_front(study, "search", SCREENING, 0) == [clear]


def test_a_front_that_is_empty_is_explained_by_the_trial_that_came_nearest(study: Study) -> None:
    tried(study, 0, 0.1, 1.5, 1.4, 1.6)
    tried(study, 1, 0.2, 0.99, 0.96, 1.02)
    assert measured_front(study, "search", SCREENING, 0) == []
    assert f"trial 1: {LATENCY} <= 1 with 0.99 [0.96, 1.02]" in nearest_miss(study)


def test_a_network_ten_times_as_fast_is_developed_before_one_that_saves_more_milliseconds(study: Study) -> None:
    """Counted in milliseconds, the middle one would dominate .135 and the small one .125."""
    tried(study, 0, 0.5, 1.0, 1.0, 1.0)
    middle, small = tried(study, 1, 0.28, 0.5, 0.5, 0.5), tried(study, 2, 0.4, 0.05, 0.05, 0.05)
    large = tried(study, 3, 0.1, 0.9, 0.9, 0.9)
    assert spread(study, [middle, small, large], 1) == [small]
    assert spread(study, [middle, small, large], 3) == [small, middle, large]


def test_a_study_that_nothing_fits_ends_before_it_trains_anything_and_says_what_came_nearest(tmp_path: Path) -> None:
    config = read_config(TINY, (f"limits.{LATENCY}=0.001", "supernet.epochs=1"))
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        with pytest.raises(Infeasible, match=r"Nearest is trial \d+: latency_ms@formula <= 0.001 with 0\.\d+"):
            launch(config, ledger)
        assert ledger.variants(1) == []
        assert ledger.study("tiny").state == "failed"
