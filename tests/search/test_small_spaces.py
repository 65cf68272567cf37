"""Spaces with fewer networks than a study would try."""

from collections import Counter
from pathlib import Path

import pytest

from search.config.study import read_config
from search.main_loop import launch
from search.state.ledger import Ledger
from tests.search.finished_study import TINY


@pytest.mark.parametrize(
    ("widths", "expected"), [("8", {"search": 1}), ("[8, 16, 24, 32]", {"search": 3, "random": 1})]
)
def test_a_space_that_is_used_up_is_searched_to_its_end_and_the_study_goes_on(
    widths: str, expected: dict[str, int], tmp_path: Path
) -> None:
    space = f"space={{stages: [{{depth: 1, width: {widths}, stride: 2, blocks: [mbconv]}}]}}"
    compress = "compress={keep: 1, alone_epochs: 0, steps: []}"
    config = read_config(TINY, [space, "limits={}", "search.trials=3", "supernet.epochs=1", compress])
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        study = launch(config, ledger)
        assert Counter(trial.origin for trial in study.trials) == expected
        assert ledger.study("tiny").state == "done" and any(v.is_shipped for v in ledger.variants(study.id))
        assert len(ledger.event_data(study.id, "used_up")) == 1
