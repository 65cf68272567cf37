"""A space file that cannot be run is refused at once: what is wrong, where, and what was probably meant."""

import json
from pathlib import Path

import pytest

from search.config.recipe import read_recipe
from search.config.study import StudyConfig, config_of, read_config
from search.errors import ConfigError, UsageError
from search.state.records import canonical_json
from search.supernet.cutting import Cutting
from search.supernet.rules.attentive import Attentive
from search.supernet.rules.growing import Growing

ROOT = Path(__file__).parents[3]
GOOD = """\
study: good
task: {kind: digits, seed: 0}
space:
  stem: {width: [8]}
  stages:
    - depth: [1, 2]
      width: [8, 16]
      stride: 2
      blocks:
        - mbconv: {kernel: [3, 5], expand: [1, 2], act: [relu6]}
        - kan: {ratio: [1, 2]}
supernet: {epochs: 3, batch: 128}
search: {sampler: nsga2, trials: 12, calibration: 8, exports: 16}
objectives: {loss: min, latency_ms@here: min}
limits: {params: 40k}
devices: {here: {kind: onnxruntime}}
compress:
  keep: 1
  steps:
    - distill: {epochs: 1}
    - prune: {ratio: 0.5}
    - quantize: {images: 16}
export: [onnx]
"""


def written(folder: Path, old: str = "", new: str = "") -> Path:
    """GOOD with one place changed."""
    assert not old or GOOD.count(old) == 1, old
    file = folder / "space.yaml"
    file.write_text(GOOD.replace(old, new) if old else GOOD)
    return file


def read(folder: Path, old: str = "", new: str = "", overrides: tuple[str, ...] = ()) -> StudyConfig:
    return read_config(written(folder, old, new), overrides)


def refused(file: Path, overrides: tuple[str, ...] = ()) -> str:
    """The message, with the file's name instead of its path."""
    with pytest.raises(ConfigError) as caught:
        read_config(file, overrides)
    assert caught.value.exit_code == 3
    return str(caught.value).replace(f"{file.parent}/", "")


# (what GOOD says, what it says instead, where the message points to, its words, the hint)
UNKNOWN_FIELDS = [
    ("{epochs: 3, batch: 128}", "{rule: fair, between: 2}", "12:24", "'between' for the supernet with rule 'fair'", ""),
    ("study: good", "studdy: good", "1:1", "'studdy' for a space file", "did you mean 'study'?"),
    ("seed: 0", "sed: 0", "2:22", "'sed' for task 'digits'", "did you mean 'seed'?"),
    ("stem:", "stm:", "4:3", "'stm' for the space", "did you mean 'stem'?"),
    ("stem: {width", "stem: {widht", "4:10", "'widht' for the stem", "did you mean 'width'?"),
    ("stages:", "stagees:", "5:3", "'stagees' for the space", "did you mean 'stages'?"),
    ("depth:", "depht:", "6:7", "'depht' for a stage", "did you mean 'depth'?"),
    ("kernel:", "kernal:", "10:20", "'kernal' for block 'mbconv'", "did you mean 'kernel'?"),
    ("epochs: 3", "epoch: 3", "12:12", "'epoch' for the supernet", "did you mean 'epochs'?"),
    ("trials: 12", "trails: 12", "13:26", "'trails' for the search", "did you mean 'trials'?"),
    ("kind: onnxruntime", "kind: onnxruntime, thread: 2", "16:37", "'thread' for device 'here'", "mean 'threads'?"),
    ("keep: 1", "keeps: 1", "18:3", "'keeps' for `compress`", "did you mean 'keep'?"),
    ("{ratio: 0.5}", "{ration: 0.5}", "21:15", "'ration' for step 'prune'", "did you mean 'ratio'?"),
]
UNKNOWN_NAMES = [
    ("{epochs: 3, batch: 128}", "{rule: fairr}", "12:18", "unknown rule 'fairr'", "did you mean 'fair'?"),
    ("kind: digits", "kind: digit", "2:14", "unknown task 'digit'", "did you mean 'digits'?"),
    ("kind: digits", "kind: zzz", "2:14", "unknown task 'zzz'", "known: arrays, digits, folder"),
    ("- mbconv:", "- mbcnv:", "10:11", "unknown block 'mbcnv'", "did you mean 'mbconv'?"),
    ("act: [relu6]", "act: [relu7]", "10:58", "unknown act 'relu7'", "did you mean 'relu'?"),
    ("stride: 2", "enter: cnv", "8:14", "unknown enter 'cnv'", "did you mean 'conv'?"),
    ("nsga2", "nsga4", "13:19", "unknown sampler 'nsga4'", "did you mean 'nsga3'?"),
    ("loss: min", "los: min", "14:14", "unknown metric 'los'", "did you mean 'loss'?"),
    (
        "{loss: min, latency_ms@here",
        "{loss: min, latency_ms",
        "14:25",
        "unknown metric 'latency_ms'",
        "'latency_ms@here'",
    ),
    ("latency_ms@here", "latency_ms@her", "14:25", "unknown device 'her'", "did you mean 'here'?"),
    ("params: 40k", "parms: 40k", "15:10", "unknown metric 'parms'", "did you mean 'params'?"),
    ("params: 40k", "latency_ms@there: 1", "15:10", "unknown device 'there'", "did you mean 'here'?"),
    ("kind: onnxruntime", "kind: onnxrt", "16:24", "unknown device 'onnxrt'", "did you mean 'onnxruntime'?"),
    ("- prune:", "- prunee:", "21:7", "unknown step 'prunee'", "did you mean 'prune'?"),
    ("[onnx]", "[onxx]", "23:10", "unknown exporter 'onxx'", "did you mean 'onnx'?"),
]
WRONG_TYPES = [
    ("{kind: digits, seed: 0}", "digits", "2:7", "the task must be a mapping of fields, got 'digits'", ""),
    ("{kind: digits, seed: 0}", "", "2:1", "the task needs a `kind`", "one of arrays, digits, folder"),
    ("kind: digits", "kind: [digits]", "2:14", "a task must be text, got a list", "known: arrays, digits, folder"),
    ("depth: [1, 2]", "depth: two", "6:14", "`depth` must be a whole number, got 'two'", ""),
    ("depth: [1, 2]", "depth: [1, 2.5]", "6:18", "`depth` must be a whole number, got 2.5", ""),
    ("depth: [1, 2]", "depth:", "6:7", "`depth` must be a whole number, got nothing", ""),
    ("stride: 2", "stride: [1, 2]", "8:15", "`stride` must be one whole number, got a list", "not a choice"),
    ("kernel: [3, 5]", "kernel: ['3']", "10:29", "`kernel` must be a whole number, got '3'", ""),
    ("kernel: [3, 5]", "kernel: [3, true]", "10:32", "`kernel` must be a whole number, got True", ""),
    ("act: [relu6]", "act: [1]", "10:58", "`act` must be text, got 1", ""),
    ("- kan: {ratio: [1, 2]}", "- 3", "11:11", "a block is one name with its choices, got 3", "for example {mbconv"),
    ("- kan: {ratio: [1, 2]}", "- kan: [1]", "11:16", "block 'kan' must be a mapping of fields, got a list", ""),
    ("supernet: {epochs: 3, batch: 128}", "supernet: [1]", "12:11", "the supernet must be a mapping", ""),
    ("trials: 12", "trials: many", "13:34", "`trials` must be a whole number, got 'many'", ""),
    ("{loss: min, latency_ms@here: min}", "loss", "14:13", "`objectives` must be a mapping of fields, got 'loss'", ""),
    ("{here: {kind: onnxruntime}}", "{here: onnxruntime}", "16:17", "device 'here' must be a mapping", ""),
    (
        "{here: {kind: onnxruntime}}",
        "{here: {threads: 1}}",
        "16:17",
        "needs a `kind`",
        "one of adb, auto, executorch, onnxruntime",
    ),
    ("- prune: {ratio: 0.5}", "- 4", "21:7", "a step is one name with its fields, got 4", "for example {prune"),
    ("- prune: {ratio: 0.5}", "- {prune: {}, quantize: {}}", "21:7", "a step is one name", "for example {prune"),
    ("[onnx]", "3", "23:9", "`export` must be text, got 3", ""),
    (
        "study: good",
        "study: [a]",
        "1:8",
        "that begins with a letter or digit, got a list",
        "",
    ),
]
IMPOSSIBLE_VALUES = [
    ("{epochs: 3, batch: 128}", "{rule: attentive, aim: good}", "12:34", "`aim` must be 'worst' or 'best'", ""),
    ("study: good", "study: a/b", "1:8", "`study` must be a name of at most 64 letters", ""),
    ("seed: 0}", "seed: -1}", "2:28", "`seed` must not be negative, got -1", ""),
    ("seed: 0}", "validation: 1.5}", "2:34", "leave something to train on, got 1.5 and 0.2. Write 0.2 and 0.2", ""),
    ("depth: [1, 2]", "depth: [0, 2]", "6:15", "`depth` must be positive, got 0", ""),
    ("width: [8, 16]", "width: [8, 12]", "7:18", "'kan' cannot be built at width 12", ""),
    ("stride: 2", "stride: -1", "8:15", "`stride` must be positive, got -1", ""),
    ("kernel: [3, 5]", "kernel: [3, 4]", "10:32", "`kernel` must be odd and positive, got 4. Write 3 or 5", ""),
    ("kernel: [3, 5]", "kernel: 4", "10:28", "`kernel` must be odd and positive, got 4. Write 3 or 5", ""),
    ("expand: [1, 2]", "expand: [0]", "10:45", "`expand` must be positive, got 0", ""),
    ("expand: [1, 2]", "expand: [.inf]", "10:45", "`expand` must be finite, got inf", ""),
    (
        "expand: [1, 2]",
        "expand: [0.01, 2]",
        "7:15",
        "'mbconv' has no hidden units left at width 8",
        "raise the choices",
    ),
    ("epochs: 3", "lr: .nan", "12:16", "`lr` must be finite, got nan", ""),
    ("epochs: 3", "epochs: 0", "12:20", "`epochs` must be positive, got 0", ""),
    ("epochs: 3", "minutes: -1", "12:21", "`minutes` must not be negative, got -1", ""),
    ("trials: 12", "trials: -5", "13:34", "`trials` must be at least 1, got -5", ""),
    ("exports: 16", "exports: 4", "13:63", "`exports` must be at least `calibration` (8), got 4", ""),
    ("exports: 16", "seed: -1", "13:60", "`seed` must not be negative, got -1", ""),
    ("exports: 16", "screen: int4", "13:62", "`screen` must be float or int8, got 'int4'", ""),
    ("loss: min", "loss: max", "14:20", "loss is better when it is min, got max", "write min"),
    ("loss: min", "loss: least", "14:20", "the direction of 'loss' must be min or max, got 'least'", ""),
    ("loss: min, ", "", "14:1", "one objective must be `loss` or `accuracy`", "add `loss: min`"),
    ("params: 40k", "params: lots", "15:18", "must be a positive number such as 200k or 1.5M, got 'lots'", ""),
    ("params: 40k", "params: -3", "15:18", "must be a positive number such as 200k or 1.5M, got -3", ""),
    ("params: 40k", "params: .nan", "15:18", "must be a positive number such as 200k or 1.5M, got nan", ""),
    ("params: 40k", "size: 1, size_bytes: 2", "15:19", "limited twice", "keep one of them"),
    ("onnxruntime}", "onnxruntime, threads: 0}", "16:46", "`threads` must be at least 1, got 0. Write 1", ""),
    ("keep: 1", "keep: 0", "18:9", "`keep` must be at least 1, got 0", ""),
    ("ratio: 0.5", "ratio: 1.5", "21:22", "`ratio` must be in (0, 1), got 1.5. Write 0.5 to halve the channels", ""),
    (
        "images: 16",
        "kind: int4",
        "22:24",
        "`kind` must be one of int4-weights, int8-dynamic, int8-mixed, int8-static, got 'int4'",
        "",
    ),
]
NOTHING_OR_TWICE = [
    ("depth: [1, 2]", "depth: []", "6:14", "`depth` must list at least one value, got an empty list", ""),
    ("depth: [1, 2]", "depth: [1, 1]", "6:18", "`depth` lists 1 twice", ""),
    ("kernel: [3, 5]", "kernel: []", "10:28", "`kernel` must list at least one value, got an empty list", ""),
    ("- kan: {ratio: [1, 2]}", "- kan\n        - kan", "12:11", "the same block is listed twice: kan", ""),
    ("{loss: min, latency_ms@here: min}", "{}", "14:1", "one objective must be `loss` or `accuracy`", "add `loss"),
    ("{loss: min, latency_ms@here: min}", "", "14:1", "one objective must be `loss` or `accuracy`", "add `loss"),
    ("[onnx]", "[]", "23:9", "`export` must list at least one value, got an empty list", ""),
    ("study: good", "study: good\nstudy: bad", "2:1", "'study' stands here twice, first in line 1", "keep one of them"),
    ("[3, 5],", "[3, 5], kernel: 7,", "10:36", "'kernel' stands here twice, first in line 10", "keep one of them"),
    ("study: good", "study: ${LATHE_UNSET}", "1:8", "LATHE_UNSET is not set; study needs it", "export LATHE_UNSET="),
]
BAD = UNKNOWN_FIELDS + UNKNOWN_NAMES + WRONG_TYPES + IMPOSSIBLE_VALUES + NOTHING_OR_TWICE


@pytest.mark.parametrize(("old", "new", "at", "words", "hint"), BAD, ids=[f"{old} to {new}" for old, new, *_ in BAD])
def test_one_mistake_is_one_message_that_says_where(
    tmp_path: Path, old: str, new: str, at: str, words: str, hint: str
) -> None:
    message = refused(written(tmp_path, old, new))
    assert message.startswith(f"space.yaml:{at}: error: "), message
    assert words in message and hint in message, message
    assert message.endswith("\n1 error"), message


@pytest.mark.parametrize("step", ["- prune: {ratio: 0.25}", "- quantize: {kind: int8-dynamic}"])
def test_a_study_screened_as_int8_needs_a_step_that_makes_such_files(tmp_path: Path, step: str) -> None:
    file = written(tmp_path, "- quantize: {images: 16}", step)
    assert read_config(file).search.screen == "float"
    message = refused(file, ("search.screen=int8",))
    assert "no step of `compress.steps` makes a static int8 file" in message and "add `quantize`" in message, message
    assert message.endswith("\n1 error")
    assert read(tmp_path, overrides=("search.screen=int8",)).search.screen == "int8"


def test_a_study_screened_as_int8_needs_an_engine_that_reads_onnx(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "{kind: onnxruntime}", "{kind: torch}"), ("search.screen=int8",))
    assert "screened as int8 ONNX files, and here runs none in torch" in message, message


@pytest.mark.parametrize("section", ["study", "task", "space", "objectives"])
def test_a_missing_section_is_named_with_an_example(tmp_path: Path, section: str) -> None:
    tree = "\n".join(line for line in GOOD.splitlines() if not line.startswith(section))
    if section == "space":
        tree = "\n".join(line for line in tree.splitlines() if not line.startswith((" ", "space")))
        tree = tree.replace("compress:", "compress: {}")
    file = tmp_path / "space.yaml"
    file.write_text(tree)
    message = refused(file)
    assert f"the section {section!r} is missing" in message
    assert f"for example `{section}: " in message
    assert message.endswith("\n1 error")


def test_stages_must_be_a_list_with_something_in_it(tmp_path: Path) -> None:
    for value, got in (("3", "3"), ("[]", "an empty list"), ("", "nothing")):
        file = tmp_path / "space.yaml"
        file.write_text(GOOD.split("  stages:")[0] + f"  stages: {value}\n" + GOOD[GOOD.index("supernet") :])
        message = refused(file)
        assert "space.yaml:5:" in message
        assert f"`stages` must be a list of at least one stage, got {got}" in message


def test_all_mistakes_are_shown_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_text(
        GOOD.replace("kind: digits", "kind: digit").replace("kernel: [3, 5]", "kernel: 4").replace("keep: 1", "keep: 0")
    )
    message = refused(file)
    places = [line.split(": error:")[0] for line in message.splitlines() if ": error:" in line]
    assert places == ["space.yaml:2:14", "space.yaml:10:28", "space.yaml:18:9"]
    assert message.endswith("\n3 errors")


def test_a_name_that_does_not_exist_hides_no_mistake_beside_it(tmp_path: Path) -> None:
    search = "search: {sampler: nsga2, trials: 12, calibration: 8, exports: 16}"
    wrong = "search: {sampler: nsga, trials: -3, seed: -1, screen: int4, calibration: few, imagez: 3}"
    message = refused(written(tmp_path, search, wrong))
    for words in ("sampler 'nsga'", "`trials` must", "`seed` must", "`screen` must", "a whole number", "'imagez'"):
        assert words in message
    assert message.endswith("6 errors")
    message = refused(written(tmp_path, "{epochs: 3, batch: 128}", "{rule: sandwitch, epochs: -5, lr: fast}"))
    assert "'sandwich'?" in message and "`epochs` must" in message and "`lr` must" in message


def test_a_value_is_not_judged_by_another_one_that_is_wrong(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "calibration: 8, exports: 16", "calibration: 2, exports: 10"))
    assert "`calibration` must be at least 4" in message and message.endswith("1 error"), "not by its default, 20"


def test_a_missing_file_is_refused_naming_the_one_that_is_there(tmp_path: Path) -> None:
    written(tmp_path)
    assert "there is no such file. Did you mean" in refused(tmp_path / "spaec.yaml")


def test_data_that_is_not_told_where_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LATHE_DATA", raising=False)
    message = refused(ROOT / "studies/cifar10/space.yaml")
    assert "the environment variable LATHE_DATA is not set; task.path needs it" in message
    assert "export LATHE_DATA=..." in message
    assert message.endswith("\n2 errors")  # path and test_path


BAD_OVERRIDES = [
    ("search.trials", "an override is written path=value"),
    ("serach.trials=20", "did you mean 'search'?"),
    ("search.trails=20", "did you mean 'trials'?"),
    ("search.trials=ten", "`trials` must be a whole number, got 'ten'"),
    ("search.trials=-1", "`trials` must be at least 1, got -1"),
    ("search.sampler=surogate", "did you mean 'surrogate'?"),
    ("space.stages.3.depth=1", "has the positions 0 to 0, got '3'"),
    ("space.stages.0.depth=[1,", "not YAML"),
    ("study.name=x", "is the single value 'good', it has no field 'name'"),
]


@pytest.mark.parametrize(("override", "words"), BAD_OVERRIDES, ids=[each for each, _ in BAD_OVERRIDES])
def test_a_bad_override_is_shown_as_it_was_typed(tmp_path: Path, override: str, words: str) -> None:
    message = refused(written(tmp_path), (override,))
    assert message.startswith(f"-o {override}: error: "), message
    assert words in message
    assert message.endswith("\n1 error"), message


def test_overrides_replace_what_the_file_says_and_are_recorded(tmp_path: Path) -> None:
    config = read(tmp_path, overrides=("search.trials=20", "space.stages.0.depth=[1, 3]", "supernet.lr=1e-2"))
    assert config.search.trials == 20
    assert config.stages[0].depth == (1, 3)
    assert config.supernet.lr == 0.01
    assert config.tree["search"]["trials"] == 20


def test_a_rule_has_its_own_fields_beside_those_of_the_training(tmp_path: Path) -> None:
    config = read(tmp_path, "{epochs: 3, batch: 128}", "{rule: attentive, rivals: 4, epochs: 3}")
    assert config.supernet.rule == Attentive(rivals=4) and config.supernet.epochs == 3
    config = read(tmp_path, "{epochs: 3, batch: 128}", "{rule: growing, budget: 0.5, until: 1, epochs: 3}")
    assert config.supernet.rule == Growing(budget=0.5, until=1)
    for section, words in (
        ("{rule: growing, budget: 2}", "`budget` must be in (0, 1], got 2.0. Write 1 for the largest network"),
        ("{rule: growing, budgets: 0.5}", "budget"),
        ("{rule: growing, cut: {}}", "`cut` goes with rules that draw by chance"),
        ("{rule: growing, split: true}", "`split` needs a rule whose architectures all learn the labels"),
    ):
        assert words in refused(written(tmp_path, "{epochs: 3, batch: 128}", section))


def test_options_are_cut_and_batches_split_with_rules_that_draw_and_learn_labels(tmp_path: Path) -> None:
    config = read(tmp_path, "{epochs: 3, batch: 128}", "{rule: uniform, paths: 4, split: true, cut: {rounds: 4}}")
    assert config.supernet.split and config.supernet.cut == Cutting(rounds=4)
    assert read(tmp_path, "{epochs: 3, batch: 128}", "{rule: fair, cut: {}}").supernet.cut == Cutting()
    for section, words in (
        ("{rule: fair, cut: true}", "space.yaml:12:29: error: `cut` must be a mapping of fields, got True"),
        ("{rule: fair, cut: {first: 2.0}}", "`first` must be in (0, 1), got 2.0"),
        ("{rule: relaxed, cut: {}}", "`cut` goes with rules that draw by chance"),
        ("{split: true}", "`split` needs a rule whose architectures all learn the labels"),
        ("{rule: fair, split: 2}", "`split` must be true or false, got 2"),
    ):
        assert words in refused(written(tmp_path, "{epochs: 3, batch: 128}", section))


def test_an_override_can_mend_what_the_file_says(tmp_path: Path) -> None:
    assert read(tmp_path, "trials: 12", "trials: -5", overrides=("search.trials=5",)).search.trials == 5


def test_short_forms_mean_what_their_long_forms_mean(tmp_path: Path) -> None:
    assert read(tmp_path, "export: [onnx]", "export: onnx").export == ("onnx",)
    assert read(tmp_path, "- prune: {ratio: 0.5}", "- prune").steps[1][0] == "prune"
    assert read(tmp_path, "- kan: {ratio: [1, 2]}", "- kan").stages[0].blocks[1].kind == "kan"
    assert read(tmp_path, "kernel: [3, 5]", "kernel: 3").stages[0].blocks[0].fields[0] == ("kernel", (3,))


def test_limits_are_read_with_their_units(tmp_path: Path) -> None:
    config = read(tmp_path, "params: 40k", "params: 1.5M, size: 400kB, macs: 2e6, latency_ms@here: 0.5")
    assert config.limits == {"params": 1.5e6, "size_bytes": 4e5, "macs": 2e6, "latency_ms@here": 0.5}


def test_a_recorded_config_reads_as_the_file_did(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert config_of(config.tree, "good") == config


@pytest.mark.parametrize("limits", ["params: 40k", "latency_ms@pi: 2, latency_ms@hub: 3"])
def test_devices_of_a_recorded_config_have_the_order_that_the_file_gives_them(tmp_path: Path, limits: str) -> None:
    """The first one judges, so that a resumed study must find the same; the database sorts what it stores."""
    old = GOOD[GOOD.index("objectives:") : GOOD.index("compress:")]
    devices = "{pi: {kind: simulated}, hub: {kind: simulated}}"
    config = read(tmp_path, old, f"objectives: {{loss: min}}\nlimits: {{{limits}}}\ndevices: {devices}\n")
    stored = config_of(json.loads(canonical_json(config.tree)), "good")
    assert (list(stored.devices), list(stored.limits)) == (list(config.devices), list(config.limits))


def test_a_path_is_relative_to_the_space_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = read(tmp_path, "{kind: digits, seed: 0}", "{kind: parquet, path: data/train.parquet}")
    assert config.tree["task"]["path"] == str(tmp_path / "data/train.parquet")


def test_a_recipe_and_a_space_file_are_told_from_each_other_in_one_sentence(tmp_path: Path) -> None:
    space, recipe, tuned = (tmp_path / name for name in ("space.yaml", "recipe.yaml", "tune.yaml"))
    space.write_text(GOOD)
    recipe.write_text("task: {kind: digits}\nsteps: [quantize]\n")
    tuned.write_text("task: {kind: digits}\ntune: {steps: [quantize]}\n")
    with pytest.raises(UsageError, match="is a space file and no recipe. To run its study:  search launch"):
        read_recipe(space, "net.py:net")
    with pytest.raises(UsageError, match="is a recipe and no space file. To run it:  search compress --recipe"):
        read_config(recipe)
    with pytest.raises(UsageError, match="search tune --recipe"):
        read_config(tuned)
