"""What `search export` says where there is nothing to write yet."""

from pathlib import Path

import pytest

from search.errors import NotFound
from search.shipping.export import write_export
from search.state.ledger import Ledger
from tests.search.recorded_study import record_study


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("running", "It is running: wait until it ends or, where its process is gone, go on with:  search resume half"),
        ("paused", "It is paused. Go on with:  search resume half"),
        ("failed", "It failed. Go on with:  search resume half"),
    ],
)
def test_a_study_that_has_shipped_nothing_yet_says_how_it_comes_to_its_end(
    tmp_path: Path, state: str, said: str
) -> None:
    db = str(tmp_path / "lathe.db")
    study = record_study(db, "half", until="search")
    with Ledger.open(db) as ledger:
        ledger.set_state(study.id, state)  # type: ignore[arg-type]
        with pytest.raises(NotFound) as raised:
            write_export(ledger, "half", tmp_path / "out")
    assert str(raised.value) == f"study 'half' has shipped nothing yet. {said}"
    assert not (tmp_path / "out").exists()
