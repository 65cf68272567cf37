"""The outputs of attention, found in networks of any making and compared."""

import torch
from torch import Tensor, nn

from compress.distill.attending import attention_outputs, tokens_of
from compress.distill.attention_output import AttentionOutput
from compress.distill.seen import Seen
from spaces.blocks import BLOCKS
from tests.compress.small_networks import Attend


class Bert(nn.Module):
    """Queries, keys and values without a projection behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))


class Timm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)


def test_the_layers_are_found_by_the_names_of_libraries_and_in_no_other_block() -> None:
    network = nn.Sequential(Bert(), Timm(), nn.MultiheadAttention(8, 2), Attend(8, 2), nn.Linear(8, 8))
    assert [name for name, _ in attention_outputs(network)] == ["0", "1.proj", "2", "3.out"]
    have = {kind for kind, make in BLOCKS.items() if list(attention_outputs(make().build(16)))}  # type: ignore[call-arg]
    assert have == {"attention", "biformer", "casvit", "cvt", "moat", "xcit"}


def test_what_a_layer_puts_out_is_positions_and_channels() -> None:
    x = torch.randn(5, 3, 8)  # positions first
    layer = nn.MultiheadAttention(8, 2).eval()
    assert tokens_of(layer, layer(x, x, x)).shape == (3, 5, 8)
    convolution = nn.Conv2d(2, 6, 1)
    out = convolution(torch.randn(3, 2, 4, 5))
    assert torch.equal(tokens_of(convolution, out)[:, 7], out[:, :, 1, 2])


def seen(*attended: Tensor) -> Seen:
    return Seen(torch.zeros(4, 2), attended=attended)


def test_the_same_output_loses_nothing_and_one_deviation_away_loses_one() -> None:
    torch.manual_seed(0)
    theirs = torch.randn(4, 9, 6) * torch.tensor([1, 5, 0.1, 1, 1, 1])
    compare = AttentionOutput(seen(theirs), seen(theirs), 2.0)
    assert not list(compare.parameters()) and compare(seen(theirs), seen(theirs), torch.zeros(4)) == 0
    away = theirs + theirs.std((0, 1))
    torch.testing.assert_close(compare(seen(away), seen(theirs), torch.zeros(4)), torch.tensor(1.0))


def test_layers_are_paired_in_even_steps_and_positions_averaged_where_they_differ() -> None:
    one, six = [torch.randn(4, 9, 6)], [torch.full((4, 4, 6), float(i)) for i in range(6)]
    compare = AttentionOutput(seen(*one, *one), seen(*six), 2.0)
    asked: list[float] = []
    compare.projectors[0].register_forward_hook(lambda _, given, out: asked.append(given[0].shape[1]))
    compare(seen(*one, *one), seen(*six), torch.zeros(4))
    assert asked == [1]
    far = AttentionOutput(seen(six[2], six[5]), seen(*six), 2.0)
    assert far(seen(six[2], six[5]), seen(*six), torch.zeros(4)) == 0
