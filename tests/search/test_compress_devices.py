"""On which devices `search compress` measures: the one that judges, and those whose latency is limited."""

from pathlib import Path

import pytest

from search.commands.develop import run_study
from search.config.recipe import read_recipe
from search.state.ledger import Ledger
from search.state.recorded import load_study
from tests.search.command_line import Call

MODEL = f"{Path(__file__).with_name('given_models.py')}:residual"
RECIPE = """\
study: mine
task: {kind: digits}
devices: {apart: {kind: simulated, macs_per_us: 100}, pi: {kind: simulated}}
max_drop: 100
steps: [{quantize: {images: 16}}]
"""


@pytest.mark.parametrize("most_ms", [0.1, 1.0])
def test_a_latency_is_limited_on_a_device_that_does_not_judge(search: Call, tmp_path: Path, most_ms: float) -> None:
    recipe, db = tmp_path / "recipe.yaml", tmp_path / "lathe.db"
    recipe.write_text(f"{RECIPE}limits: {{latency_ms@apart: {most_ms}}}\n")
    said = search("compress", "--model", MODEL, "--recipe", recipe, "--device", "pi", "--db", db, "-q")
    assert (said.code, "latency_ms@apart <= 0.1" in said.err) == ((5, True) if most_ms < 0.4 else (0, False))
    chain = [v for v in load_study("mine", str(db)).variants if v.model]
    assert {tuple(m.device for m in v.measurements if m.metric == "latency_ms") for v in chain} == {("pi", "apart")}
    assert any(v.is_shipped for v in chain) is (most_ms > 0.4)


def test_a_study_is_resumed_on_the_device_that_judged_it(search: Call, tmp_path: Path) -> None:
    """The database sorts the devices, and the one that was asked for need not be the first by name."""
    recipe, db = tmp_path / "recipe.yaml", str(tmp_path / "lathe.db")
    recipe.write_text(RECIPE)
    run_study(read_recipe(recipe, MODEL, device="pi"), db, quiet=True)
    with Ledger.open(db) as ledger:
        ledger.set_state(ledger.study("mine").id, "paused")
    assert search("resume", "mine", "--db", db, "-q").code == 0
    recorded = load_study("mine", db)
    assert recorded.study.state == "done" and [device.name for device in recorded.devices] == ["pi"]
