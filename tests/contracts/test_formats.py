"""What every format that an engine runs owes every block: torch's answers, in float and in the engine's own int8."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.export import EXPORTERS
from compress.export.agreement import agreement
from compress.export.normalised import exportable
from compress.export.pte import answers, delegation
from compress.quantize.xnnpack import write_int8_pte, xnnpack_simulated
from compress.runner.feeding import ready_call
from spaces.blocks import BLOCKS
from spaces.network import build
from tests.contracts.conftest import EXAMPLE
from tests.contracts.small_spaces import INPUT, scramble, two_of_each

QUICK = "mbconv"
KINDS = [QUICK, *(pytest.param(k, marks=pytest.mark.slow) for k in [*BLOCKS.names(), EXAMPLE] if k != QUICK)]
pytestmark = pytest.mark.parametrize("kinds", KINDS, indirect=True, scope="module")
NORMALISATION = ((5.0,), (3.0,))
ENGINES = {"pt2": "torch", "pte": "executorch"}
FORMATS = [pytest.param(name, marks=pytest.mark.slow) if name == "pte" else name for name in ENGINES]


@pytest.fixture(scope="module")
def network(kinds: tuple[str, ...]) -> torch.nn.Module:
    made = build(two_of_each(kinds)).eval()
    scramble(made, 0)
    return made


def images(n: int) -> np.ndarray:
    return np.random.default_rng(0).random((n, *INPUT), dtype=np.float32) * 16


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_the_format_answers_as_torch_and_its_engine_runs_it(
    name: str, network: torch.nn.Module, tmp_path: Path
) -> None:
    if find_spec(ENGINES[name]) is None:
        pytest.skip("an extra")
    exporter = EXPORTERS.get(name)
    path = exporter(network, NORMALISATION, INPUT, tmp_path / f"a{exporter.suffix}")
    same = agreement(exporter, path, network, NORMALISATION, images(8))
    assert same.alike == 1.0
    call, notes = ready_call(str(path), ENGINES[name], {"mode": "eager"})
    call()
    assert notes == []
    if name == "pte":
        found = delegation(path)
        assert 0.3 < found["delegated_share"] <= 1.0 and found["operators"] > 10


@pytest.mark.slow
def test_an_int8_program_answers_as_its_simulation(network: torch.nn.Module, tmp_path: Path, record_property) -> None:
    pytest.importorskip("executorch", reason="an extra")
    whole, x = exportable(network, NORMALISATION, INPUT), torch.from_numpy(images(16))
    simulation = xnnpack_simulated(whole, x, "static")
    path = write_int8_pte(whole, x, "static", tmp_path / "a.pte")
    with torch.no_grad():
        expected = torch.cat([simulation(image) for image in x.split(1)]).numpy()
    difference = float(np.abs(answers(path, x.numpy()) - expected).max() / np.ptp(expected))
    record_property("largest difference, of the range", difference)
    assert difference < 0.1  # a rounding here and there may become several steps at the end
