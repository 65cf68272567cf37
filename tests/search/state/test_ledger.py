"""The ledger: what was recorded is there, once, whoever was killed and whoever else was writing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search.errors import ConfigError, Conflict, NotFound, SchemaError, StudyBusy
from search.state.check import check
from search.state.ledger import Ledger
from search.state.records import StudyRecord, TrialRecord
from tests.search.ledger_samples import CONFIG, DATA, architecture, ask, begin, count, trial


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


# Studies


def test_the_same_config_and_data_resume_the_same_study(url: str) -> None:
    with Ledger.open(url) as ledger:
        first = begin(ledger)
        ledger.set_stage(first.id, "search")
        ledger.set_state(first.id, "paused")
    with Ledger.open(url) as ledger:
        again = begin(ledger)
        assert (again.id, again.stage, again.state, again.seed) == (first.id, "search", "running", 7)
        assert again.config == CONFIG
        assert again.owner.endswith(f":{os.getpid()}")
        assert [study.name for study in ledger.studies()] == ["digits"]


def test_a_finished_study_stays_finished_when_opened_again(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.set_state(begin(ledger).id, "done")
    with Ledger.open(url) as ledger:
        assert begin(ledger).state == "done"
        assert ledger.study("digits").finished_at is not None


def test_a_finished_study_keeps_the_versions_that_made_it(ledger: Ledger) -> None:
    study = begin(ledger)
    ledger.set_state(study.id, "done")
    ledger.open_study(study.name, CONFIG, DATA, {"torch": "99"}, seed=7)
    assert ledger.study(study.name).versions == study.versions == {"torch": "2.13.0"}


def test_an_edited_config_is_refused_with_the_difference(ledger: Ledger) -> None:
    begin(ledger)
    edited = {
        "space": {"stages": [{"width": [8, 16]}, {"width": [32, 48]}]},
        "search": {"trials": 12, "seed": 1},
    }
    with pytest.raises(ConfigError) as refused:
        ledger.open_study("digits", edited, "e" * 64, {})
    lines = [line.strip() for line in str(refused.value).splitlines()[1:4]]
    assert lines == [
        "search.seed: (not set) -> 1",
        "space.stages[1].width: [32, 64] -> [32, 48]",
        "data: sha256 dddddddddddd -> eeeeeeeeeeee",
    ]
    assert "-o study=NAME" in str(refused.value)
    assert ledger.study("digits").config == CONFIG and "older Lathe" not in str(refused.value)
    with pytest.raises(ConfigError, match="the examples are the same, an older Lathe drew its parts of them otherwise"):
        ledger.open_study("digits", CONFIG, "e" * 64, {})


def test_a_second_process_on_the_same_study_is_told_who_holds_it(ledger: Ledger, url: str) -> None:
    script = (
        "import sys; from search.state.ledger import Ledger\n"
        "ledger = Ledger.open(sys.argv[1]); ledger.open_study('digits', {'a': 1}, 'd' * 64, {})\n"
        "print('open', flush=True); sys.stdin.read()\n"
    )
    holder = python(script, url)
    assert holder.stdout is not None and holder.stdout.readline() == "open\n"
    try:
        with pytest.raises(StudyBusy, match=f":{holder.pid}"):
            ledger.open_study("digits", {"a": 1}, DATA, {})
        begin(ledger, "another")
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert ledger.open_study("digits", {"a": 1}, DATA, {}).owner.endswith(f":{os.getpid()}")


def test_a_forked_child_that_outlives_its_parent_does_not_hold_the_study(ledger: Ledger, url: str) -> None:
    script = (
        "import os, sys, time; from search.state.ledger import Ledger\n"
        "ledger = Ledger.open(sys.argv[1]); ledger.open_study('digits', {'a': 1}, 'd' * 64, {})\n"
        "if os.fork() == 0: print(os.getpid(), flush=True); time.sleep(60)\n"
        "sys.stdin.read()\n"
    )
    holder = python(script, url)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    try:
        assert ledger.open_study("digits", {"a": 1}, DATA, {}).state == "running"
    finally:
        os.kill(child, signal.SIGKILL)
        holder.communicate()


def test_an_unknown_study_is_not_found_and_the_known_ones_are_named(ledger: Ledger) -> None:
    begin(ledger)
    with pytest.raises(NotFound, match="digits"):
        ledger.study("digit")
    with pytest.raises(NotFound):
        ledger.set_stage(99, "search")


# Trials


def test_trials_come_back_as_recorded_in_the_order_of_their_numbers(ledger: Ledger) -> None:
    study, recorded = begin(ledger), [trial(number) for number in (2, 0, 1)]
    failed = TrialRecord(
        3,
        architecture(3).id,
        {},
        {},
        {},
        {},
        "failed",
        error="loss is not finite",
        architecture=architecture(3),
    )
    for record in [*recorded, failed]:
        ledger.record_trial(study.id, record)
    found = ledger.trials(study.id)
    assert found == [*sorted(recorded, key=lambda record: record.number), failed]
    assert [record.architecture for record in found] == [architecture(number) for number in range(4)]


def test_a_trial_recorded_twice_is_one_trial_and_is_not_edited(ledger: Ledger) -> None:
    study = begin(ledger)
    first = ledger.record_trial(study.id, trial(0))
    changed = TrialRecord(0, architecture(0).id, {}, {}, {"loss": 9.0}, {"loss": "exact"})
    assert ledger.record_trial(study.id, changed) == first
    assert ledger.trials(study.id) == [trial(0)]
    assert (count(ledger, "evaluation"), count(ledger, "measurement")) == (1, 1)


def test_an_architecture_is_tried_once_in_a_study_and_may_be_tried_in_another(ledger: Ledger) -> None:
    study, other = begin(ledger), begin(ledger, "other")
    ledger.record_trial(study.id, trial(0))
    with pytest.raises(Conflict, match="once"):
        ledger.record_trial(study.id, trial(1, of=0))
    with pytest.raises(Conflict, match="once"):
        ledger.record_trial(study.id, trial(0, of=1))
    ledger.record_trial(other.id, trial(1, of=0))
    assert len(ledger.trials(study.id)) == len(ledger.trials(other.id)) == 1


def test_a_trial_whose_row_cannot_be_written_leaves_no_part_of_it(ledger: Ledger) -> None:
    study = begin(ledger)
    broken = trial(0)
    object.__setattr__(broken, "system_attrs", {"loss": float("nan")})
    with pytest.raises(Exception, match="not JSON compliant"):
        ledger.record_trial(study.id, broken)
    assert [count(ledger, table) for table in ("trial", "architecture", "evaluation", "measurement")] == [0] * 4


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"state": "failed"}, "gives no `error`"),
        ({"values": {"loss": float("inf")}, "kinds": {"loss": "exact"}}, "finite"),
        ({"kinds": {}}, "`kinds` must name"),
    ],
)
def test_a_trial_that_makes_no_sense_cannot_be_built(changes: dict, rule: str) -> None:
    whole: dict = {"values": {"loss": 0.5}, "kinds": {"loss": "exact"}, **changes}
    with pytest.raises(ValueError, match=rule):
        TrialRecord(0, "a" * 64, {}, {}, **whole)


WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from tests.search.ledger_samples import CONFIG, DATA, trial
from search.state.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    study = ledger.open_study(sys.argv[2], CONFIG, DATA, {})
    print("open", flush=True)
    sys.stdin.readline()
    for number in range(20):
        ledger.record_trial(study.id, trial(number))
        ledger.add_artifact(study.id, str(number).encode(), "report")
"""


def test_processes_that_create_and_write_one_database_at_once_lose_nothing(url: str) -> None:
    names = [f"study-{n}" for n in range(3)]
    writers = [python(WRITER, url, name, str(Path(__file__).parents[3])) for name in names]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "open\n", writer.communicate()[1]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        errors = writer.communicate(timeout=60)[1]
        assert writer.returncode == 0, errors
    with Ledger.open(url) as ledger:
        for study in ledger.studies():
            assert [record.number for record in ledger.trials(study.id)] == list(range(20))
            ledger.set_state(study.id, "done")
        assert count(ledger, "measurement") == 20 * len(names), "every study knows the measurements of the shared files"
    assert check(url) == []


def test_a_writer_killed_at_any_moment_leaves_whole_trials_and_no_orphan_after_resuming(url: str) -> None:
    seen = set()
    for attempt in range(4):
        writer = python(WRITER, url, "digits", str(Path(__file__).parents[3]))
        assert writer.stdout is not None and writer.stdin is not None and writer.stdout.readline() == "open\n"
        writer.stdin.write("go\n")
        writer.stdin.flush()
        try:
            writer.wait(0.02 + 0.05 * attempt)
        except subprocess.TimeoutExpired:
            writer.send_signal(signal.SIGKILL)
        writer.communicate()
        with Ledger.open(url) as ledger:
            study = begin_again(ledger)
            found = ledger.trials(study.id)
            assert found == [trial(number) for number in range(len(found))]
            assert ledger.orphans() == []
            seen.add(len(found))
            ledger.set_state(study.id, "done")
        assert check(url) == []
    assert len(seen) > 1, "the kills all hit the same moment"


def begin_again(ledger: Ledger) -> StudyRecord:
    return ledger.open_study("digits", CONFIG, DATA, {})


# Reading, and opening by other ways


def test_a_reader_cannot_write(ledger: Ledger, url: str) -> None:
    begin(ledger)
    with pytest.raises(Exception, match="readonly"):
        ask(url, "DELETE FROM lathe_study")
    assert len(ledger.studies()) == 1


def test_a_ledger_that_is_not_there_is_not_made_by_reading(url: str) -> None:
    with pytest.raises(SchemaError, match="there is no study database"):
        Ledger.open(url, create=False)


def test_a_database_is_made_by_its_first_write_and_not_by_opening_it(url: str, tmp_path: Path) -> None:
    with Ledger.open(url) as ledger, Ledger.open(url) as other:
        assert ledger.studies() == [] and ledger.measurements() == []
        assert list(tmp_path.iterdir()) == []
        study = begin(other)
        assert [found.id for found in ledger.studies()] == [study.id], "whoever made it"


def test_a_link_to_the_database_leads_to_the_same_locks_and_files(ledger: Ledger, tmp_path: Path) -> None:
    begin(ledger)
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "runs" / "studies.db")
    with Ledger.open(str(link)) as other:
        assert other.store == ledger.store
        with pytest.raises(StudyBusy):
            begin(other)


def test_a_file_whose_writer_was_killed_before_its_row_goes_when_the_study_resumes(url: str) -> None:
    script = (
        "import os, signal, sys; from search.state.ledger import Ledger\n"
        "ledger = Ledger.open(sys.argv[1]); ledger.open_study('digits', {'a': 1}, 'd' * 64, {})\n"
        "ledger.store.put(b'no row yet'); (ledger.store.root / '1-a.partial').touch()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = python(script, url)
    assert (killed.communicate()[1], killed.returncode) == ("", -signal.SIGKILL)
    with Ledger.open(url, create=False) as ledger:
        assert len(ledger.orphans()) == 1
        ledger.open_study("digits", {"a": 1}, DATA, {})
        assert ledger.orphans() == []
        assert list(ledger.store.root.glob("*.partial")) == []
