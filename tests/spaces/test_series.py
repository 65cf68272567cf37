"""Layers for series: what the square kernels compute on an image of one row, without the taps in the padding."""

import pytest
import torch
from torch import nn

from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv, ResNet
from spaces.counts import count
from spaces.network import Placed, Stem, build
from spaces.series import for_series


@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_it_computes_what_the_square_kernel_does_on_one_row(kernel: int, stride: int, dilation: int) -> None:
    square = nn.Conv2d(4, 8, kernel, stride, dilation * (kernel // 2), dilation, groups=4)
    row = for_series(nn.Conv2d(4, 8, kernel, stride, dilation * (kernel // 2), dilation, groups=4))
    assert row.get_parameter("weight").shape == (8, 1, 1, kernel)
    row.load_state_dict({"weight": square.weight[:, :, kernel // 2 : kernel // 2 + 1], "bias": square.bias})
    x = torch.randn(2, 4, 1, 19)
    torch.testing.assert_close(row(x), square(x))


def test_names_stay_and_a_layer_that_starts_at_zero_still_does() -> None:
    block = ResNet(kernel=5)
    images, series = Placed(block, 16).build(), Placed(block, 16, dims=1).build()
    assert list(images.state_dict()) == list(series.state_dict())
    assert series.get_parameter("branch.mix.weight").any()
    layer = nn.Conv2d(2, 2, 3)
    nn.init.zeros_(layer.weight)
    assert not for_series(layer).get_parameter("weight").any()


def test_kernels_of_a_series_spend_nothing_on_padding() -> None:
    stages = (Stage(8, 2, (MBConv(kernel=7, expand=1),)),)
    series, row = (count(Architecture(shape, 4, 8, 1, stages)) for shape in ((3, 32), (3, 1, 32)))
    assert series.macs < row.macs / 2 and series.params < row.params
    stem = Stem(3, 8, 1, dims=1).build()
    assert stem(torch.randn(2, 3, 32)).shape == (2, 8, 1, 32)
    assert stem.get_parameter("conv.weight").shape == (8, 3, 1, 3)


def test_the_shape_of_the_input_says_whether_it_is_a_series() -> None:
    arch = Architecture((3, 32), 4, 8, 1, (Stage(8, 2, (MBConv(),)),))
    assert arch.dims == 1 and Architecture.from_json(arch.to_json()) == arch
    assert build(arch)(torch.randn(2, 3, 32)).shape == (2, 4)


@pytest.mark.parametrize("layer", [nn.MaxPool2d(2), nn.AvgPool2d(3), nn.ConvTranspose2d(2, 2, 3), nn.Conv3d(2, 2, 3)])
def test_a_layer_that_has_no_form_for_series_is_refused_by_name(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=f"a {type(layer).__name__} has no form for series. Build"):
        for_series(nn.Sequential(nn.Conv2d(2, 2, 3), layer))
