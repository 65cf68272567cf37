"""Channel staircases: which widths are worth having, and that nothing is measured twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from compress.artifact import sha256_of
from compress.devices.onnxruntime import OnnxRuntime
from compress.devices.simulated import Simulated
from compress.measurement import Measurement
from compress.prune.parts import Layer, Part, square, write_part
from compress.prune.staircase import Staircase, beside_first, measure_parts, staircase, widths_up_to
from spaces.blocks import Attention
from spaces.network import Placed
from spaces.placements import Placement

PARTS = [
    Layer("conv", 3, 8, (6, 6), (3, 3), (2, 2), (1, 1)),
    Layer("conv", 4, 8, (6, 6), (3, 3), padding=(2, 2), dilation=(2, 2)),
    Layer("depthwise", 8, 8, (6, 6), (5, 5), padding=(2, 2)),
    Layer("linear", 8, 4),
    Layer("linear", 8, 4, (9,)),
    Placement(Placed(Attention(2, 4, 1), 8), (8, 4, 4)),
]


@pytest.mark.parametrize(
    ("latencies", "edges"),
    [
        ((1.0, 2.0, 3.0), (1, 2, 3)),
        ((2.0, 2.0, 3.0), (2, 3)),
        ((1.0, 3.0, 2.0), (1, 3)),
        ((3.0, 3.0, 2.0), (3,)),
        ((1.97, 1.99, 2.0), (3,)),
        ((1.9, 1.97, 2.0), (1, 3)),
    ],
    ids=["slope", "tread", "odd", "falling", "noise", "noise adds up"],
)
def test_a_width_is_worth_having_unless_a_wider_one_is_as_fast(latencies: tuple[float, ...], edges: object) -> None:
    assert Staircase((1, 2, 3), latencies).edges() == edges


@pytest.mark.parametrize(
    ("units", "widths"),
    [
        (1, (1,)),
        (5, (1, 2, 3, 4, 5)),
        (16, tuple(range(1, 17))),
        (18, (*range(2, 18, 2), 18)),
        (20, tuple(range(2, 21, 2))),
    ],
)
def test_the_widths_of_a_dimension_are_few_and_end_with_the_whole(units: int, widths: object) -> None:
    assert widths_up_to(units) == widths


@pytest.mark.parametrize("units", [17, 31, 33, 100, 129, 1000, 4096])
def test_the_widths_of_a_large_dimension_are_few_too(units: int) -> None:
    assert 8 <= len(widths_up_to(units)) <= 17 and widths_up_to(units)[-1] == units


def test_a_staircase_must_ascend() -> None:
    with pytest.raises(ValueError, match="must ascend, with one latency each"):
        Staircase((2, 1), (1.0, 2.0))
    with pytest.raises(ValueError, match="`outputs` must be at least 1, got 0"):
        Layer("linear", 4, 0)


@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_equal_parts_are_equal_files_by_which_a_database_finds_them(part: Part, tmp_path: Path) -> None:
    torch.manual_seed(5)
    first = sha256_of(write_part(part, tmp_path))
    torch.manual_seed(6)
    assert sha256_of(write_part(part, tmp_path)) == first
    (found,) = OnnxRuntime(rounds=2, calls=1).measure([write_part(part, tmp_path)], write_part(part, tmp_path), "here")
    assert found.value > 0


def test_parts_that_are_known_are_not_measured_again(tmp_path: Path) -> None:
    device, asked = beside_first(Simulated(), "here", tmp_path), list[int]()

    def measure(files: Sequence[Path]) -> Sequence[Measurement]:
        asked.append(len(files))
        return device(files)

    known: dict[Part, float] = {}
    found = staircase(lambda width: square("conv", width, 3, 8), [8, 4, 8], measure, known)
    assert found.widths == (4, 8) and found.latencies_ms == tuple(known.values())
    measure_parts([square("conv", 8, 3, 8), square("conv", 16, 3, 8)], measure, known)
    assert asked == [2, 1]


def test_latencies_of_several_calls_are_in_one_unit(tmp_path: Path) -> None:
    measure = beside_first(Simulated(), "here", tmp_path)
    small, large = (write_part(square("conv", width, 3, 8), tmp_path) for width in (8, 64))
    (alone,) = measure([large])
    assert [m.value for m in measure([small, large])][1] == pytest.approx(alone.value)
    (direct,) = Simulated().measure([large], large, "here")
    assert alone.value == pytest.approx(direct.value)
