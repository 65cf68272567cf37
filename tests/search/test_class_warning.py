"""Whoever begins a study is told of classes that have too few examples."""

from pathlib import Path

import pytest

from search.config.study import read_config
from search.state.ledger import Ledger
from search.study import open_study
from search.watch import Watch
from tests.search.finished_study import TINY
from tests.search.test_plan import arrays_of


@pytest.mark.parametrize(("owls", "warned"), [(1, True), (30, False)])
def test_a_study_that_begins_warns_of_a_class_with_too_few_examples(
    owls: int, warned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = arrays_of(tmp_path / "a.npz", cat=30, dog=50, owl=owls)
    config = read_config(TINY, [f"task={{kind: arrays, path: {file}}}"])
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        open_study(config, ledger, Watch())
    assert ("warning: too few examples of 'owl' (1)" in capsys.readouterr().err) == warned
