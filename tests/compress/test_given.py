"""A user's model by name."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress.given import GivenError, answers, check_training, in_its_order, load_given
from compress.train import Training, fit, hard_labels
from tests.toy_task import CLASSES, toy_data


def test_a_folder_is_answered_with_the_model_in_it(tmp_path: Path) -> None:
    (tmp_path / "net.float32.onnx").touch()
    with pytest.raises(GivenError, match=r"got '.*'\. Did you mean '.*net\.float32\.onnx'\?"):
        load_given(str(tmp_path))


def test_a_file_without_an_attribute_is_answered_with_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "mynet.py"
    file.write_text("from torch import nn\n\nnet = nn.Linear(2, 2)\n")
    with pytest.raises(GivenError, match=r"got '.*mynet.py'\. Did you mean '.*mynet.py:net'\?"):
        load_given(str(file))
    file.write_text("from torch import nn\n\nnet = nn.Linear(2, 2)\n\n\ndef make():\n    return net\n")
    with pytest.raises(GivenError, match=r"It has: .*mynet.py:net, .*mynet.py:make\."):
        load_given(str(file))
    with pytest.raises(GivenError, match="there is no file .*Did you mean '.*mynet.py'"):
        load_given(str(tmp_path / "mynett.py"))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_that_flattens_by_view_gets_the_order_of_memory_that_it_needs(channels: int) -> None:
    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.Conv2d(channels, 4, 3), nn.Linear(4 * 36, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layer(x).view(len(x), -1))

    data, network = toy_data(channels=channels), Viewing()
    with pytest.raises(GivenError, match="view"):
        answers(network, "net", data)
    ready = copy.deepcopy(in_its_order(network, data))
    assert answers(ready, "net", data) == CLASSES
    fit(ready, data, Training(epochs=1, batch=32), hard_labels(), seed=0)


def test_a_network_that_takes_channels_last_is_left_as_it_is() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, CLASSES))
    assert not in_its_order(network, toy_data())._forward_pre_hooks


def test_a_network_that_ends_in_a_softmax_is_refused_and_one_without_it_is_not() -> None:
    data = toy_data()
    x = data.normalise(data.validation.x[:1])
    head = nn.Linear(x.numel(), 3)
    plain = nn.Sequential(nn.Flatten(), head)
    assert answers(plain, "net", data) == 3
    with pytest.raises(GivenError, match=r"net must return logits, got .* probabilities\. Leave the softmax"):
        answers(nn.Sequential(plain, nn.Softmax(1)), "net", data)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(0.5)  # as large as probabilities, but they add up to more
    assert answers(plain, "net", data) == 3


def test_an_untrained_network_has_the_same_weights_whenever_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "fresh.py").write_text("from torch import nn\n\n\ndef make():\n    return nn.Linear(2, 2)\n")
    source = f"{tmp_path / 'fresh.py'}:make"
    first, drawn = load_given(source), torch.rand(1)
    again = load_given(source)
    assert all(map(torch.equal, first.parameters(), again.parameters()))
    assert not torch.equal(drawn, torch.rand(1)), "the caller's random numbers go on"


class Fussy(nn.Module):
    """Refuses to be trained in one way, and answers in use."""

    def __init__(self, refuses: Callable[[Tensor], bool]) -> None:
        super().__init__()
        self.refuses, self.flatten, self.head = refuses, nn.Flatten(), nn.LazyLinear(CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.refuses(x):
            raise RuntimeError("not like this")
        return self.head(self.flatten(x))


@pytest.mark.parametrize(
    "refuses",
    [lambda x: True, lambda x: torch.is_grad_enabled(), lambda x: len(x) > 2],
    ids=["always", "grad", "batch"],
)
def test_a_network_that_fails_only_while_it_is_trained_is_one_message(refuses: Callable[[Tensor], bool]) -> None:
    data, network = toy_data(), Fussy(refuses)
    assert answers(network.eval(), "net", data) == CLASSES
    with pytest.raises(GivenError, match=r"net cannot be trained: .*RuntimeError: not like this Mend its forward, or"):
        check_training(network, "net", data)


def test_it_is_a_copy_that_is_tried() -> None:
    data, network = toy_data(), nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.LazyLinear(CLASSES))
    assert answers(network.eval(), "net", data) == CLASSES
    before = copy.deepcopy(network.state_dict())
    check_training(network, "net", data)
    assert all(map(torch.equal, before.values(), network.state_dict().values()))
    assert not network.training and network[2].weight.grad is None


def test_a_network_whose_parts_were_frozen_is_loaded_to_be_trained_and_one_without_any_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\nfrozen = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).requires_grad_(False)\n"
    )
    assert all(parameter.requires_grad for parameter in load_given(f"{tmp_path / 'net.py'}:frozen").parameters())
    with pytest.raises(GivenError, match="cannot be trained.*does not require grad"):
        check_training(nn.Sequential(nn.AdaptiveAvgPool2d((1, CLASSES)), nn.Flatten()), "net", toy_data())
