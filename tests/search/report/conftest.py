"""A recorded study that every test of what is told reads, made once."""

import pytest

from search.state.recorded import Recorded, load_study
from tests.search.recorded_study import record_study


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """As `tests/search/recorded_study.py` writes it."""
    db = str(tmp_path_factory.mktemp("recorded") / "lathe.db")
    record_study(db)
    return load_study("digits-cpu", db)
