"""`search compress`: a model of the user's through the recipe, and one message for everything that does not fit."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest
import torch

from compress.devices.simulated import Simulated
from compress.evaluate import evaluate_file
from compress.export.quiet import quiet
from compress.foreign import Foreign, description_of
from compress.given import load_given
from compress.measurement import Measurement
from search.choosing import cost_of
from search.commands.develop import run_study
from search.config.recipe import read_recipe
from search.errors import Interrupted
from search.state.ledger import Ledger
from search.state.recorded import load_study
from spaces.tasks import Digits
from tests.search.command_line import Call, Said, is_one_message
from tests.search.given_models import Residual
from tests.spaces.parquet_files import pictures, write

MODELS = Path(__file__).with_name("given_models.py")
RECIPE = """\
study: mine
task: {kind: digits}
devices: {formula: {kind: simulated}}
limits: {params: 5k}
max_drop: 100
steps:
  - distill: {epochs: 2, lr: 0.1}
  - prune: {ratio: 0.5, epochs: 1}
  - quantize: {images: 16}
"""


@dataclass(frozen=True)
class Done:
    """A finished compression: where it lies, and what made it."""

    db: Path
    recipe: Path


Recipe = Callable[..., Path]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A recipe file: RECIPE with one text replaced by another."""

    def write(old: str = "", new: str = "") -> Path:
        assert old in RECIPE
        (tmp_path / "recipe.yaml").write_text(RECIPE.replace(old, new))
        return tmp_path / "recipe.yaml"

    return write


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("compress")
    (folder / "recipe.yaml").write_text(RECIPE)
    config = read_recipe(folder / "recipe.yaml", f"{MODELS}:residual")
    run_study(config, str(folder / "lathe.db"), quiet=True)
    return Done(folder / "lathe.db", folder / "recipe.yaml")


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's model as somebody exported it: any number of images, normalised by hand outside."""
    path = tmp_path_factory.mktemp("given") / "mine.onnx"
    dynamic = {"x": {0: "n"}}
    arguments = torch.zeros(2, 1, 8, 8)
    network = load_given(f"{MODELS}:residual")
    with quiet():
        torch.onnx.export(network, (arguments,), path, dynamo=False, input_names=["x"], dynamic_axes=dynamic)
    return path


def test_every_step_is_recorded_with_its_parent_and_judged_by_its_file(done: Done) -> None:
    recorded = load_study("mine", str(done.db))
    chain = [variant for variant in recorded.variants if variant.role == "winner"]
    assert [v.step for v in chain] == ["given", "distill", "prune", "quantize"]
    assert recorded.study.state == "done" and sum(v.is_shipped for v in chain) == 1
    for before, variant in zip(chain, chain[1:], strict=False):
        assert before.id in [parent.id for parent in variant.parents] and variant.reason
        assert {e.fidelity for e in variant.evaluations} == {"exported"}
        assert variant.model and variant.weights
    params = [next(m.value for m in v.measurements if m.metric == "params") for v in chain]
    assert params[0] == params[1] == 2906 and params[2] < 0.6 * params[0]


def test_an_assistant_stands_between_the_student_and_the_teacher_of_the_user(
    search: Call, recipe: Recipe, tmp_path: Path
) -> None:
    steps = RECIPE[RECIPE.index("limits:") : RECIPE.index("  - quantize")]
    taught = (
        f"teacher: {MODELS}:residual\nmax_drop: 100\nsteps:\n  - distill: {{epochs: 4, lr: 0.1, assistant: auto}}\n"
    )
    db = str(tmp_path / "lathe.db")
    run_study(read_recipe(recipe(steps, taught), f"{MODELS}:narrow"), db, quiet=True)
    recorded = load_study("mine", db)
    teacher, assistant = (v for v in recorded.variants if v.role == "teacher")
    chain = [v for v in recorded.variants if v.role == "winner"]
    assert [v.step for v in chain] == ["given", "distill", "quantize"] and (teacher.step, assistant.step) == (
        "given",
        "assistant",
    )
    assert {(p.id, p.role) for p in assistant.parents} == {(teacher.id, "base"), (teacher.id, "teacher")}
    assert {(p.id, p.role) for p in chain[1].parents} == {(chain[0].id, "base"), (assistant.id, "teacher")}
    sizes = [v.architecture.params for v in (chain[1], assistant, teacher) if v.architecture]
    assert sizes == sorted(sizes) and len(set(sizes)) == 3 and sizes[1] == assistant.config["tried"][0][0]
    assert assistant.weights and {e.fidelity for e in assistant.evaluations} == {"alone"}
    assert f"taught by an assistant of {sizes[1]:,} parameters" in chain[1].reason and "taught" not in chain[2].reason
    assert "taught by an assistant" in search("show", "mine", "--db", db).out


def test_an_ensemble_of_the_user_teaches_as_one(recipe: Recipe, tmp_path: Path) -> None:
    steps = RECIPE[RECIPE.index("limits:") : RECIPE.index("  - quantize")]
    taught = f"teacher: {MODELS}:ensemble\nmax_drop: 100\nsteps:\n  - distill: {{epochs: 1, loss: dkd}}\n"
    db = str(tmp_path / "lathe.db")
    run_study(read_recipe(recipe(steps, taught), f"{MODELS}:narrow"), db, quiet=True)
    teacher, _, distilled, *_ = load_study("mine", db).variants
    assert teacher.architecture and teacher.architecture.params == 2 * sum(p.numel() for p in Residual(8).parameters())
    assert (teacher.id, "teacher") in {(p.id, p.role) for p in distilled.parents}


def test_a_pruned_network_comes_back_from_its_record(done: Done) -> None:
    recorded = load_study("mine", str(done.db))
    pruned = next(v for v in recorded.variants if v.step == "prune")
    assert pruned.architecture is not None
    arch = description_of(pruned.architecture.json)
    assert isinstance(arch, Foreign) and arch.source == "given_models.py:residual"
    assert dict(arch.shapes)["conv2.weight"] == (8, 1, 3, 3), "a depthwise convolution shrinks with its neighbours"


def test_what_every_width_costs_is_measured_once_for_all_studies(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pruning to a latency: a second study on the same device finds every layer in the database."""
    asked, measure = list[int](), Simulated.measure

    def counted(device: Simulated, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        asked.append(len(files))
        return measure(device, files, reference, name)

    monkeypatch.setattr(Simulated, "measure", counted)
    file = recipe("kind: simulated", "kind: simulated, macs_per_us: 10")
    text = file.read_text().replace("  - distill: {epochs: 2, lr: 0.1}\n", "").replace("ratio: 0.5", "latency: 0.6")
    counts, speeds = [], []
    for name in ("first", "second"):
        file.write_text(text.replace("study: mine", f"study: {name}"))
        asked.clear()
        run_study(read_recipe(file, f"{MODELS}:residual"), str(tmp_path / "lathe.db"), quiet=True)
        given, pruned, *_ = load_study(name, str(tmp_path / "lathe.db")).variants[-3:]
        counts.append(sum(asked))
        speeds.append(cost_of(pruned, "latency_ms") / cost_of(given, "latency_ms"))
    assert counts[0] > 20 > 10 > counts[1]
    assert 0.45 < speeds[0] <= 0.62 and speeds[1] == pytest.approx(speeds[0])


def test_show_report_top_and_export_know_it(search: Call, done: Done, tmp_path: Path) -> None:
    said = search("show", "--db", done.db)
    assert said.code == 0 and all(t in said.out for t in ("given_models.py:residual", "+ prune", "each class, on 359"))
    assert search("top", "--db", done.db).code == 0
    assert search("report", "--db", done.db, "--out", tmp_path / "mine.html").code == 0
    assert "given_models.py:residual" in (tmp_path / "mine.html").read_text()
    said = search("export", "--db", done.db, "--bundle", "--out", tmp_path / "out")
    assert said.code == 0, said.err
    card = json.loads((tmp_path / "out/card.json").read_text())
    test = Digits().load().read_test()
    for name, file in card["files"].items():
        if "test accuracy" in file["quality"]:
            assert evaluate_file(tmp_path / "out" / name, test).accuracy == file["quality"]["test accuracy"]["value"]


def test_a_network_of_the_users_is_exported_in_other_formats_too(search: Call, done: Done, tmp_path: Path) -> None:
    said = search("export", "mine", "--db", done.db, "--out", tmp_path, "--format", "pt2")
    assert said.code == 0, said.err
    (card,) = json.loads((tmp_path / "card.json").read_text())["formats"].values()
    assert card["format"] == "pt2" and card["agreement"]["same answers"] == 1.0


def test_the_same_call_again_repeats_nothing(search: Call, done: Done) -> None:
    before = load_study("mine", str(done.db)).variants
    call = ("compress", "--model", f"{MODELS}:residual", "--recipe", done.recipe, "--db", done.db)
    said = search(*call, "--json")
    assert said.code == 0 and json.loads(said.out)["state"] == "done"
    assert "nothing is repeated" in said.err
    assert load_study("mine", str(done.db)).variants == before
    assert search("resume", "mine", "--db", done.db).code == 0


def test_a_changed_model_is_another_study(search: Call, done: Done) -> None:
    call = ("compress", "--model", f"{MODELS}:instance", "--recipe", done.recipe, "--db", done.db)
    is_one_message(search(*call), 3, "model: ")


def test_an_interrupted_recipe_goes_on_where_it_stopped(recipe: Recipe, tmp_path: Path) -> None:
    from search.compressing import compress_given
    from search.watch import Watch

    config = read_recipe(recipe(), f"{MODELS}:residual")

    class Stopping(Watch):
        """Asks to stop in the training after pruning."""

        def check(self) -> None:
            if self.done >= 1 and not getattr(self, "has_stopped", False):
                self.has_stopped = True
                raise Interrupted("stop")

    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        with pytest.raises(Interrupted):
            compress_given(config, ledger, Stopping(quiet=True))
        (study,) = ledger.studies()
        assert study.state == "paused"
        first = [v for v in ledger.variants(study.id) if v.role == "winner"]
        assert [v.step for v in first] == ["given", "distill"]
        compress_given(config, ledger, Watch(quiet=True))
        chain = [v for v in ledger.variants(study.id) if v.role == "winner"]
        assert [v.step for v in chain] == ["given", "distill", "prune", "quantize"]
        assert [v.model for v in chain[:2]] == [v.model for v in first]


def test_an_onnx_file_is_quantized(search: Call, onnx_file: Path, recipe: Recipe, tmp_path: Path) -> None:
    only = recipe(RECIPE[RECIPE.index("  - distill") :], "  - quantize: {images: 16}\n")
    call = ("compress", "--model", onnx_file, "--recipe", only, "--db", tmp_path / "lathe.db")
    said = search(*call, "--out", tmp_path / "out")
    assert said.code == 0, said.err
    (given, int8) = [v for v in load_study("mine", str(tmp_path / "lathe.db")).variants if v.role == "winner"]
    assert (given.precision, int8.precision, given.weights) == ("float32", "int8", None)
    assert {m.metric: m.value for m in given.measurements}["macs"] == 16 * 16 * (9 + 16 * 9 + 9) + 160
    kinds = {node.op_type for node in onnx.load(tmp_path / "out/mine.int8.onnx").graph.node}
    assert "QuantizeLinear" in kinds
    data, network = Digits().load(), load_given(f"{MODELS}:residual")
    with torch.no_grad():
        right = (network(data.normalise(data.validation.x)).argmax(1) == data.validation.y).float().mean()
    accuracy = next(e.value for e in given.evaluations if e.metric == "accuracy")
    assert accuracy == pytest.approx(right.item(), abs=1e-6), "raw pixels in, normalised as the torch network has them"


WRONG = {
    "module:attribute": "a model is my.onnx, module:attribute or file.py:attribute",
    "no_such_module:net": "module 'no_such_module' cannot be imported",
    f"{MODELS}:residul": "Did you mean 'residual'?",
    f"{MODELS}:raises": "raised FileNotFoundError: weights.pt is missing",
    f"{MODELS}:number": "is of type int, not a torch.nn.Module",
    f"{MODELS}:twelve_classes": "puts out 12 classes, the data has 10",
    f"{MODELS}:colour": "does not take examples of shape (1, 8, 8)",
    f"{MODELS}:leaves": "raised SystemExit: 0",
    f"{MODELS}:script": "is TorchScript",
    f"{MODELS}:not_finite": "puts out values that are not finite",
    f"{MODELS}:softmaxed": "must return logits",
    f"{MODELS}:Auxiliary": "returns logits in use and tuple in training mode, and a step of the recipe trains it",
    f"{MODELS}:DataDependent": "does not export to ONNX",
}


@pytest.mark.parametrize("model", WRONG)
def test_a_model_that_does_not_fit_is_one_message_and_no_study(
    search: Call,
    recipe: Recipe,
    tmp_path: Path,
    model: str,
) -> None:
    db = tmp_path / "lathe.db"
    given = "net" if model == "module:attribute" else model
    said = search("compress", "-q", "--model", given, "--recipe", recipe(), "--db", db)
    is_one_message(said, 3, WRONG[model])
    assert said.err.startswith("error: ") and said.err.count("\n") == 1, said.err
    with Ledger.open(str(db)) as ledger:
        assert ledger.studies() == [] and list(ledger.store.names()) == []


def test_a_model_that_flattens_by_view_goes_through_a_recipe(search: Call, recipe: Recipe, tmp_path: Path) -> None:
    file = recipe("limits: {params: 5k}\n")
    said = search("compress", "--model", f"{MODELS}:Viewing", "--recipe", file, "--db", tmp_path / "lathe.db")
    assert said.code == 0, said.err
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        steps = [v.step for v in ledger.variants(ledger.study("mine").id) if v.model and v.role == "winner"]
    assert steps == ["given", "distill", "quantize"], "its forward holds a size, so it is not pruned"


def test_a_file_that_answers_differently_from_the_model_is_told(search: Call, recipe: Recipe, tmp_path: Path) -> None:
    only = recipe(RECIPE[RECIPE.index("steps:") :], "steps: [quantize]\n")
    for model, is_told in (("tapped", True), ("residual", False)):
        said = search("compress", "--model", f"{MODELS}:{model}", "--recipe", only, "--db", tmp_path / f"{model}.db")
        assert said.code == 0 and ("the exported file answers differently" in said.out + said.err) is is_told


@pytest.mark.parametrize("teacher", ["twelve_classes", "colour", "not_finite", "leaves"])
def test_a_teacher_that_does_not_fit_is_one_message_and_no_study(
    search: Call, recipe: Recipe, tmp_path: Path, teacher: str
) -> None:
    file, db = recipe("max_drop: 100", f"teacher: {MODELS}:{teacher}\nmax_drop: 100"), tmp_path / "lathe.db"
    words = {"twelve_classes": "the teacher given_models.py:twelve_classes knows 12 classes, the data has 10"}
    message = words.get(teacher, WRONG[f"{MODELS}:{teacher}"])
    is_one_message(search("compress", "--model", f"{MODELS}:residual", "--recipe", file, "--db", db), 3, message)
    with Ledger.open(str(db)) as ledger:
        assert ledger.studies() == []


@pytest.mark.parametrize("command", ["compress", "tune"])
def test_a_file_where_the_bundle_should_go_is_said_before_the_work(
    search: Call, recipe: Recipe, tmp_path: Path, command: str
) -> None:
    (tmp_path / "taken").write_text("a file")
    steps = RECIPE[RECIPE.index("steps:") :]
    file = recipe() if command == "compress" else recipe(steps, "tune: {evaluations: 4, steps: [quantize]}\n")
    call = (command, "--model", f"{MODELS}:residual", "--recipe", file, "--db", tmp_path / "lathe.db")
    for out in ("taken", "taken/sub"):
        is_one_message(search(*call, "--out", tmp_path / out), 2, f"{tmp_path / 'taken'} is a file")
    assert not (tmp_path / "lathe.db").exists()


def test_ctrl_c_before_a_study_began_says_to_call_again(
    search: Call, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("search.compressing.starts_of", interrupted)
    call = ("compress", "-q", "--model", f"{MODELS}:residual", "--recipe", recipe(), "--db", tmp_path / "lathe.db")
    assert search(*call) == Said(130, "", "stopped before the study began; the same command begins again.\n")


MISTAKES = [
    ("max_drop: 100", "max_dorp: 100", ":5:1", "did you mean 'max_drop'?"),
    ("ratio: 0.5", "ratio: 1.5", ":8:20", "`ratio` must be in (0, 1), got 1.5"),
    ("- prune", "- prunes", ":8:5", "did you mean 'prune'?"),
    ("limits: {params: 5k}", "limits: {param: 5k}", ":4:10", "did you mean 'params'?"),
    ("limits: {params: 5k}", "input: {mean: [1, 2], std: 3}", "", "2 means and 1 stds, the data has 1 channels"),
    ("limits: {params: 5k}", "input: {std: 0}", ":4:14", "`std` must be positive"),
    (
        "limits: {params: 5k}",
        f"teacher: {MODELS}:twelve_classes",
        "",
        "twelve_classes knows 12 classes, the data has 10",
    ),
    ("steps:", "steppes:", ":6:1", "did you mean 'steps'?"),
]


@pytest.mark.parametrize(("old", "new", "place", "message"), MISTAKES)
def test_a_mistake_in_a_recipe_has_its_place(
    search: Call,
    recipe: Recipe,
    tmp_path: Path,
    old: str,
    new: str,
    place: str,
    message: str,
) -> None:
    db = tmp_path / "lathe.db"
    said = search("compress", "--model", f"{MODELS}:residual", "--recipe", recipe(old, new), "--db", db)
    is_one_message(said, 3, message)
    assert not place or f"recipe.yaml{place}" in said.err


def test_a_step_that_needs_torch_is_refused_for_a_file(
    search: Call,
    onnx_file: Path,
    recipe: Recipe,
    tmp_path: Path,
) -> None:
    said = search("compress", "--model", onnx_file, "--recipe", recipe(), "--db", tmp_path / "lathe.db")
    assert said.code == 3 and said.err.endswith("2 errors\n")
    for place in ("recipe.yaml:7:5: error: distill", "recipe.yaml:8:5: error: prune"):
        assert f"{place} needs a PyTorch network, and the model is an ONNX file" in said.err


def test_data_of_another_shape_is_refused_for_a_file(search: Call, onnx_file: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.yaml"
    write(tmp_path / "images.parquet", pictures(40), [n % 10 for n in range(40)])
    data.write_text("task: {kind: parquet, path: images.parquet, size: 8}\n")
    (tmp_path / "recipe.yaml").write_text("task: {kind: digits}\nsteps: [quantize]\n")
    call = ("compress", "--model", onnx_file, "--recipe", tmp_path / "recipe.yaml", "--data", data)
    is_one_message(search(*call, "--db", tmp_path / "lathe.db"), 3, "the data has examples of shape [1, 3, 8, 8]")


def test_a_file_that_is_no_model_is_one_message(search: Call, recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"not a model")
    only = recipe(RECIPE[RECIPE.index("  - distill") :], "  - quantize: {images: 16}\n")
    said = search("compress", "--model", tmp_path / "mine.onnx", "--recipe", only, "--db", tmp_path / "lathe.db")
    is_one_message(said, 3, "is not an ONNX model")
    said = search("compress", "--model", tmp_path / "mina.onnx", "--recipe", only, "--db", tmp_path / "lathe.db")
    is_one_message(said, 3, f"there is no file {tmp_path / 'mina.onnx'}. Did you mean")


def test_the_device_that_judges_can_be_named(recipe: Recipe) -> None:
    assert read_recipe(recipe(), "m:a").device == "formula"
    assert read_recipe(recipe(), "m:a", device="onnxruntime").device == "onnxruntime"
