"""What everything that trains owes a processor that is not the CPU: nothing is left behind in main memory.

The processor of `tests/elsewhere.py` computes as the CPU does and refuses to mix, so what is trained there is the same
but for rounding: some operators choose other kernels for a tensor of the CPU.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress.context import Context
from compress.distill import LOSSES
from compress.distill.step import Distill
from compress.evaluate import evaluate
from compress.export.onnx import export_onnx
from compress.onnx_file import OnnxFile
from compress.processor import VARIABLE
from compress.train import Training, fit, hard_labels
from compress.variant import Variant
from search.supernet.cutting import Cutting
from search.supernet.rules import RULES
from search.supernet.rules.fair import Fair
from search.supernet.rules.uniform import Uniform
from search.supernet.shared_weights import build_supernet
from search.supernet.training import Sharing, train_supernet
from spaces.network import build
from tests import elsewhere
from tests.contracts.small_spaces import scramble, space_of, two_of_each
from tests.toy_task import toy_data

FEW = toy_data(train=64)
SPACE = space_of(("mbconv", "kan"))
RTOL = {"losses": 0.01}  # behind all blocks: other kernels round otherwise, and a token or an expert may be another


@contextmanager
def on(name: str) -> Iterator[None]:
    """The processor of that name while inside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, name)
        yield


def assert_the_same(work: Callable[[], dict[str, Tensor]]) -> None:
    """What is worked out elsewhere is in main memory afterwards, and the same."""
    torch.manual_seed(0)
    with on("cpu"):
        here = work()
    torch.manual_seed(0)
    with on(elsewhere.register()):
        there = work()
    assert here.keys() == there.keys() and here
    assert {tensor.device.type for tensor in there.values()} == {"cpu"}
    different = [
        name for name in here if not torch.allclose(here[name], there[name], rtol=RTOL.get(name, 1e-4), atol=1e-5)
    ]
    assert different == []


def network_of(kinds: tuple[str, ...], shape: tuple[int, ...], seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(two_of_each(kinds, shape))
    scramble(network, seed)
    return network


def test_a_block_is_trained_and_evaluated(kinds: tuple[str, ...], shape: tuple[int, ...]) -> None:
    data = toy_data(train=32, channels=shape[0], size=shape[1:])

    def work() -> dict[str, Tensor]:
        network = network_of(kinds, shape)
        fit(network, data, Training(epochs=1, batch=16, lr=0.01), hard_labels(), 0)
        quality = evaluate(network, data, data.validation)
        return network.state_dict() | {"losses": torch.from_numpy(quality.losses)}

    assert_the_same(work)


@pytest.mark.parametrize("rule", RULES.names())
def test_a_rule_trains_shared_weights_and_goes_on_with_them(rule: str) -> None:
    config = Sharing(epochs=2, batch=32, rule=RULES.get(rule)())

    def work() -> dict[str, Tensor]:
        saved: dict[int, bytes] = {}
        supernet, resumed = build_supernet(SPACE, 0), build_supernet(SPACE, 1)
        train_supernet(supernet, FEW, config, seed=0, save=saved.__setitem__)
        with on("cpu"):  # a checkpoint is read where no such processor is
            train_supernet(resumed, FEW, replace(config, epochs=2), seed=0, start=saved[1])
        return supernet.tensors() | {f"resumed {name}": tensor for name, tensor in resumed.tensors().items()}

    assert_the_same(work)


@pytest.mark.parametrize("config", [
    Sharing(epochs=2, batch=32, rule=Uniform(paths=2), split=True),
    Sharing(epochs=3, batch=32, rule=Fair(), cut=Cutting(networks=50, images=32)),
], ids=["split", "cut"])  # fmt: skip
def test_so_do_the_ways_to_share_a_batch_and_to_cut_the_space(config: Sharing) -> None:
    def work() -> dict[str, Tensor]:
        supernet = build_supernet(SPACE, 0)
        train_supernet(supernet, FEW, config, seed=0)
        return supernet.tensors()

    assert_the_same(work)


@pytest.mark.parametrize("augmented", [False, True], ids=["as they are", "mirrored"])
@pytest.mark.parametrize("name", LOSSES.names())
def test_a_distillation_loss_trains_with_the_teacher_there(name: str, augmented: bool, tmp_path: Path) -> None:
    data = replace(FEW, flip=augmented)
    arch = two_of_each(("attention",))
    teacher = network_of(("attention",), arch.input_shape, seed=1).eval()

    def work() -> dict[str, Tensor]:
        student = Variant(arch, network_of(("attention",), arch.input_shape).eval())
        after = Distill(loss=name, epochs=1, batch=32, lr=0.01)(student, Context(data, teacher, tmp_path))
        return after.network.state_dict()

    assert_the_same(work)
    assert {tensor.device.type for tensor in teacher.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize("augmented", [False, True], ids=["as they are", "mirrored"])
def test_a_file_teaches_a_network_that_is_there(augmented: bool, tmp_path: Path) -> None:
    """ONNX Runtime computes in main memory."""
    data = replace(FEW, flip=augmented)
    arch = two_of_each(("mbconv",))
    written = export_onnx(network_of(("mbconv",), arch.input_shape, seed=1).eval(), ((0.0,), (1.0,)), arch.input_shape,
                          tmp_path / "teacher.onnx")  # fmt: skip

    def work() -> dict[str, Tensor]:
        student = Variant(arch, network_of(("mbconv",), arch.input_shape).eval())
        step = Distill(epochs=1, batch=32, lr=0.01)
        return step(student, Context(data, OnnxFile(written), tmp_path)).network.state_dict()

    assert_the_same(work)


def test_what_stays_behind_is_noticed() -> None:
    """The processor of the tests refuses what a GPU refuses."""
    x = torch.ones(2, 3).to(elsewhere.register())
    with pytest.raises(RuntimeError, match="is on the CPU and others are lazy"):
        x.add(torch.ones(2, 3))
    with pytest.raises((RuntimeError, TypeError)):
        x.numpy()
    assert (x + 1).sum().item() == 12 and (x + torch.tensor(1.0)).cpu().sum() == 12
