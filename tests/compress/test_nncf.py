"""NNCF for OpenVINO: offered where OpenVINO runs the files, and held to the rule that rejects what it ruins."""

import copy
import importlib.util
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from compress.apply import Budget, file_of, find, judge, take
from compress.context import Context
from compress.foreign import foreign_of
from compress.measurement import Measurement
from compress.quantize import nncf
from compress.quantize.nncf import Nncf
from compress.train import Training, fit, hard_labels
from compress.variant import Variant
from search.config.recipe import read_recipe
from search.errors import ConfigError
from tests.toy_task import CLASSES, toy_data

needs_nncf = pytest.mark.skipif(not importlib.util.find_spec("nncf"), reason="an extra of its own")
RECIPE = "model: net.py:net\ntask: {kind: digits}\ndevices: {here: DEVICE}\n"


def test_without_the_library_the_step_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nncf.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'lathe\[nncf\]'.*`quantize`"):
        Nncf()


@pytest.mark.parametrize("steps", ["steps: [nncf]", "tune: {steps: [nncf, {prune: {ratio: [0.25, 0.5]}}]}"])
@pytest.mark.parametrize("device", ["{kind: onnxruntime}", "{kind: auto}", "{kind: ssh, host: pi}"])
def test_it_is_refused_where_another_engine_runs_the_files(
    device: str, steps: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nncf.importlib.util, "find_spec", lambda name: name)
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPE.replace("DEVICE", device) + steps)
    with pytest.raises(ConfigError, match="nncf makes files for openvino, and here runs them in"):
        read_recipe(file)
    file.write_text(RECIPE.replace("DEVICE", "{kind: openvino}") + steps)
    read_recipe(file)
    file.write_text(RECIPE.replace("DEVICE", "{kind: ssh, host: pi, engine: openvino}") + steps)
    read_recipe(file)


def variant_of(network: nn.Module) -> Variant:
    return Variant(foreign_of(network, "net.py:net", (1, 8, 8), CLASSES), network)


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    """Trained on the toy task, with ReLUs, so that a channel may be scaled up before and down after one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
        second = [nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU()]
        network = nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(128, CLASSES))
    fit(network, toy_data(), Training(epochs=8, batch=32), hard_labels(), seed=0)
    return network.eval()


def slow(path: Path) -> Measurement:
    """A device on which int8 is twice as fast: only accuracy can reject it."""
    latency_ms = 0.5 if b"QuantizeLinear" in path.read_bytes() else 1.0
    return Measurement("latency_ms", latency_ms, "ms", latency_ms, latency_ms, "simulated")


@pytest.mark.slow
@needs_nncf
def test_a_network_that_it_ruins_is_rejected_and_one_that_it_does_not_is_kept(
    network: nn.Sequential, tmp_path: Path
) -> None:
    """One channel 10,000 times as large as its neighbours: the same function in float, and no integers for the rest."""
    context = Context(toy_data(), None, tmp_path)
    ruined = copy.deepcopy(network)
    norm, following = ruined[1], ruined[3]
    assert isinstance(norm, nn.BatchNorm2d) and isinstance(following, nn.Conv2d)
    with torch.no_grad():
        norm.weight[0] *= 1e4
        norm.bias[0] *= 1e4
        following.weight[:, 0] /= 1e4
    verdicts = {}
    for name, each in (("kept", network), ("ruined", ruined)):
        start = variant_of(each)
        before = find(start, context, slow)
        assert before.quality.accuracy > 0.9
        judged = partial(judge, [before], budget=Budget(max_drop=2.0, limits={}))
        attempt = take("nncf", Nncf(images=64), start, context, slow, judged)
        assert attempt.variant is not None and attempt.findings is not None, attempt.reason
        assert attempt.findings.graph is not None and attempt.findings.graph["int8_nodes"] > 0
        verdicts[name] = attempt.verdict, attempt.reason
    assert verdicts["kept"][0] == "accepted", verdicts
    assert verdicts["ruined"][0] == "rejected" and "below the budget" in verdicts["ruined"][1], verdicts


@pytest.mark.slow
@needs_nncf
def test_the_same_network_gives_the_same_file_again(network: nn.Module, tmp_path: Path) -> None:
    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        after = Nncf(images=32)(variant_of(network), Context(toy_data(), None, folder))
        made.append(file_of(after, Context(toy_data(), None, folder)).read_bytes())
    assert made[0] == made[1]
