"""The one slicing rule."""

import pytest
import torch
from torch import nn

from spaces.blocks import MBConv
from spaces.network import Placed
from spaces.windows import piece_windows, shapes, window


def test_a_window_is_the_leading_entries() -> None:
    assert window((8, 4), (3, 2), taps_from=2) == (slice(0, 3), slice(0, 2))


def test_the_taps_of_a_convolution_are_centred() -> None:
    assert window((8, 1, 7, 5), (4, 1, 3, 3), taps_from=2) == (slice(0, 4), slice(0, 1), slice(2, 5), slice(1, 4))


def test_a_number_has_itself_as_window() -> None:
    assert window((), (), taps_from=0) == ()


@pytest.mark.parametrize(("full", "part"), [((4,), (5,)), ((4, 4), (4,)), ((4,), (4, 1)), ((4, 1, 3, 3), (4, 1, 5, 5))])
def test_a_window_that_does_not_fit_is_an_error_that_names_both_shapes(
    full: tuple[int, ...], part: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError) as error:
        window(full, part, taps_from=2)
    assert str(full) in str(error.value) and str(part) in str(error.value)


def test_a_smaller_kernel_is_the_centre_of_the_larger_one() -> None:
    large = MBConv(kernel=5, expand=2).build(16)
    store = {f"here.{name}": tensor for name, tensor in large.state_dict().items()}
    views = piece_windows(store, "here", Placed(MBConv(kernel=3, expand=1), 16))
    stored = store["here.branch.depthwise.weight"]
    assert torch.equal(views["branch.depthwise.weight"], stored[:16, :, 1:4, 1:4])
    assert torch.equal(views["branch.expand.weight"], store["here.branch.expand.weight"][:16, :16])


def test_windows_are_views_that_share_memory_with_the_store() -> None:
    store = {f"x.{name}": tensor for name, tensor in MBConv(expand=2).build(16).state_dict().items()}
    views = piece_windows(store, "x", Placed(MBConv(expand=1), 8))
    views["branch.expand.weight"].fill_(7)
    assert (store["x.branch.expand.weight"] == 7).sum() == 8 * 8


def test_shapes_are_those_of_the_built_piece() -> None:
    piece = Placed(MBConv(se=True), 24)
    built = {name: tuple(tensor.shape) for name, tensor in piece.build().state_dict().items()}
    assert {name: shape for name, shape, _ in shapes(piece)} == built


def test_only_weights_of_convolutions_have_taps() -> None:
    taps = {name: taps_from for name, _, taps_from in shapes(Placed(MBConv(), 8))}
    layers = dict(MBConv().build(8).named_modules())
    for name, taps_from in taps.items():
        owner, _, leaf = name.rpartition(".")
        is_convolution = isinstance(layers[owner], nn.Conv2d) and leaf == "weight"
        assert (taps_from == 2) == is_convolution or taps_from <= 1, name


def test_a_position_that_is_not_stored_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        piece_windows({}, "nowhere", Placed(MBConv(), 8))
