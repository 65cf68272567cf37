"""What every step owes every block: the given variant unchanged, a file that answers, and the same file after a resume.

One family runs with `make test`, all of them with `make slow`.
"""

from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from compress.apply import file_of
from compress.context import Context
from compress.devices.simulated import Simulated
from compress.evaluate import evaluate, evaluate_file
from compress.export.session import graph_report, logits
from compress.prune.channels import Prune
from compress.prune.dimensions import dimensions
from compress.prune.staircase import MeasureFiles, beside_first
from compress.quantize import QUANTIZERS
from compress.quantize.agreement import agreement
from compress.quantize.qat import Qat
from compress.recipe import STEPS, Step, StepError
from compress.train import Training, fit, hard_labels
from compress.variant import Variant
from spaces.architecture import Architecture
from spaces.blocks import BLOCKS
from spaces.network import build
from spaces.tasks import Data
from spaces.windows import extract
from tests.contracts.conftest import EXAMPLE
from tests.contracts.small_spaces import two_of_each
from tests.toy_task import toy_data

QUICK = "mbconv"
KINDS = [QUICK, *(pytest.param(k, marks=pytest.mark.slow) for k in [*BLOCKS.names(), EXAMPLE] if k != QUICK)]
pytestmark = pytest.mark.parametrize("kinds", KINDS, indirect=True, scope="module")
EXTRAS = {"neural-compressor": "neural_compressor", "nncf": "nncf"}
SMALL = {"epochs": 1, "images": 48, "check": 32, "agreement": 0.8, "multiple": 1, "lr": 0.01, "batch": 32}


def steps() -> list[Any]:
    """Every registered step with settings for a small task; quantize once a quantizer, prune by ratio and latency."""
    found = []
    for name, make in STEPS.items():
        declared: Any = make
        small = {field.name: SMALL[field.name] for field in fields(declared) if field.name in SMALL}
        if name in EXTRAS and not find_spec(EXTRAS[name]):
            found.append(pytest.param(None, id=name, marks=pytest.mark.skip(reason="an extra of its own")))
            continue
        variants: list[dict[str, Any]] = [{}]
        if name == "quantize":
            variants = [{"kind": kind} for kind in QUANTIZERS.names()]
        if name == "prune":
            variants = [{}, {"latency": 0.9}]
        found += [
            pytest.param(declared(**small, **more), id="-".join(map(str, [name, *more.values()]))) for more in variants
        ]
    return found


def slow_arithmetic(folder: Path) -> MeasureFiles:
    """A device on which toy networks cost what they compute."""
    return beside_first(Simulated(macs_per_us=10), "slow", folder)


@dataclass(frozen=True)
class Start:
    data: Data
    variant: Variant
    teacher: torch.nn.Module
    accuracy: float


@pytest.fixture(scope="module")
def start(kinds: tuple[str, ...]) -> Start:
    data, arch = toy_data(), two_of_each(kinds)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, teacher = build(arch), build(arch)
    for each in (network, teacher):
        fit(each, data, Training(epochs=3, batch=32), hard_labels(), seed=0)
    return Start(data, Variant(arch, network), teacher, evaluate(network, data, data.validation).accuracy)


@pytest.mark.parametrize("step", steps())
def test_a_step_gives_a_file_that_answers_and_that_a_resumed_study_makes_again(
    step: Step, start: Start, tmp_path: Path
) -> None:
    assert isinstance(start.variant.arch, Architecture)
    if isinstance(step, Prune) and not any(d.block >= 0 and d.units > 1 for d in dimensions(start.variant.arch)):
        with pytest.raises(StepError, match="removes nothing from this network|nothing in this network"):
            step(start.variant, Context(start.data, None, tmp_path, measure=slow_arithmetic(tmp_path)))
        return
    before = {name: tensor.clone() for name, tensor in start.variant.network.state_dict().items()}
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with torch.random.fork_rng():
        after = step(start.variant, Context(start.data, start.teacher, first, measure=slow_arithmetic(tmp_path)))
    assert all(torch.equal(before[name], tensor) for name, tensor in start.variant.network.state_dict().items())
    assert not after.network.training and (after.precision == "int8") == (after.quantization is not None)

    path = file_of(after, Context(start.data, None, first))
    assert evaluate_file(path, start.data.validation).accuracy > start.accuracy - 0.2
    x = start.data.validation.x[:64]
    with torch.no_grad():
        expected = after.network(start.data.normalise(x)).numpy()
    found = logits(path, x.numpy())
    if after.precision == "float32":
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    else:
        assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.85
        assert graph_report(path)["int8_nodes"] > 0
    if isinstance(step, Qat):
        simulated = step.expected(after.network, Context(start.data, None, first), path, x.numpy())
        assert agreement(path, simulated, found).steps < 1.001  # a step, to rounding; where all is fused 0

    tensors = safetensors.torch.load(safetensors.torch.save(after.network.state_dict()))
    assert isinstance(after.arch, Architecture)
    loaded = replace(after, network=extract(tensors, after.arch))
    assert file_of(loaded, Context(start.data, None, second)).read_bytes() == path.read_bytes()
