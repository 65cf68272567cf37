"""What `--variant STUDY` starts from, and who teaches there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.config.recipe import RecipeConfig, read_recipe
from search.errors import ConfigError
from search.starting import starts_of, teacher_of
from search.state.ledger import Ledger
from search.state.records import VariantRecord
from tests.search.command_line import Call, is_one_message
from tests.search.finished_study import Finished

STEPS = "steps: [quantize]"


@pytest.fixture
def opened(finished: Finished) -> Iterator[Ledger]:
    with Ledger.open(finished.db) as ledger:
        yield ledger


def recipe(folder: Path, finished: Finished, steps: str, variant: str = "") -> RecipeConfig:
    task = ", ".join(f"{key}: {value}" for key, value in finished.config.tree["task"].items())
    (folder / "recipe.yaml").write_text(f"task: {{{task}}}\n{steps}\n")
    return read_recipe(folder / "recipe.yaml", variant=variant or finished.config.study)


def rows(ledger: Ledger, finished: Finished, *roles: str) -> list[VariantRecord]:
    study = ledger.study(finished.config.study)
    return [v for v in ledger.variants(study.id) if v.role in roles and v.weights and v.precision == "float32"]


def accuracy(variant: VariantRecord) -> float:
    return next(e.value for e in variant.evaluations if (e.metric, e.split) == ("accuracy", "validation"))


def test_recipes_are_searched_from_the_baselines_too(opened: Ledger, finished: Finished, tmp_path: Path) -> None:
    config = recipe(tmp_path, finished, f"tune: {{{STEPS}}}")
    by_id = {f"{finished.config.study}:{v.id}": v for v in rows(opened, finished, "winner", "baseline")}
    starts = [by_id[start.source] for start in starts_of(config, opened, config.load_data())]
    assert {start.role for start in starts} == {"winner", "baseline"}
    assert any(start.config.get("name") == "hand-made" for start in starts)
    assert [accuracy(start) for start in starts] == sorted(map(accuracy, starts), reverse=True)


def test_one_recipe_is_taken_by_winners_or_by_the_one_that_is_named(
    opened: Ledger, finished: Finished, tmp_path: Path
) -> None:
    config = recipe(tmp_path, finished, STEPS)
    winners = {f"{finished.config.study}:{v.id}" for v in rows(opened, finished, "winner")}
    assert {start.source for start in starts_of(config, opened, config.load_data())} <= winners
    hand_made = next(v for v in rows(opened, finished, "baseline") if v.config.get("name") == "hand-made")
    named = recipe(tmp_path, finished, STEPS, f"{finished.config.study}:{hand_made.id}")
    (start,) = starts_of(named, opened, named.load_data())
    assert start.source == named.variant


def test_the_most_accurate_network_of_the_study_teaches(opened: Ledger, finished: Finished, tmp_path: Path) -> None:
    config = recipe(tmp_path, finished, f"tune: {{{STEPS}}}")
    data = config.load_data()
    starts = starts_of(config, opened, data)
    teacher = teacher_of(config, starts, opened, data)
    named = {start.source for start in starts}
    able = [v for v in rows(opened, finished, "winner", "baseline") if f"{finished.config.study}:{v.id}" in named]
    best = max([*rows(opened, finished, "teacher"), *able], key=accuracy)
    assert teacher is not None and teacher[1].id == best.architecture_id
    assert ("the teacher of" in teacher[2]) == (best.role == "teacher")


def test_a_recipe_with_another_task_than_the_studys_is_told_in_what_they_differ(
    opened: Ledger, finished: Finished, tmp_path: Path
) -> None:
    (tmp_path / "recipe.yaml").write_text(f"task: {{kind: digits, seed: 7}}\n{STEPS}\n")
    config = read_recipe(tmp_path / "recipe.yaml", variant=finished.config.study)
    with pytest.raises(ConfigError) as raised:
        starts_of(config, opened, config.load_data())
    assert "its task says seed: 0, the recipe's seed: 7. Write the same" in str(raised.value)
    assert "--data SPACE.yaml" in str(raised.value)


def test_a_dry_run_finds_that_a_study_was_made_with_other_data(
    search: Call, finished: Finished, tmp_path: Path
) -> None:
    file = tmp_path / "tune.yaml"
    file.write_text(f"task: {{kind: digits, seed: 7}}\ntune: {{{STEPS}}}\n")
    call = ("tune", "--recipe", file, "--db", finished.db, "--dry-run", "--variant")
    is_one_message(search(*call, "tiny"), 3, "was made with other data", "seed: 7")
    is_one_message(search(*call, "tinny"), 4, "Did you mean 'tiny'?")
    file.write_text(f"task: {{kind: digits, seed: 0}}\ntune: {{{STEPS}}}\n")
    assert search(*call, "tiny").code == 0
