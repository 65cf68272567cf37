"""What `search validate` and `--dry-run` say before anything is done."""

from pathlib import Path

import numpy as np
from PIL import Image

from search.class_counts import spread, too_few
from tests.search.command_line import Call
from tests.search.finished_study import TINY


def arrays_of(file: Path, **counts: int) -> Path:
    labels = np.repeat(list(counts), list(counts.values()))
    np.savez(file, x=np.random.default_rng(0).integers(0, 255, (len(labels), 8, 8), np.uint8), y=labels)
    return file


def test_a_class_with_too_few_examples_for_all_parts_is_named_before_a_study_begins(
    search: Call, tmp_path: Path
) -> None:
    task = f"task={{kind: arrays, path: {arrays_of(tmp_path / 'a.npz', cat=30, dog=50, owl=1, emu=3)}}}"
    said = search("validate", TINY, "-o", task)
    assert said.code == 0, said.err
    line = next(line for line in said.out.splitlines() if line.startswith("classes"))
    assert (
        "from 1 of 'emu' to" in line and "of 'dog' to train; none to validate of 'owl'; none to test of 'owl'" in line
    )
    warning = next(line for line in said.out.splitlines() if line.startswith("warning"))
    assert "too few examples of 'owl' (1) for each of 3 parts to have one: they go to training first" in warning
    assert "warning     too few examples of 'owl' (1)" in search("launch", TINY, "--dry-run", "-o", task).out
    plain = search("validate", TINY).out
    assert "none to" not in plain and "warning" not in plain


def test_a_part_with_fewer_places_than_classes_is_said_to_be(search: Call, tmp_path: Path) -> None:
    counts = {f"c{i}": 9 - i for i in range(4)}
    task = f"task={{kind: arrays, path: {arrays_of(tmp_path / 'a.npz', **counts)}, validation: 0.1}}"
    said = search("validate", TINY, "-o", task).out
    assert "warning     A part has none of 'c3', though there are enough. Raise `validation` or `test`" in said


def test_what_lacks_is_named_up_to_three_classes_and_counted_beyond() -> None:
    parts = {"train": [9, 1, 1, 2, 0, 1], "validate": [1, 0, 0, 0, 0, 0], "test": [1, 0, 0, 0, 0, 0]}
    names = ["a", "b", "c", "d", "unused", "e"]
    assert "too few examples of 'b' (1), 'c' (1), 'd' (2) and 1 more for each of 3 parts" in too_few(parts, names)
    assert "none to train of 'unused'; none to validate of 'b', 'c', 'd' and 2 more" in spread(parts, names)
    assert not too_few({name: counts[:1] for name, counts in parts.items()}, names[:1])


def test_limits_are_told_by_whether_they_are_known_beforehand(search: Call) -> None:
    def limits(value: str) -> str:
        said = search("validate", TINY, "-o", f"limits={value}")
        return next(line for line in said.out.splitlines() if line.startswith("limits"))

    assert limits("{}").split() == ["limits", "none"]
    assert limits("{latency_ms@formula: 9}").endswith("  latency_ms@formula will be measured")
    both = limits("{params: 1M, latency_ms@formula: 9}")
    assert both.endswith("100% of the random ones meet params; latency_ms@formula will be measured")


def test_one_of_a_thing_is_not_called_several(search: Call) -> None:
    one = ("supernet.epochs=1", "supernet.minutes=1", "compress.keep=1", "compress.steps=[quantize]")
    options = [word for value in one for word in ("-o", value)]
    said = search("launch", TINY, "--dry-run", *options)
    assert said.code == 0, said.err
    for words in ("1 epoch or 1 minute:", "1 network and 2 baselines", "1 epoch each:"):
        assert words in said.out


def test_a_test_part_that_is_not_there_is_said_before_anything_is_trained(search: Call, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(10):
                Image.new("L", (8, 8), 20 * i).save(tmp_path / part / name / f"{i}.png")
    task = f"task={{kind: folder, channels: 1, path: {tmp_path / 'train'}, test_path: {tmp_path / 'tets'}}}"
    said = search("validate", TINY, "-o", task)
    assert f"test        there is no {tmp_path / 'tets'}" in said.out and "Did you mean 'test'?" in said.out
    short = ["supernet.epochs=1", "search.trials=1", "limits.params=40k", "compress.steps=[]"]
    options = [word for value in (task, *short) for word in ("-o", value)]
    assert "test part: there is no" in search("launch", TINY, *options, "--db", tmp_path / "a.db").err
    right = search("validate", TINY, "-o", task.replace("tets", "test"))
    assert f"test        {tmp_path / 'test'}, read once at the end" in right.out
    assert "20% of the examples, read once at the end" in search("validate", TINY).out


def test_values_that_can_only_be_slips_are_one_message(search: Call) -> None:
    said = search("validate", TINY, "-o", "supernet.lr=1e30", "-o", "search.trials=100000000000")
    assert said.code == 3 and "2 errors" in said.err
    assert "`lr` must be at most 100, got 1e+30" in said.err
    assert "`trials` must be at most 1,000,000, got 100,000,000,000" in said.err


def test_strides_beyond_the_size_of_the_input_are_warned_of(search: Call) -> None:
    said = search("validate", TINY, "-o", "space.stages[0].stride=4", "-o", "space.stages[1].stride=4")
    assert said.code == 0 and "the strides multiply to 16, and the input is 8 wide" in said.out
    assert "warning" not in search("validate", TINY).out
