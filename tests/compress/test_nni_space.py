"""Model spaces of NNI: one of their networks, chosen by name, is a network like any other."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from compress.given import GivenError, load_given

SPACE = f"{Path(__file__).with_name('nni_model_space.py')}:Space"
with_nni = pytest.mark.skipif(not find_spec("nni"), reason="NNI 3.0 wants an environment of its own")


def test_a_network_that_is_no_space_has_nothing_to_choose(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("from torch import nn\nnet = nn.Linear(2, 2)\n")
    with pytest.raises(GivenError, match="net.py:net is one network, there is nothing to `choose`"):
        load_given(f"{tmp_path / 'net.py'}:net", {"channels": 8})


@with_nni
@pytest.mark.filterwarnings("ignore")
class TestWithNni:
    def test_the_chosen_network_comes_out_plain(self) -> None:
        network = load_given(SPACE, {"channels": 16, "second": 1})
        assert isinstance(network.first, nn.Conv2d) and network.first.out_channels == 16
        assert isinstance(network.second, nn.Sequential)
        assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
        torch.export.export(network, (torch.zeros(1, 1, 8, 8),))

    @pytest.mark.parametrize(
        ("choose", "message"),
        [
            ({}, r"channels, second is not chosen.*channels \(8, 16, 24\); second \(0, 1\).*--choose channels=VALUE"),
            ({"channels": 8}, "second is not chosen"),
            ({"channels": 9, "second": 0}, "`channels` of .*:Space is one of 8, 16, 24, got 9"),
            ({"channels": 8, "secnd": 0}, "nothing to choose called 'secnd'. Did you mean 'second'?"),
        ],
    )
    def test_choices_that_make_no_network_are_one_message(self, choose: dict[str, int], message: str) -> None:
        with pytest.raises(GivenError, match=message):
            load_given(SPACE, choose)
