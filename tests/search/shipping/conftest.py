"""One bundle for all tests that look into one."""

from pathlib import Path

import pytest

from search.shipping.export import write_export
from search.state.ledger import Ledger
from tests.search.finished_study import Finished


@pytest.fixture(scope="session")
def bundle(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the finished study. It is shared: copy it before changing a file."""
    out = tmp_path_factory.mktemp("bundle") / "tiny"
    with Ledger.open(finished.db, create=False) as ledger:
        write_export(ledger, "tiny", out, bundle=True)
    return out
