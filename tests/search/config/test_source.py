"""A space file is read with places, and what is wrong with it is said where it stands."""

from pathlib import Path

import pytest

from search.config.overrides import apply_overrides
from search.config.problems import Problem, render
from search.config.source import Source, read_source
from search.errors import ConfigError

GOOD = """\
study: digits  # a comment with ${UNSET_AND_IGNORED}
task: {kind: parquet, path: ${DATA}/train.parquet}
lr: 1e-3
size: 10_000
flag: on
really: true
nothing:
stages:
  - {depth: [1, 2], block: {mbconv: {kernal: [3, 5]}}}
  - depth: [3]
"""


def read(tmp_path: Path, text: str | bytes, **environ: str) -> Source:
    file = tmp_path / "space.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_source(file, environ)


def message(tmp_path: Path, text: str | bytes, **environ: str) -> str:
    """What the user sees: of the exception, or of the problems that were read past."""
    try:
        source = read(tmp_path, text, **environ)
    except ConfigError as error:
        return str(error).replace(f"{tmp_path}/", "")
    return render(source.problems, source.text, "space.yaml")


def test_values_follow_yaml_1_2_and_not_1_1(tmp_path: Path) -> None:
    source = read(tmp_path, GOOD, DATA="/data")
    assert source.tree == {
        "study": "digits",
        "task": {"kind": "parquet", "path": "/data/train.parquet"},
        "lr": 0.001,
        "size": 10_000,
        "flag": "on",
        "really": True,
        "nothing": None,
        "stages": [{"depth": [1, 2], "block": {"mbconv": {"kernal": [3, 5]}}}, {"depth": [3]}],
    }
    assert isinstance(source.tree["lr"], float) and not source.problems


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("010", 10),
        ("0x1f", 31),
        ("0o17", 15),
        ("-3", -3),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", float("-inf")),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("no", "no"),
        ("'20'", "20"),
        ('"true"', "true"),
        ("200k", "200k"),
        ("~", None),
        ("1_", "1_"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_word_means_what_the_core_schema_says(tmp_path: Path, written: str, value: object) -> None:
    found = read(tmp_path, f"x: {written}\n").tree["x"]
    assert found == value and type(found) is type(value)


def test_every_key_and_value_knows_its_place(tmp_path: Path) -> None:
    source = read(tmp_path, GOOD, DATA="/data")
    lines = GOOD.split("\n")
    for path, place in source.keys.items():
        assert lines[place.line - 1][place.column - 1 :].startswith(str(path[-1])), path
    kernel = source.values[("stages", 0, "block", "mbconv", "kernal")]
    assert lines[kernel.line - 1][kernel.column - 1 :][: kernel.length] == "[3, 5]"
    path = source.values[("task", "path")]
    assert lines[path.line - 1][path.column - 1 :][: path.length] == "${DATA}/train.parquet"


def test_a_problem_is_drawn_like_a_compiler_draws_it(tmp_path: Path) -> None:
    source = read(tmp_path, GOOD, DATA="/data")
    path = ("stages", 0, "block", "mbconv", "kernal")
    problem = source.problem(path, "unknown field 'kernal' for block 'mbconv'", "did you mean 'kernel'?", at_key=True)
    assert render([problem], source.text, "space.yaml") == (
        "space.yaml:9:38: error: unknown field 'kernal' for block 'mbconv'\n"
        "   |\n"
        " 9 |   - {depth: [1, 2], block: {mbconv: {kernal: [3, 5]}}}\n"
        "   |                                      ^^^^^^ did you mean 'kernel'?\n"
        "1 error"
    )


def test_a_missing_field_is_shown_at_what_should_hold_it(tmp_path: Path) -> None:
    source = read(tmp_path, GOOD, DATA="/data")
    problem = source.problem(("task", "validation"), "`validation` is missing")
    assert (problem.line, problem.column, problem.length) == (2, 1, 4)
    assert source.problem(("objectives",), "`objectives` is missing").line == 0


def test_problems_come_in_the_order_of_the_file_and_are_counted() -> None:
    problems = [Problem((), "second", 2, 1), Problem((), "first", 1, 1), Problem((), "anywhere")]
    text = render(problems, "a: 1\nb: 2\n", "space.yaml")
    assert text.index("anywhere") < text.index("first") < text.index("second") and text.endswith("3 errors")


def test_carets_stand_under_wide_characters_and_within_long_lines() -> None:
    wide = render([Problem((), "m", 1, 5, 2)], "名前: xy", "f").splitlines()
    assert wide[3].index("^") == wide[2].index("xy") + 2  # two characters before it are two columns wide
    long = render([Problem((), "m", 1, 501, 3)], "-" * 500 + "abc" + "-" * 500, "f").splitlines()
    assert len(long[2]) < 140 and long[2][long[3].index("^") :][:3] == "abc"


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in render([Problem((), "m", 1, 1)], "\x1b[2J", "f")


def test_all_recoverable_problems_are_found_in_one_run(tmp_path: Path) -> None:
    text = "a: 1\na: 2\nb: !!python/name:os.system x\nc: {d: ${HOME_OF_DATA}}\n"
    found = message(tmp_path, text)
    assert "space.yaml:2:1: error: the field 'a' stands here twice, first in line 1" in found
    assert "space.yaml:3:4: error: tags are not allowed, got 'tag:yaml.org,2002:python/name:os.system'" in found
    assert "space.yaml:4:8: error: the environment variable HOME_OF_DATA is not set; c.d needs it" in found
    assert "^^^^^^^^^^^^^^^ export HOME_OF_DATA=..." in found and found.endswith("3 errors")


def test_the_first_of_two_equal_keys_is_kept(tmp_path: Path) -> None:
    assert read(tmp_path, "a: {b: 1, b: 2}\n").tree == {"a": {"b": 1}}


def test_a_variable_is_text_and_its_dollar_can_be_escaped(tmp_path: Path) -> None:
    source = read(tmp_path, "a: ${N}\nb: ['x${N}y', $${N}, \"$N\"]\n", N="20")
    assert source.tree == {"a": "20", "b": ["x20y", "${N}", "$N"]} and not source.problems


def test_an_empty_or_misspelt_variable_is_refused(tmp_path: Path) -> None:
    found = message(tmp_path, "a: ${EMPTY}\nb: '${not-a-name}'\n", EMPTY="")
    assert "1:4: error: the environment variable EMPTY is empty" in found
    assert "2:5: error: ${...} must hold the name of an environment variable, got 'not-a-name'" in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("# only this\n", "the file is empty"),
        ("- a\n", "a space file is a mapping of fields such as `study:` and `space:`, got a list"),
        ("hello\n", "got the single value 'hello'"),
        ("a: [1,\nb: 2\n", "space.yaml:3:1: error: not YAML"),
        ("a:\n\tb: 1\n", "space.yaml:2:1: error: not YAML: found character '\\t'"),
        ("a: 1\n b: 2\n", "space.yaml:2:3: error: not YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", "space.yaml:2:1: error: a space file is one document"),
        ("a: *b\n", "space.yaml:1:4: error: the alias *b names no anchor before it"),
        ("a: &a [*a]\n", "space.yaml:1:8: error: the alias *a names no anchor before it"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "space.yaml:2:5: error: YAML 1.2 has no merge key"),
        ("? [1]\n: 2\n", "space.yaml:1:3: error: the name of a field must be text"),
        ("a: 1\nb: \x01\n", "space.yaml:2:4: error: a space file is text, got the control character U+0001"),
        (b"a: caf\xe9\n", "space.yaml:1: error: a space file is UTF-8 text, got the byte 0xe9 in line 1"),
        ("a: 1\n".encode("utf-16"), "got the byte 0xff in line 1. Save the file as UTF-8."),
        ("a: " + "[" * 40 + "]" * 40, "space.yaml:1:35: error: at most 32 levels may be nested"),
        ("[" * 500_000, "at most 32 levels may be nested"),
        ("a: &x 1\nb: [" + "*x, " * 101 + "]\n", "at most 100 aliases are allowed"),
        ("a: '" + "x" * 1_000_000 + "'\n", "a space file is at most 1 MB"),
        (
            "\n".join(["a: &a0 [1]"] + [f"b{i}: &a{i + 1} [{f'*a{i}, ' * 10}]" for i in range(9)]),
            "a space file holds at most 100000 values",
        ),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_cannot_be_read_is_one_clear_message(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert expected in message(tmp_path, text)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    source = read(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    assert source.tree == {"a": 1, "b": "x"} and source.values[("b",)].column == 4


def test_a_missing_file_names_the_nearest_one_in_its_folder(tmp_path: Path) -> None:
    for name in ("space.yaml", "other.yaml"):
        (tmp_path / name).write_text("a: 1\n")
    with pytest.raises(ConfigError, match=r"spaec.yaml: error: there is no such file. Did you mean '.*/space.yaml'"):
        read_source(tmp_path / "spaec.yaml")
    with pytest.raises(ConfigError, match="Nor is there a folder"):
        read_source(tmp_path / "nowhere" / "space.yaml")


def test_a_folder_names_the_space_file_in_it(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text("a: 1\n")
    with pytest.raises(ConfigError, match="this is a folder. Did you mean '.*/space.yaml'"):
        read_source(tmp_path)


def test_a_problem_in_brackets_underlines_all_of_them(tmp_path: Path) -> None:
    source = read(tmp_path, "a: {b: [1, [2, 3]], c: 4}  # not this\n")
    assert source.values[("a", "b")].length == len("[1, [2, 3]]")
    assert source.values[("a",)].length == len("{b: [1, [2, 3]], c: 4}")


def test_overrides_replace_what_the_file_says(tmp_path: Path) -> None:
    before = read(tmp_path, "search: {trials: 120}\nstages: [{depth: [1]}, {depth: [2]}]\n")
    after = apply_overrides(before, ["search.trials=20", "stages.1.depth=[1, 2]", "supernet.minutes=1e-1", "name="])
    assert after.tree == {
        "search": {"trials": 20},
        "stages": [{"depth": [1]}, {"depth": [1, 2]}],
        "supernet": {"minutes": 0.1},
        "name": None,
    }
    assert before.tree["search"] == {"trials": 120} and not after.problems


def test_an_override_below_an_alias_leaves_its_other_uses_alone(tmp_path: Path) -> None:
    source = read(tmp_path, "a: &x {b: 1}\nc: *x\n")
    assert apply_overrides(source, ["c.b=2"]).tree == {"a": {"b": 1}, "c": {"b": 2}}


def test_a_later_override_wins_also_over_what_lies_below_it(tmp_path: Path) -> None:
    source = apply_overrides(read(tmp_path, "a: {b: 1}\n"), ["a.b=2", "a={c: 3}"])
    assert source.tree == {"a": {"c": 3}} and dict(source.overridden) == {("a",): "a={c: 3}"}


def test_a_problem_with_an_overridden_value_shows_the_override(tmp_path: Path) -> None:
    source = apply_overrides(read(tmp_path, "search: {trials: 120}\n"), ["search.trials=ten"])
    shown = render([source.problem(("search", "trials"), "`trials` must be a number")], source.text, "space.yaml")
    assert shown.splitlines()[:4] == [
        "-o search.trials=ten: error: `trials` must be a number",
        "   |",
        " 1 | search.trials=ten",
        "   |               ^^^",
    ]


def test_an_override_takes_away_the_problem_of_what_it_replaces(tmp_path: Path) -> None:
    source = read(tmp_path, "task: {path: ${DATA}/x}\n")
    assert source.problems and not apply_overrides(source, ["task.path=/data/x"]).problems


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        (
            "serch.trials=1",
            "there is no 'serch' in the file\n   |\n 1 | serch.trials=1\n   | ^^^^^ did you mean 'search'?",
        ),
        ("stages.2.depth=1", "`stages` has the positions 0 to 1, got '2'"),
        ("stages.first=1", "`stages` has the positions 0 to 1, got 'first'"),
        (
            "stages[1].depth.x=1",
            "stages[1].depth.x=1\n   |                 ^",
        ),
        ("stages[2].depth=1", "stages[2].depth=1\n   |        ^"),
        ("search.trials.x=1", "`search.trials` is the single value 120, it has no field 'x'"),
        ("search.trials", "an override is written path=value, got 'search.trials'"),
        ("search..trials=1", "an override is written path=value"),
        ("search.trials=[1", "not YAML"),
        ("search.trials=${NOT_SET}", "the environment variable NOT_SET is not set"),
    ],
)
def test_an_override_that_fits_nowhere_is_refused(tmp_path: Path, assignment: str, expected: str) -> None:
    before = read(tmp_path, "search: {trials: 120}\nstages: [{depth: [1]}, {depth: [2]}]\n")
    after = apply_overrides(before, [assignment], {})
    assert len(after.problems) == 1 and after.tree == before.tree
    assert expected in render(after.problems, after.text, "space.yaml")


def test_a_position_in_brackets_is_that_with_a_dot(tmp_path: Path) -> None:
    before = read(tmp_path, "stages: [{depth: [1]}, {depth: [2, 3]}]\n")
    for written in ("stages[1].depth[0]=9", "stages.1.depth.0=9"):
        after = apply_overrides(before, [written], {})
        assert not after.problems and after.tree["stages"] == [{"depth": [1]}, {"depth": [9, 3]}]
