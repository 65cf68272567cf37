"""Training for int8: what torch simulates is what the file answers, all of it fused, and training repairs."""

import copy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from compress.apply import file_of
from compress.context import Context
from compress.export.session import graph_report, logits
from compress.foreign import foreign_of
from compress.quantize import QuantizeError, pt2e
from compress.quantize.qat import Qat
from compress.recipe import StepError
from compress.train import Training, fit, hard_labels
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.network import build
from tests.toy_task import CLASSES, toy_data

ROOT = Path(__file__).parents[2]
DATA = toy_data()
NORMALISATION = DATA.mean, DATA.std
ARCH = Architecture((1, 8, 8), CLASSES, 8, 1, (Stage(16, 2, (MBConv(expand=2),)),))


class Residual(nn.Module):
    """A plain network: convolutions with BatchNorm and ReLU, an addition, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.branch = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head((x + self.branch(x)).relu().mean((2, 3)))


@pytest.fixture(scope="module", autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    network = Residual()
    fit(network, DATA, Training(epochs=3, batch=32), hard_labels(), seed=0)
    return network


@pytest.fixture(scope="module")
def simulated(plain: nn.Module) -> GraphModule:
    return pt2e.simulated(plain, NORMALISATION, DATA.train.x[:32])


@pytest.fixture(scope="module")
def file(simulated: GraphModule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pt2e.write_simulated(simulated, DATA.input_shape, tmp_path_factory.mktemp("qat") / "int8.onnx")


def answers(simulated: nn.Module, x: Tensor) -> np.ndarray:
    with torch.no_grad():
        return torch.cat([simulated(image) for image in x.split(1)]).numpy()


def test_everything_is_fused_and_the_file_answers_as_the_simulation(simulated: nn.Module, file: Path) -> None:
    report = graph_report(file)
    assert (report["int8_convolutions"], report["int8_products"], report["float_nodes"]) == (2, 1, 0)
    x = DATA.validation.x
    expected, found = answers(simulated, x), logits(file, x.numpy())
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.99
    assert np.abs(found - expected).mean() < 0.01 * expected.std()


def test_weights_are_int8_per_channel_activations_uint8_and_additions_take_part(file: Path) -> None:
    model = onnx.load(file)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    made_by = {name: node for node in model.graph.node for name in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 2
    for node in convolutions:
        activation, weight = (made_by[name] for name in node.input[:2])
        assert tensors[weight.input[0]].data_type == onnx.TensorProto.INT8
        assert tensors[weight.input[1]].dims == tensors[weight.input[0]].dims[:1]
        assert tensors[activation.input[2]].data_type == onnx.TensorProto.UINT8
    additions = [[made_by.get(name) for name in node.input] for node in model.graph.node if node.op_type == "Add"]
    assert any(all(maker and maker.op_type == "DequantizeLinear" for maker in makers) for makers in additions)


def test_training_repairs_what_quantization_broke(plain: nn.Module, tmp_path: Path) -> None:
    """One channel is so large that one scale for all of them rounds the others away."""
    broken = copy.deepcopy(plain)
    assert isinstance(broken, Residual)
    with torch.no_grad():
        for name, parameter in broken.named_parameters():
            if name in ("stem.1.weight", "branch.1.weight"):
                parameter[:1] *= 300
    fit(broken, DATA, Training(epochs=1, batch=32, lr=1e-4), hard_labels(), seed=0)

    def loss_of(network: nn.Module) -> float:
        graph = pt2e.simulated(network, NORMALISATION, DATA.train.x[:32])
        found = torch.from_numpy(answers(graph, DATA.validation.x))
        return nn.functional.cross_entropy(found, DATA.validation.y).item()

    trained = Qat(epochs=2, batch=32, lr=0.01)(Variant(ARCH, broken), Context(DATA, None, tmp_path)).network
    assert loss_of(trained) < 0.8 * loss_of(broken)


def test_the_step_trains_a_copy_of_our_network_and_says_how_to_write_it(tmp_path: Path) -> None:
    network = build(ARCH)
    fit(network, DATA, Training(epochs=2, batch=32), hard_labels(), seed=0)
    start, context = Variant(ARCH, network), Context(DATA, copy.deepcopy(network), tmp_path)
    before = copy.deepcopy(network.state_dict())
    step = Qat(epochs=1, batch=32, images=32)
    after = step(start, context)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert (after.precision, after.quantization) == ("int8", step) and not after.network.training
    weights = after.network.state_dict()
    assert sum(not torch.equal(before[name], tensor) for name, tensor in weights.items()) > len(weights) // 2
    assert graph_report(file_of(after, context))["fused_share"] == 1.0
    with pytest.raises(StepError, match="in place of quantize"):
        step(after, context)


def test_batch_norm_without_statistics_is_refused_before_it_is_trained() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten())
    with pytest.raises(QuantizeError, match=r"^1 is a BatchNorm without running statistics"):
        pt2e.trainable(network, DATA.train.x[:8])


@pytest.mark.parametrize("reads", ["the sum", "the weights"])
def test_batch_norm_is_not_folded_into_a_convolution_that_others_read_too(reads: str) -> None:
    """As in a DenseNet, or where one convolution has a BatchNorm for each place where it is used."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.other = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.BatchNorm2d(8)
            self.head = nn.Linear(8, CLASSES)
            for norm, variance in ((self.norm, 9.0), (self.other, 0.25)):
                norm.running_var = torch.full((8,), variance)

        def forward(self, x: Tensor) -> Tensor:
            seen = self.first(x)
            also = seen if reads == "the sum" else self.other(self.first(x.flip(3)))
            return self.head((self.norm(seen).relu() + also).mean((2, 3)))

    torch.manual_seed(0)
    network = Network().eval()
    graph = pt2e.simulated(network, NORMALISATION, DATA.train.x[:32])
    x = DATA.validation.x[:16]
    with torch.no_grad():
        expected = network(DATA.normalise(x))
        found = torch.cat([graph(image) for image in x.split(1)])
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()


def test_layers_that_share_a_weight_still_do_and_one_that_does_not_run_stays_as_it_was(tmp_path: Path) -> None:
    class Sharing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, CLASSES)
            self.second.weight = self.first.weight
            self.unused = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.second(self.first(x.flatten(1)).relu()).relu())

    network = Sharing()
    start = Variant(foreign_of(network, "net.py:net", DATA.input_shape, CLASSES), network)
    after: Any = Qat(epochs=1, batch=32)(start, Context(DATA, None, tmp_path)).network
    assert after.first.weight is after.second.weight and not torch.equal(after.first.weight, network.first.weight)
    assert torch.equal(after.unused.weight, network.unused.weight)


def test_what_cannot_be_captured_is_refused_with_a_remedy() -> None:
    class Undecided(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3)) if x.sum() > 0 else x.amax((2, 3))

    for attempt in (
        lambda: pt2e.simulated(Undecided(), NORMALISATION, DATA.train.x[:2]),
        lambda: pt2e.trainable(Undecided(), DATA.train.x[:2]),
    ):
        with pytest.raises(QuantizeError, match="cannot be captured for int8.*write `quantize` in place of `qat`"):
            attempt()


@pytest.mark.parametrize(
    "settings", [{"epochs": -1}, {"lr": 0}, {"batch": 0}, {"weight": 2}, {"temperature": 0}, {"images": 0}]
)
def test_settings_that_cannot_be_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        Qat(**settings)


def test_without_torchao_the_config_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pt2e, "is_installed", lambda: False)
    with pytest.raises(ValueError, match=r"pip install 'lathe\[qat\]'"):
        Qat()


def test_a_process_that_exported_a_float_network_first_can_write_int8(tmp_path: Path) -> None:
    """torch keeps its table of operators, and the one of the float export knows none of torchao's."""
    program = f"""
import torch
from pathlib import Path
from torch import nn
from compress.export import EXPORTERS
from compress.quantize import pt2e

network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
normalisation, folder = ((5.0,), (3.0,)), Path({str(tmp_path)!r})
EXPORTERS.get("onnx")(network, normalisation, (1, 8, 8), folder / "float.onnx")
graph = pt2e.simulated(network, normalisation, torch.rand(8, 1, 8, 8))
pt2e.write_simulated(graph, (1, 8, 8), folder / "int8.onnx")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert graph_report(tmp_path / "int8.onnx")["fused_share"] == 1.0
