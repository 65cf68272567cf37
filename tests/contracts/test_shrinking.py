"""What every block owes once it is trained: a smaller network, a file that answers the same, and an int8 file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.apply import file_of
from compress.context import Context
from compress.evaluate import evaluate, evaluate_file
from compress.export.session import graph_report, logits
from compress.prune.by_ratio import prune
from compress.prune.dimensions import dimensions
from compress.prune.refit import refit, target
from compress.quantize.int8 import quantize_static
from compress.recalibrate import recalibrate
from compress.train import Training, fit, hard_labels
from compress.variant import Variant
from spaces.architecture import Architecture
from spaces.blocks import BLOCKS
from spaces.counts import count
from spaces.network import build
from spaces.tasks import Data
from spaces.windows import extract
from tests.contracts.conftest import EXAMPLE
from tests.contracts.small_spaces import two_of_each
from tests.toy_task import toy_data

pytestmark = pytest.mark.parametrize("kinds", [*BLOCKS.names(), EXAMPLE], indirect=True, scope="module")


@dataclass(frozen=True)
class Trained:
    """A network trained briefly (no branch is zero any more), and its tensors in order of importance."""

    data: Data
    arch: Architecture
    network: nn.Module
    smaller: Architecture  # half of everything, widths too
    ordered: dict[str, Tensor]


@pytest.fixture(scope="module")
def trained(kinds: tuple[str, ...], shape: tuple[int, ...]) -> Trained:
    channels, *size = shape
    data, arch = toy_data(channels=channels, size=tuple(size)), two_of_each(kinds, shape)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(arch)
    fit(network, data, Training(epochs=4, batch=32), hard_labels(), seed=0)
    return Trained(data, arch, network, *prune(arch, dict(network.state_dict()), 0.5, width=True))


@pytest.fixture(scope="module")
def pruned(trained: Trained) -> nn.Module:
    network = extract(trained.ordered, trained.smaller)
    fit(network, trained.data, Training(epochs=2, batch=32), hard_labels(), seed=0)
    return network


@pytest.fixture(scope="module")
def file(trained: Trained, pruned: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pruned network as a float file, written as a recipe does: in the graph of another one of its architecture."""
    context = Context(trained.data, None, tmp_path_factory.mktemp("files"))
    file_of(Variant(trained.smaller, build(trained.smaller).eval()), context)
    return file_of(Variant(trained.smaller, pruned), context)


def answers(network: nn.Module, data: Data, x: Tensor) -> np.ndarray:
    with torch.no_grad():
        return network.eval()(data.normalise(x)).numpy()


def test_a_short_training_learns(trained: Trained, pruned: nn.Module) -> None:
    for network in (trained.network, pruned):
        assert evaluate(network, trained.data, trained.data.validation).accuracy > 0.8  # 0.25 by chance


def test_reordering_by_importance_leaves_the_output_unchanged(trained: Trained) -> None:
    before = dict(trained.network.state_dict())
    moved = [name for name, tensor in trained.ordered.items() if not torch.equal(tensor, before[name])]
    has_own = any(dimension.block >= 0 for dimension in dimensions(trained.arch))  # else it is a few groups of channels
    assert len(moved) > (len(before) // 5 if has_own else 0), "nothing to see: almost everything was in order"
    x = trained.data.validation.x
    expected = answers(trained.network, trained.data, x)
    reordered = answers(extract(trained.ordered, trained.arch), trained.data, x)
    np.testing.assert_allclose(reordered, expected, rtol=1e-5, atol=1e-5)


def test_fitting_what_is_left_brings_its_answers_nearer_to_the_whole_network(trained: Trained) -> None:
    x = trained.data.normalise(trained.data.train.x)
    whole, (cut, fitted) = trained.network.eval(), (extract(trained.ordered, trained.smaller) for _ in range(2))
    recalibrate(cut, x)
    helped = refit(fitted, target(extract(trained.ordered, trained.arch), x), {})
    asked = trained.data.validation.x
    wanted = answers(whole, trained.data, asked)
    lost, left = (np.square(answers(made, trained.data, asked) - wanted).mean(1) for made in (cut, fitted))
    # Image by image: one that leaves the range a rational function was trained on can be far off (studies/LOG.md).
    assert helped and np.median(left) < np.median(lost) and (left < lost).mean() > 0.7


def test_a_pruned_network_is_smaller_in_every_dimension(trained: Trained) -> None:
    for full, part in zip(dimensions(trained.arch), dimensions(trained.smaller), strict=True):
        assert part.units == max(1, round(full.units / 2)), full
    assert count(trained.smaller).params < 0.6 * count(trained.arch).params
    assert Architecture.from_json(trained.smaller.to_json()) == trained.smaller


def test_onnx_runtime_answers_within_1e_4_of_torch(trained: Trained, pruned: nn.Module, file: Path) -> None:
    x = trained.data.validation.x[:16]
    expected = answers(pruned, trained.data, x)
    np.testing.assert_allclose(logits(file, x.numpy()), expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(expected) > 1


def test_an_int8_file_gives_the_same_answers(trained: Trained, file: Path, tmp_path: Path) -> None:
    int8_file = quantize_static(file, trained.data.train.x[:64].numpy(), tmp_path / "int8.onnx")
    x = trained.data.validation.x.numpy()
    floating, int8 = logits(file, x), logits(int8_file, x)
    assert graph_report(int8_file)["int8_nodes"] > 0 and not np.array_equal(floating, int8)
    assert (floating.argmax(1) == int8.argmax(1)).mean() >= 0.85
    before, after = (evaluate_file(path, trained.data.validation) for path in (file, int8_file))
    assert after.accuracy > before.accuracy - 0.15
