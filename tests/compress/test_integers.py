"""torch computes the integers that the runtime computes: not nearly, but all of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.export.session import graph_report, logits
from compress.quantize import pt2e
from compress.quantize.agreement import agreement, output_step
from compress.quantize.integers import Grid, add, as_the_runtime_computes, linear, quantize
from compress.train import Training, fit, hard_labels
from tests.toy_task import CLASSES, toy_data

DATA = toy_data()


class Various(nn.Module):
    """ReLU6, ReLU and none; dense, depthwise and strided; with a bias and without; two additions, one with ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.ReLU6(), nn.Conv2d(16, 16, 1))
        self.bare = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.down = nn.Sequential(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(3 * x)  # beyond 6, so that ReLU6 has something to cut
        x = x + self.depthwise(x)
        return self.head(self.down((x + self.bare(x)).relu()).mean((2, 3)))


def test_every_logit_of_the_file_is_the_integer_simulations(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Various()
    fit(network, DATA, Training(epochs=2, batch=32), hard_labels(), seed=0)
    graph = pt2e.simulated(network, (DATA.mean, DATA.std), DATA.train.x[:64])
    path = pt2e.write_simulated(graph, DATA.input_shape, tmp_path / "int8.onnx")
    assert graph_report(path)["float_nodes"] == 0
    x, exact = DATA.validation.x, as_the_runtime_computes(graph)
    with torch.no_grad():
        expected = torch.cat([exact(image) for image in x.split(1)]).numpy()
        together = exact(x).numpy()
    np.testing.assert_array_equal(logits(path, x.numpy()), expected)
    np.testing.assert_array_equal(together, expected)
    assert agreement(path, expected, logits(path, x.numpy())).steps == 0.0


def test_sums_beyond_what_float32_holds_are_exact() -> None:
    """1,024 products of 255 and 127 end at 33 million, where float32 knows even numbers only."""
    x, weight = torch.full((1, 1024), 255, dtype=torch.uint8), torch.full((1, 1024), 127, dtype=torch.int8)
    x[0, 0], weight[0, 0] = 1, 1
    total = 255 * 127 * 1023 + 1
    centred = Tensor([-float(total - 100)])  # a bias that leaves 100
    found = linear(x, Grid(1.0, 0), weight, torch.ones(1), centred.double(), Grid(1.0, 0))
    assert found.item() == 100


def test_numbers_are_divided_by_the_scale_and_halves_go_to_the_even_side() -> None:
    assert quantize(Tensor([0.5, 1.5, 2.5, -1.0, 1e9]), Grid(1.0, 10)).tolist() == [10, 12, 12, 9, 255]
    x, zeros = torch.tensor([3, 5], dtype=torch.uint8), torch.zeros(2, dtype=torch.uint8)
    assert add((x, Grid(0.5, 0)), (zeros, Grid(1.0, 0)), Grid(1.0, 0)).tolist() == [2, 2]
    assert add((x, Grid(1.0, 0)), (x, Grid(1.0, 0)), Grid(1.0, 0, low=7, high=9)).tolist() == [7, 9]


def test_an_answer_two_steps_off_is_two_steps_off(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
    graph = pt2e.simulated(network, (DATA.mean, DATA.std), DATA.train.x[:16])
    path = pt2e.write_simulated(graph, DATA.input_shape, tmp_path / "int8.onnx")
    expected = logits(path, DATA.validation.x[:8].numpy())
    off = expected.copy()
    off[3] += 2 * output_step(path, expected) * (1 - np.eye(3, dtype=np.float32)[0])
    found = agreement(path, expected, off)
    assert found.images == 8 and found.steps == pytest.approx(2.0, rel=1e-4)
