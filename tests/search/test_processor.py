"""Which processor trains: what `LATHE_PROCESSOR` says, and a whole study on one that is not the CPU."""

from pathlib import Path

import pytest
import torch
from torch import nn

from compress.given import GivenError, describe_given
from compress.processor import VARIABLE, NoProcessor, processor, visiting
from search import load_study
from tests import elsewhere
from tests.search.command_line import Call
from tests.search.finished_study import OVERRIDES, Finished
from tests.toy_task import toy_data

TINY = Path(__file__).with_name("tiny.yaml")
WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


@WITHOUT_GPU
@pytest.mark.parametrize(("wanted", "found"), [("", "cpu"), ("auto", "cpu"), ("cpu", "cpu"), ("lazy", "lazy")])
def test_the_variable_says_who_trains_and_without_it_the_cpu_where_there_is_no_gpu(
    wanted: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.register()
    monkeypatch.setenv(VARIABLE, wanted)
    assert processor().type == found


@WITHOUT_GPU
@pytest.mark.parametrize(("wanted", "message"), [
    ("gpu", "LATHE_PROCESSOR must be auto, cpu, cuda or cuda:N, got 'gpu'."),
    ("meta", "LATHE_PROCESSOR is meta, and PyTorch .* cannot use it. Write auto, cpu, cuda or cuda:N."),
    ("xpu", "LATHE_PROCESSOR is xpu, and PyTorch .* cannot use it"),
    ("cuda:1", "LATHE_PROCESSOR is cuda:1, and PyTorch .* finds no GPU. Write cpu, or install"),
])  # fmt: skip
def test_one_that_is_not_there_is_one_message(
    wanted: str, message: str, search: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, wanted)
    with pytest.raises(NoProcessor, match=message):
        processor()
    said = search("launch", TINY, "--db", tmp_path / "x.db")
    assert said.code == 2 and VARIABLE in said.err and len(said.err.strip().splitlines()) <= 4
    assert not (tmp_path / "x.db").exists()


def test_networks_come_back_from_a_visit_that_ends_badly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, elsewhere.register())
    network = nn.Linear(2, 2)
    with pytest.raises(KeyError), visiting(network) as here:
        assert network.weight.device.type == here.type == elsewhere.NAME
        raise KeyError
    assert network.weight.device.type == "cpu" and not isinstance(network.weight.data, elsewhere.Elsewhere)


class Stray(nn.Module):
    """Keeps a tensor that PyTorch does not know of."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.scale = nn.Linear(64, 4), torch.ones(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.flatten(1)) * self.scale


def test_a_given_network_that_cannot_go_there_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "cpu")
    assert describe_given(Stray(), "net.py:stray", toy_data()).input_shape == (1, 8, 8)
    monkeypatch.setenv(VARIABLE, elsewhere.register())
    with pytest.raises(GivenError, match="does not run on lazy: .* Register the tensors .* LATHE_PROCESSOR=cpu"):
        describe_given(Stray(), "net.py:stray", toy_data())


@pytest.mark.parametrize("name", [elsewhere.NAME, pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_study_that_trains_elsewhere_takes_the_same_steps(
    name: str, finished: Finished, search: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.register()
    monkeypatch.setenv(VARIABLE, name)
    db = str(tmp_path / "x.db")
    said = search("launch", TINY, "--db", db, *(f"--override={override}" for override in OVERRIDES))
    assert said.code == 0 and f"trains on {name}" in said.err and "LATHE_PROCESSOR=cpu trains on the CPU" in said.err
    there, here = ({(v.role, v.step) for v in load_study("tiny", where).variants} for where in (db, finished.db))
    assert there == here
