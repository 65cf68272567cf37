"""`search tune` as a user has it: a recipe file that can be run, resumed, and nonsense answered with one message."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compress.apply import take
from search.commands.develop import run_study
from search.config.recipe import read_recipe
from search.state.check import check
from search.state.ledger import Ledger
from search.state.recorded import Recorded, load_study
from search.tuning import tree
from search.tuning.seen import LOOK, recipes_of
from tests.search.command_line import Call, is_one_message

MODELS = Path(__file__).parents[1] / "given_models.py"
RECIPE = """\
study: tuned
task: {kind: digits}
devices: {formula: {kind: simulated}}
max_drop: 100
tune:
  evaluations: 10
  cheap_epochs: 0.5
  steps:
    - prune: {ratio: [0.25, 0.5], epochs: 2, multiple: 4}
    - quantize: {kind: [int8-static, int8-dynamic], images: 16}
"""


def call(folder: Path, text: str = RECIPE) -> list[str | Path]:
    (folder / "recipe.yaml").write_text(text)
    model = f"{MODELS}:residual"
    return ["tune", "--recipe", folder / "recipe.yaml", "--model", model, "--db", folder / "lathe.db"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study."""
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "recipe.yaml").write_text(RECIPE)
    run_study(read_recipe(folder / "recipe.yaml", f"{MODELS}:residual"), str(folder / "lathe.db"), quiet=True)
    return folder


def recorded(folder: Path) -> Recorded:
    return load_study("tuned", str(folder / "lathe.db"))


def test_every_variant_is_one_step_further_than_its_parent_and_made_once(done: Path) -> None:
    made = [(variant, candidate) for variant, candidate in recipes_of(recorded(done).variants)]
    nodes = [(candidate, LOOK in variant.config) for variant, candidate in made]
    assert len(set(nodes)) == len(nodes) >= 11
    by_id = {variant.id: candidate for variant, candidate in made}
    for variant, candidate in made:
        if candidate.steps:
            (base,) = [parent.id for parent in variant.parents if parent.role == "base"]
            assert by_id[base] == candidate.base
    assert any(is_look for _, is_look in nodes) and not all(is_look for _, is_look in nodes[1:])


def test_what_is_shipped_was_tried_in_whole_is_faster_and_tested_once(done: Path) -> None:
    variants = recorded(done).variants
    (shipped,) = [variant for variant in variants if variant.is_shipped]
    given = next(variant for variant in variants if variant.step == "given" and variant.model)
    latencies = [next(m.value for m in v.measurements if m.metric == "latency_ms") for v in (shipped, given)]
    assert LOOK not in shipped.config and latencies[0] < latencies[1]
    tested = [v.id for v in variants if any(e.split == "test" for e in v.evaluations)]
    assert shipped.id in tested and given.id in tested and len(tested) <= 3


def test_of_a_variant_no_file_and_no_network_is_kept_when_it_is_recorded(
    search: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that reads no ONNX has a file beside every ONNX file."""
    contexts, files = [], []

    def watched(name, step, variant, context, *rest):  # noqa: ANN001, ANN002, ANN202
        contexts.append(context)
        files.append(len(list(context.folder.iterdir())))
        return take(name, step, variant, context, *rest)

    monkeypatch.setattr(tree, "take", watched)
    device = "{here: {kind: torch, mode: eager, rounds: 2, calls: 1}}"
    steps = "    - prune: {ratio: [0.25, 0.5, 0.75], epochs: 1, multiple: 4}\n"
    text = RECIPE[: RECIPE.index("    - prune")].replace("{formula: {kind: simulated}}", device) + steps
    assert search(*call(tmp_path, text.replace("cheap_epochs: 0.5", "cheap_epochs: 1\n  cheap_images: 1"))).code == 0
    assert len(contexts) == 3 and len({id(context.simulations) for context in contexts}) == 3
    assert len(set(files)) == 1


def test_the_recipe_that_is_written_makes_the_same_network_again(search: Call, done: Path, tmp_path: Path) -> None:
    said = search("tune", "--recipe", done / "recipe.yaml", "--model", f"{MODELS}:residual", "--db", done / "lathe.db",
                  "--out", tmp_path / "out")  # fmt: skip
    assert said.code == 0 and "nothing is repeated" in said.err, said.err
    assert (tmp_path / "out/run.py").exists()
    again = search("compress", "--recipe", tmp_path / "out/recipe.yaml", "--db", tmp_path / "again.db")
    assert again.code == 0, again.err
    ours = next(v for v in recorded(done).variants if v.is_shipped)
    theirs = next(v for v in load_study("tuned-recipe", str(tmp_path / "again.db")).variants if v.is_shipped)
    assert theirs.model == ours.model


def test_where_no_recipe_is_written_that_is_said(
    search: Call, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tuning.written.write_recipe", lambda *_: None)
    said = search(*call(done), "--out", tmp_path / "out", "-q")
    assert said.code == 0 and "recipe   none: no step was worth it" in said.out, said.err


def test_show_tells_the_front_and_json_has_the_recipe(search: Call, done: Path) -> None:
    said = search("show", "--db", done / "lathe.db")
    assert said.code == 0 and "the front" in said.out and "shipped  " in said.out
    assert "each class, on " in said.out
    tree = json.loads(search("show", "--db", done / "lathe.db", "--json").out)
    assert tree["recipe"]["steps"] and tree["front"] and tree["state"] == "done"
    assert [(row["variant"], row["split"]) for row in tree["per_class"]] == [
        (tree["shipped"], "test"), (tree["shipped"], "validation")
    ]  # fmt: skip
    assert search("status", "--db", done / "lathe.db").code == 0
    assert search("report", "--db", done / "lathe.db", "--out", done / "tuned.html").code == 0


def test_another_model_begins_with_what_was_best_for_this_one(done: Path) -> None:
    text = RECIPE.replace("study: tuned", "study: second").replace("evaluations: 10", "evaluations: 2")
    (done / "second.yaml").write_text(text)
    run_study(read_recipe(done / "second.yaml", f"{MODELS}:instance"), str(done / "lathe.db"), quiet=True)
    with Ledger.open(str(done / "lathe.db")) as ledger:
        first = ledger.event_data(ledger.study("second").id, "proposal")[0]
    shipped = next(v for v in recorded(done).variants if v.is_shipped)
    assert first["steps"][-1][0] == shipped.step


def test_a_killed_run_resumes_to_what_the_unbroken_one_found(tmp_path: Path) -> None:
    text = RECIPE.replace("cheap_epochs: 0.5", "cheap_epochs: 1\n  cheap_images: 1").replace("10", "6")  # no clock
    whole, db = tmp_path / "whole", tmp_path / "lathe.db"
    whole.mkdir()
    command = [sys.executable, "-m", "search", *map(str, call(tmp_path, text))]
    # a process of its own, too: weights depend on the number of threads, which other tests may have set in this one
    unbroken_command = [*command[:-1], str(whole / "lathe.db")]
    subprocess.run(unbroken_command, check=True, capture_output=True, timeout=300)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while variants_in(db) < 4 and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
    before = variants_in(db)
    said = subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert said.returncode == 0, said.stderr
    unbroken, resumed = (
        [(candidate, LOOK in v.config, v.verdict, v.model, v.is_shipped) for v, candidate in recipes_of(r.variants)]
        for r in (recorded(whole), recorded(tmp_path))
    )
    assert before < len(resumed) and resumed == unbroken
    assert check(str(db)) == []


def variants_in(db: Path) -> int:
    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute("select count(*) from lathe_variant where role = 'winner'").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


MISTAKES = [
    ("evaluations: 10", "evaluatoins: 10", "did you mean 'evaluations'?"),
    ("evaluations: 10", "evaluations: 0", "nothing would end the search"),
    ("evaluations: 10", "aim: fast", "`aim` must be fastest or front, got 'fast'"),
    ("evaluations: 10", "sampler: tpee", "did you mean 'tpe'?"),
    ("cheap_epochs: 0.5", "cheap_epochs: 2", "`cheap_epochs` must be in (0, 1], got 2.0"),
    ("ratio: [0.25, 0.5]", "ratio: [0.25, 1.5]", "`ratio` must be in (0, 1), got 1.5"),
    ("ratio: [0.25, 0.5]", "ratio: [0.25, 0.25]", "`ratio` lists 0.25 twice"),
    ("ratio: [0.25, 0.5]", "ratio: []", "must list at least one value"),
    ("ratio: [0.25, 0.5]", "ratios: [0.25, 0.5]", "did you mean 'ratio'?"),
    ("- prune", "- prunes", "did you mean 'prune'?"),
    ("tune:", "orders: [[prune]]\ntune:", "unknown field 'orders' for a recipe"),
    ("  cheap_epochs: 0.5", "  orders: [[quantize, prune]]", "'quantize' makes int8, nothing can follow it"),
    ("  cheap_epochs: 0.5", "  orders: [[prune, distill]]", "'distill' is not among `steps`"),
    ("  cheap_epochs: 0.5", "  orders: prune", "must be a list of lists of steps"),
    ("max_drop: 100", "max_drop: 100\nsteps: [quantize]", "a recipe has `steps` or `tune`, not both"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_one_message_and_nothing_is_recorded(
    search: Call, tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in RECIPE
    is_one_message(search(*call(tmp_path, RECIPE.replace(old, new, 1))), 3, message)
    assert not (tmp_path / "lathe.db").exists()


def test_a_recipe_of_the_other_command_is_refused_with_its_name(search: Call, tmp_path: Path) -> None:
    arguments = call(tmp_path)
    is_one_message(search("compress", *arguments[1:]), 2, "search tune")
    is_one_message(search(*call(tmp_path, "task: {kind: digits}\nsteps: [quantize]\n")), 2, "search compress")


def test_a_variant_that_is_not_there_is_one_message(search: Call, done: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    at = ("--recipe", tmp_path / "recipe.yaml", "--db", done / "lathe.db")
    is_one_message(search("tune", *at, "--variant", "tunde"), 4, "Did you mean 'tuned'?")
    is_one_message(search("tune", *at, "--variant", "tuned:9999"), 4, "has no float32 network '9999'")
    is_one_message(search("tune", *at, "--variant", "tuned", "--model", "m:a"), 2, "not both")


def test_a_plan_says_what_would_be_searched_and_runs_nothing(search: Call, tmp_path: Path) -> None:
    said = search(*call(tmp_path), "--dry-run", "--json")
    assert said.code == 0 and json.loads(said.out)["recipes"] == 2 + 2 + 2 * 2
    assert not (tmp_path / "lathe.db").exists()
