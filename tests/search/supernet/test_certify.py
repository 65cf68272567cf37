"""A rank certificate on a small study: networks are really trained alone, recorded once, and told."""

import math
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from search.commands.app import app
from search.config.study import StudyConfig, read_config
from search.errors import NotFound
from search.main_loop import trained_supernet
from search.report.page import report_html
from search.state.database import connect
from search.state.ledger import Ledger
from search.state.recorded import Recorded, read_recorded
from search.study import open_study
from search.supernet.certificate import LEAST, certificate
from search.supernet.certify import KIND, certify
from search.watch import Watch
from tests.search.finished_study import TINY


def recorded(db: str) -> Recorded:
    return read_recorded(connect(db, read_only=True), "tiny")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, StudyConfig]:
    """A paused study with a trained supernet, and five ranked networks."""
    db, config = str(tmp_path_factory.mktemp("certify") / "lathe.db"), read_config(TINY)
    with Ledger.open(db) as ledger:
        study = open_study(config, ledger, Watch(quiet=True))
        with pytest.raises(NotFound, match="no trained supernet yet. It is running: wait"):
            certify(config, ledger, LEAST, 1, Watch(quiet=True))
        trained_supernet(study)
        ledger.set_state(study.id, "paused")
        certify(config, ledger, LEAST, 1, Watch(quiet=True))
    return db, config


def test_every_score_is_ranked_and_the_study_stays_as_it_was(made: tuple[str, StudyConfig]) -> None:
    study = recorded(made[0])
    found = certificate(study)
    assert found is not None and (found.networks, found.epochs, found.metric) == (LEAST, 1, "loss")
    assert list(found.rankings)[:4] == ["supernet", "params", "macs", "depth"] and "naswot" in found.rankings
    assert all(math.isnan(r.overall.value) or -1 <= r.overall.value <= 1 for r in found.rankings.values())
    assert study.study.state == "paused" and not study.trials


def test_it_is_in_the_report(made: tuple[str, StudyConfig]) -> None:
    page, found = report_html(recorded(made[0])), certificate(recorded(made[0]))
    assert found is not None and found.sentence in page and "<td>naswot</td>" in page
    assert "trained alone for 1 epoch," in found.sentence


def test_networks_that_were_trained_are_not_trained_again(made: tuple[str, StudyConfig]) -> None:
    before = [event.id for event in recorded(made[0]).events if event.kind == KIND]
    result = CliRunner().invoke(app, ["certify", "tiny", "--networks", "6", "--epochs", "1", "-q", "--db", made[0]])
    assert result.exit_code == 0, result.output
    after = [event for event in recorded(made[0]).events if event.kind == KIND]
    assert [event.id for event in after][: len(before)] == before and len(after) == len(before) + 1
    assert len({event.data["architecture"] for event in after}) == 6
    assert "naswot" in result.output and "against 6 networks" in result.output.lower()


def test_a_certificate_changes_nothing_about_a_finished_study_and_leaves_no_folder(
    made: tuple[str, StudyConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Ledger.open(made[0]) as ledger:
        ledger.set_state(ledger.study("tiny").id, "done")
        before = ledger.study("tiny")
        certify(made[1], ledger, LEAST, 1, Watch(quiet=True))
        assert ledger.study("tiny") == before and list(tmp_path.iterdir()) == []
