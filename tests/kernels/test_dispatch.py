"""Who runs is decided by the device or by KERNELS; the operators are sound whoever runs."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.library import opcheck

from kernels import dispatch
from kernels.dispatch import uses_triton
from kernels.rational import rational, reference
from kernels.rational.operation import backward_operator, dense, forward_operator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def inputs() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 16, 3, 3), (2, 6), (2, 4))
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]


def test_tensors_on_the_cpu_go_to_the_reference_and_triton_is_not_imported() -> None:
    program = """
import sys, torch
from kernels.rational import rational
rational(torch.randn(2, 8, requires_grad=True), torch.randn(1, 6), torch.randn(1, 4)).sum().backward()
print([name for name in ("kernels.rational.launch", "kernels.rational.triton_kernels") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_forced_kernel_that_cannot_run_says_why(inputs: list[Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNELS", "triton")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(dispatch, "INSTALLED", True)
    with pytest.raises(RuntimeError, match="needs tensors on CUDA, got cpu"):
        rational(*inputs)
    with pytest.raises(RuntimeError, match="float32, bfloat16 or float16, got torch.float64"):
        rational(*(t.double() for t in inputs))
    monkeypatch.setattr(dispatch, "INSTALLED", False)
    with pytest.raises(RuntimeError, match=r"pip install 'lathe\[triton\]'"):
        rational(*inputs)


def test_an_unknown_choice_is_an_error(inputs: list[Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNELS", "cuda")
    with pytest.raises(ValueError, match="`reference` or `triton`, got `cuda`"):
        rational(*inputs)


def test_the_reference_can_be_forced_where_triton_would_run(
    inputs: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "INSTALLED", True)
    for forced, runs in (("triton", True), ("reference", False)):
        monkeypatch.setenv("KERNELS", forced)
        monkeypatch.setenv("TRITON_INTERPRET", "1")
        assert uses_triton(*inputs) == runs


def test_an_exported_graph_never_asks_for_triton(inputs: list[Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    class Activation(torch.nn.Module):
        def forward(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
            return rational(x, a, b)

    monkeypatch.setenv("KERNELS", "triton")
    exported = torch.export.export(Activation(), tuple(t.detach() for t in inputs))
    assert "lathe" not in exported.graph_module.code


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_torch_believes_what_the_operators_say_of_themselves(inputs: list[Tensor], order: torch.memory_format) -> None:
    x, a, b = inputs
    x = x.detach().contiguous(memory_format=order).requires_grad_()
    opcheck(torch.ops.lathe.rational.default, (x, a, b))
    opcheck(torch.ops.lathe.rational_backward.default, (torch.randn_like(x), *(t.detach() for t in (x, a, b))))


def test_the_operators_are_the_reference_where_triton_does_not_run(inputs: list[Tensor]) -> None:
    grad = torch.randn_like(inputs[0])
    for function in (forward_operator, reference.rational):
        assert torch.equal(function(*inputs), rational(*inputs))
        found = torch.autograd.grad(function(*inputs), inputs, grad)
        expected = backward_operator(grad, *(t.detach() for t in inputs))
        assert all(torch.equal(f, e) for f, e in zip(found, expected, strict=True))


def test_only_memory_that_is_no_stretch_is_copied() -> None:
    x = torch.randn(4, 6, 5, 3)
    last = x.contiguous(memory_format=torch.channels_last)
    assert dense(x) is x and dense(last) is last
    for view in (x[:, 1:], x[:, :, ::2], x.transpose(2, 3), last[:, :3]):
        assert dense(view).is_contiguous() and torch.equal(dense(view), view)


def test_output_and_gradients_have_the_type_of_what_they_belong_to(inputs: list[Tensor]) -> None:
    """As under autocast: the input in half precision, the coefficients not."""
    x, a, b = inputs
    half = x.detach().bfloat16().requires_grad_()
    y = rational(half, a, b)
    assert y.dtype == rational(half.detach(), a.detach(), b.detach()).dtype == torch.bfloat16
    gradients = torch.autograd.grad(y.sum(), (half, a, b))
    assert [g.dtype for g in gradients] == [torch.bfloat16, torch.float32, torch.float32]
