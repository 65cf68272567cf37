"""Networks that are not built of our blocks: described, pruned, and rebuilt from shapes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from compress.context import Context
from compress.foreign import description_of, foreign_of, rebuilt
from compress.given import load_given
from compress.prune.channels import Prune
from compress.prune.foreign import prune_foreign
from compress.prune.importance import IMPORTANCES
from compress.recipe import StepError
from compress.variant import Variant
from spaces.tasks import Data
from tests.toy_task import CLASSES, toy_data

MODELS = Path(__file__).parents[1] / "search/given_models.py"


def residual(data: Data) -> Any:
    network: Any = load_given(f"{MODELS}:residual")
    network.head = nn.Linear(network.head.in_features, len(data.classes))
    return network


@pytest.mark.parametrize("importance", IMPORTANCES)
def test_channels_that_do_nothing_are_those_that_go(importance: str) -> None:
    """Half of the first convolution's channels are made dead, scattered; what is left computes the same."""
    data = toy_data()
    network = residual(data).eval()
    x = data.normalise(data.validation.x)
    dead = torch.arange(0, 16, 2)
    with torch.no_grad():
        conv1, bn1, conv2, bn2 = (getattr(network, name) for name in ("conv1", "bn1", "conv2", "bn2"))
        for layer in (network.stem[0], conv1, conv2, network.stem[1], bn1, bn2):
            layer.weight[dead] = 0
            layer.bias[dead] = 0
        conv1.weight[:, dead] = 0
        network.head.weight[:, dead] = 0
    made, left = prune_foreign(network, data, 0.5, 1, importance)
    smaller: Any = made
    assert left["conv1"].tolist() == left["stem.0"].tolist() == list(range(1, 16, 2))
    with torch.no_grad():
        assert conv1.weight.shape[0] == 16 and smaller.conv1.weight.shape == (8, 8, 3, 3)
        torch.testing.assert_close(smaller(x), network(x), rtol=1e-5, atol=1e-5)


def test_without_batch_norm_bn_means_magnitude() -> None:
    data = toy_data()
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES)
    of_norms, of_weights = (
        prune_foreign(nn.Sequential(*layers), data, 0.5, 1, kind)[1] for kind in ("bn", "magnitude")
    )
    assert len(of_norms["0"]) == 8 and torch.equal(of_norms["0"], of_weights["0"])


def test_a_pruned_network_is_rebuilt_from_its_tensors(tmp_path: Path) -> None:
    data = toy_data()
    network = residual(data)
    before = Variant(foreign_of(network, "net.py:net", data.input_shape, CLASSES), network)
    after = Prune(ratio=0.5, epochs=1, batch=32)(before, Context(data, None, tmp_path))
    assert after.counts.params < 0.6 * before.counts.params
    again: Any = rebuilt(network, after.network.state_dict())
    x = data.normalise(data.validation.x)
    with torch.no_grad():
        torch.testing.assert_close(again(x), after.network(x), rtol=0, atol=0)
    assert again.conv2.groups == again.conv2.in_channels == 8
    assert foreign_of(again, "net.py:net", data.input_shape, CLASSES) == after.arch
    assert description_of(after.arch.to_json()) == after.arch
    assert description_of(after.arch.to_json()).id == after.arch.id != before.arch.id


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("linear", "has no convolution"),
        ("Experts", "holds 'experts', a raw parameter of 3 dimensions, which torch-pruning cannot follow"),
    ],
)
def test_what_torch_pruning_cannot_follow_is_refused(name: str, message: str) -> None:
    data = toy_data()
    with pytest.raises(StepError, match=message):
        prune_foreign(load_given(f"{MODELS}:{name}"), data, 0.5, 1, "magnitude")


def test_a_convolution_inside_with_as_many_outputs_as_classes_is_pruned_and_the_last_one_is_not() -> None:
    inside, last = nn.Conv2d(1, CLASSES, 3), nn.Conv2d(8, CLASSES, 1)
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = nn.Sequential(inside, nn.ReLU(), nn.Conv2d(CLASSES, 8, 3), nn.ReLU(), last, *head)
    pruned, _ = prune_foreign(network, toy_data(), 0.5, 1, "magnitude")
    assert [layer.out_channels for layer in pruned.modules() if isinstance(layer, nn.Conv2d)] == [
        CLASSES // 2,
        4,
        CLASSES,
    ]


def test_a_ratio_that_removes_nothing_says_so() -> None:
    data = toy_data()
    with pytest.raises(StepError, match="a ratio of 0.1 removes nothing"):
        prune_foreign(residual(data), data, 0.1, 16, "magnitude")


@pytest.mark.parametrize("make", [nn.Conv2d, nn.ConvTranspose2d])
def test_a_rebuilt_convolution_says_its_own_inputs_and_outputs(make: Any) -> None:
    again: Any = rebuilt(nn.Sequential(make(8, 16, 3)), nn.Sequential(make(6, 12, 3)).state_dict())
    assert (again[0].in_channels, again[0].out_channels) == (6, 12)


def test_macs_are_those_of_the_layers() -> None:
    data = toy_data()
    counts = foreign_of(residual(data), "net.py:net", data.input_shape, CLASSES).counts
    assert counts.macs == 16 * 16 * (9 + 16 * 9 + 9) + 16 * CLASSES
