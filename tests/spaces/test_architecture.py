"""A description is text that always means the same network."""

import json

import pytest

from spaces.architecture import Architecture, Stage
from spaces.blocks import KAN, Attention, MBConv
from spaces.registry import UnknownName

ARCH = Architecture(
    (1, 8, 8), 10, 8, 1, (Stage(16, 1, (MBConv(5, 2, True, "silu"),)), Stage(24, 2, (KAN(), Attention(4, 8, 1.5))))
)


def test_the_id_never_changes() -> None:
    """It names rows in people's databases."""
    assert ARCH.id == "6381d75a3036c0fd5247bb0a3cb8d63fd21149403ab794558ae9e5854125d6ef"


def test_the_json_is_canonical() -> None:
    text = ARCH.to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_equal_numbers_have_equal_ids() -> None:
    one = Architecture((1, 8, 8), 10, 8, 1, (Stage(16, 1, (MBConv(3, 2, True),)),))
    other = Architecture((1, 8, 8), 10, 8.0, 1.0, (Stage(16.0, 1, (MBConv(3, 2.0, 1),)),))  # type: ignore[arg-type]
    assert one == other and one.id == other.id


def test_every_difference_changes_the_id() -> None:
    stage = ARCH.stages[0]
    others = [
        ARCH.with_stage(0, Stage(24, 1, stage.blocks)),
        ARCH.with_stage(0, Stage(16, 2, stage.blocks)),
        ARCH.with_stage(0, Stage(16, 1, ())),
        ARCH.with_stage(0, Stage(16, 1, (MBConv(5, 2, True, "relu"),))),
        ARCH.with_stage(0, Stage(16, 1, (MBConv(5, 2.125, True, "silu"),))),
        Architecture((3, 8, 8), 10, 8, 1, ARCH.stages),
    ]
    assert len({arch.id for arch in [ARCH, *others]}) == 7


def test_json_gives_the_architecture_back() -> None:
    again = Architecture.from_json(ARCH.to_json())
    assert again == ARCH and again.id == ARCH.id


@pytest.mark.parametrize(("name", "wrong"), [("kan", "kam"), ("conv", "cnov")])
def test_a_description_of_something_unknown_names_the_nearest(name: str, wrong: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean '{name}'"):
        Architecture.from_json(ARCH.to_json().replace(f'"{name}"', f'"{wrong}"'))


def test_one_line_describes_it() -> None:
    assert ARCH.describe() == "8 | 16: mbconv k5 e2 se silu | 24: kan k3 r2, attention h4 h8 r1.5 gelu"
