"""A study of a table: search, limits, records and report as ever, and nothing is trained."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from search.config.study import read_config
from search.errors import ConfigError, Infeasible
from search.main_loop import launch
from search.samplers.surrogate.grid import every_row, grid_of
from search.state.ledger import Ledger
from search.study import Study
from search.suggest import architecture_of, decisions
from spaces.architecture import Architecture
from spaces.counts import count
from spaces.space import SearchSpace, choices
from tests.search.command_line import Call

BLOCK = {"mbconv": {"kernel": [3, 5], "expand": [1, 2]}}
SPACE = {"stem": {"width": 8}, "stages": [{"depth": [1, 2], "width": [8, 16], "stride": 2, "blocks": [BLOCK, "kan"]}]}
LIMIT = 6000


def worth(arch: Architecture) -> float:
    """A made-up accuracy in percent: more is better, and a kernel of 5 in front best."""
    return 50 + count(arch).params / 1000 + 3 * (getattr(arch.stages[0].blocks[0], "kernel", 0) == 5)


def every(space: SearchSpace) -> Iterator[tuple[Architecture, Mapping[str, Any]]]:
    """All networks of a small space with what they decide."""
    grid = grid_of(space)
    for row in every_row(grid):
        arch = architecture_of(space, grid.params_of(row))
        yield arch, choices(space, arch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A space file with its table beside it."""
    tree = {
        "study": "looked-up",
        "task": {"kind": "table", "path": "networks.csv", "size": 8, "channels": 1, "classes": 4, "full": 100.0},
        "space": SPACE,
        "search": {"trials": 12, "sampler": "evolution"},
        "objectives": {"accuracy": "max", "macs": "min"},
        "limits": {"params": LIMIT},
    }
    names = decisions(space_of())
    tree["task"]["columns"] = {name: f"column {at}" for at, name in enumerate(names)}  # type: ignore[index]
    with (tmp_path / "networks.csv").open("w", newline="") as target:
        table = csv.writer(target)
        table.writerow([f"column {at}" for at in range(len(names))] + ["accuracy"])
        for arch, picks in every(space_of()):
            table.writerow([picks.get(name) for name in names] + [worth(arch)])
    with (tmp_path / "space.yaml").open("w") as target:
        YAML().dump(tree, target)
    return tmp_path / "space.yaml"


def space_of() -> SearchSpace:
    from search.config.fields import Reading
    from search.config.source import Source
    from search.config.space import read_space

    return SearchSpace((1, 8, 8), 4, *read_space(Reading(Source("test", "", {}, {}, {})), SPACE))


def run(file: Path, *overrides: str) -> Study:
    with Ledger.open(str(file.parent / "lathe.db")) as ledger:
        return launch(read_config(file, overrides), ledger)


def test_a_search_finds_the_best_feasible_network_of_a_table_and_trains_nothing(file: Path) -> None:
    study = run(file, "search.trials=24", "search.sampler=surrogate", "objectives={accuracy: max}")
    best = max(worth(arch) for arch, _ in every(study.space) if count(arch).params <= LIMIT)
    trials = [trial for trial in study.trials if trial.state == "done"]
    assert len(trials) == 48 and len({trial.architecture_id for trial in trials}) == 48
    assert all(trial.architecture and trial.architecture.params <= LIMIT for trial in trials)
    assert max(trial.values["accuracy"] for trial in study.of("search")) == pytest.approx(best / 100)
    assert study.exports == 0 and "supernet" not in study.seconds and "winners" not in study.seconds
    assert study.ledger.study(study.record.name).state == "done"


def test_every_value_is_the_tables(file: Path) -> None:
    study = run(file)
    for trial in study.trials:
        assert trial.architecture is not None
        arch = Architecture.from_json(trial.architecture.json)
        assert trial.values["accuracy"] == pytest.approx(worth(arch) / 100)
        assert trial.values["macs"] == count(arch).macs


def test_a_study_of_a_table_is_told_and_reported_as_any_other(file: Path, search: Call) -> None:
    database = file.parent / "lathe.db"
    said = search("launch", file, "--db", database)
    assert said.code == 0 and "found    validation accuracy 58.3 %, multiply-accumulates 81.5 k " in said.out, said
    for command in ("show", "top", "status"):
        assert search(command, "--db", database).code == 0
    assert search("report", "looked-up", "--db", database, "--out", file.parent / "report.html").code == 0
    assert "kan" in (file.parent / "report.html").read_text()
    assert search("launch", file, "--db", database, "--dry-run").out.count("looked up") == 1


def test_a_study_of_a_table_has_nothing_to_certify(file: Path, search: Call) -> None:
    db = file.parent / "lathe.db"
    assert search("launch", file, "--db", db, "-q").code == 0
    said = search("certify", "--db", db)
    assert said.code == 4 and "takes its networks from a table" in said.err


def test_a_network_that_the_table_does_not_know_is_a_failed_trial(file: Path) -> None:
    table = file.parent / "networks.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *lines[1::2]]))
    study = run(file, "search.trials=8", "search.sampler=random")
    failed = [trial for trial in study.trials if trial.state == "failed"]
    assert failed and all("the table has no network with" in trial.error for trial in failed)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("objectives={loss: min}", "a table tells accuracies only"),
        ("supernet={epochs: 2}", "there is no supernet"),
        ("compress={keep: 1}", "their weights are not in it"),
        ("task.columns={}", "must name the column of every decision"),
        ("task.columns={stage0.depth: 1}", "must be text"),
        ("task.full=0", "must be positive"),
    ],
)
def test_what_a_table_cannot_have_is_refused_before_anything_is_read(file: Path, override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_config(file, (override,))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("task.columns={stage0.dept: column 0}", "does not decide; did you mean 'stage0.depth'"),
        ("task.columns={stage0.depth: column 0}", "names no column for it"),
    ],
)
def test_a_table_of_other_decisions_than_the_spaces_is_refused(file: Path, override: str, words: str) -> None:
    config = read_config(file, (override,))
    first = [line.split(",")[0] for line in (file.parent / "networks.csv").read_text().splitlines()]
    (file.parent / "networks.csv").write_text("column 0,accuracy\n1,50\n2,60\n")
    assert first[0] == "column 0"
    with pytest.raises(ConfigError, match=words):
        config.space(config.task.load())


def test_a_limit_that_no_network_meets_is_said_before_there_is_a_study(file: Path) -> None:
    with pytest.raises(Infeasible):
        run(file, "limits.params=10")
