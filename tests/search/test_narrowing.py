"""What the training of the shared weights says about the space is recorded, and the search keeps to it."""

from pathlib import Path
from typing import Any

import pytest

from search.config.study import read_config
from search.main_loop import trained_supernet
from search.narrowing import preferred, remaining
from search.report.cuts import cut_sentences
from search.report.page import report_html
from search.report.telling import study_text
from search.state.database import connect
from search.state.ledger import Ledger
from search.state.recorded import read_recorded
from search.study import Study, open_study
from search.watch import Watch
from spaces.space import choices

TINY = Path(__file__).with_name("tiny.yaml")
CUTS = ("supernet.rule=fair", "supernet.epochs=4", "supernet.cut={confidence: 0.05, networks: 50, images: 64}")


def opened(ledger: Ledger, overrides: tuple[str, ...]) -> Study:
    return open_study(read_config(TINY, overrides), ledger, Watch(quiet=True))


def proposed(study: Study) -> list[Any]:
    return [study.proposer.propose(number).arch for number in range(8)]


@pytest.mark.slow
def test_a_study_searches_what_its_training_left_and_says_what_went_also_when_it_is_resumed(url: str) -> None:
    with Ledger.open(url) as ledger:
        study = opened(ledger, CUTS)
        supernet = trained_supernet(study)
        left = study.proposer.space
        assert supernet.space == left != study.space, "with this little confidence something is cut"
        first = proposed(study)
        assert all(choices(left, arch) for arch in first)
    with Ledger.open(url) as ledger:
        again = opened(ledger, CUTS)
        assert remaining(ledger, again.id, again.space) == again.proposer.space == left
        assert trained_supernet(again).space == left
        assert proposed(again) == first
    recorded = read_recorded(connect(url, read_only=True), "tiny")
    told = cut_sentences(recorded)
    assert told and all("confidence" in sentence for sentence in told)
    assert all(sentence in study_text(recorded) for sentence in told)
    assert "While the supernet was trained" in report_html(recorded)


@pytest.mark.slow
def test_what_a_relaxation_prefers_is_recorded_and_proposed_first(url: str) -> None:
    with Ledger.open(url) as ledger:
        study = opened(ledger, ("supernet.rule=relaxed",))
        trained_supernet(study)
        (best,) = preferred(ledger, study.id)
        assert choices(study.space, best) and study.proposer.starts[0] == best
    with Ledger.open(url) as ledger:
        assert opened(ledger, ("supernet.rule=relaxed",)).proposer.starts[0] == best
