"""`python -m kernels.bench` says what it can and measures what it says."""

import re

import pytest
import torch

from kernels import bench
from kernels.dispatch import INSTALLED

# torch 2.13: importing torch.compile's backend and tracing an autograd.Function use what torch itself has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")


@pytest.mark.slow
def test_on_a_cpu_it_times_the_reference_and_says_what_triton_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert bench.main(["--shape", "2", "16", "8", "8", "--rounds", "2"]) == 0
    printed = capsys.readouterr().out
    assert "Triton needs a GPU" in printed
    rows = [line for line in printed.splitlines() if line.startswith("float32")]
    assert len(rows) == 4
    for row in rows:
        floor, eager, _, compiled, *_ = map(float, re.findall(r"[\d.]+", row.partition("float32")[2]))
        assert min(floor, eager, compiled) > 0


@pytest.mark.parametrize("step", [False, True])
@pytest.mark.parametrize("order", list(bench.ORDERS))
def test_its_variants_do_the_same_work(step: bool, order: str) -> None:
    torch.manual_seed(0)
    x, a, b = bench.inputs([2, 16, 4, 4], torch.float32, order, "cpu")
    assert x.is_contiguous(memory_format=bench.ORDERS[order])
    result = bench.variants(x, a, b, step)["eager"]()
    if step:
        assert isinstance(result, tuple)
        assert [g.shape for g in result] == [x.shape, a.shape, b.shape]
    else:
        assert isinstance(result, torch.Tensor) and not result.requires_grad


@pytest.mark.parametrize("target", ["sm90", "hopper"])
def test_a_gpu_it_cannot_compile_for_is_named(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--compile", target]) == 2
    assert f"sm_90, got {target}" in capsys.readouterr().err


@pytest.mark.skipif(INSTALLED, reason="Triton is installed, so that it compiles")
def test_compiling_without_triton_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--compile", "sm_90"]) == 2
    assert "pip install 'lathe[triton]'" in capsys.readouterr().err
