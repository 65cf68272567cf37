"""What the Triton kernels of the group-rational activation promise; `test_rational_triton.py` runs this file.

Needs KERNELS=triton, and a GPU or TRITON_INTERPRET=1.
"""

import pytest
import torch
from torch import Tensor
from torch.library import opcheck

from kernels.rational import launch, rational, reference

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LAST, FIRST = torch.channels_last, torch.contiguous_format
# (shape, groups, memory order): our blocks' 8 channels a group, groups that fill no tile, odd sizes that fit no chunk
# or tile, several tiles with a remainder, and other numbers of dimensions.
LAYOUTS = [
    ((2, 16, 7, 7), 2, FIRST),
    ((2, 16, 7, 7), 2, LAST),
    ((2, 88, 5, 5), 11, LAST),
    ((3, 9, 5, 3), 3, FIRST),
    ((3, 9, 5, 3), 3, LAST),
    ((1, 5, 31, 31), 1, FIRST),
    ((5, 24, 9, 9), 3, LAST),
    ((5, 24), 3, FIRST),
    ((2, 12, 5), 3, FIRST),
]


def inputs(shape: tuple[int, ...], groups: int, order: torch.memory_format = FIRST, seed: int = 0) -> list[Tensor]:
    """x with exact zeros, as a ReLU before it leaves them, and coefficients of both signs and exact zeros."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator).contiguous(memory_format=order)
    a, b = torch.randn(groups, 6, generator=generator), torch.randn(groups, 4, generator=generator)
    x[:, ::3] = x[:, ::3].relu()
    b[0, 1] = 0.0
    return [t.to(DEVICE).requires_grad_() for t in (x, a, b)]


def in_float64(tensors: list[Tensor], grad: Tensor) -> list[Tensor]:
    """y and all three gradients of the reference."""
    exact = [t.detach().double().requires_grad_() for t in tensors]
    y = reference.rational(exact[0], exact[1], exact[2])
    return [y, *torch.autograd.grad(y, exact, grad.double())]


def error(found: Tensor, expected: Tensor) -> float:
    """Of the whole tensor, relative."""
    return ((found.double() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize(("shape", "groups", "order"), LAYOUTS)
def test_output_and_gradients_are_those_of_the_reference_in_float64(
    shape: tuple[int, ...], groups: int, order: torch.memory_format
) -> None:
    tensors = inputs(shape, groups, order)
    grad = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    y = rational(*tensors)
    gradients = torch.autograd.grad(y, tensors, grad)
    assert y.stride() == tensors[0].stride() == gradients[0].stride()
    for found, expected in zip([y, *gradients], in_float64(tensors, grad), strict=True):
        assert error(found, expected) < 3e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once_and_sums_stay_in_float32(dtype: torch.dtype) -> None:
    x, a, b = inputs((2, 16, 7, 7), 2, LAST)
    tensors = [x.detach().to(dtype).requires_grad_(), a, b]
    grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(DEVICE, dtype)
    y = rational(*tensors)
    dx, da, db = torch.autograd.grad(y, tensors, grad)
    expected = in_float64(tensors, grad)
    assert y.dtype == dx.dtype == dtype and da.dtype == db.dtype == torch.float32
    half_a_step = torch.finfo(dtype).eps / 2
    for found, exact in zip((y, dx), expected[:2], strict=True):
        assert 0 < error(found, exact) < half_a_step
    for found, exact in zip((da, db), expected[2:], strict=True):
        assert error(found, exact) < 3e-6


def test_the_slope_of_the_absolute_value_at_zero_is_zero() -> None:
    _, a, b = inputs((2, 16), 2)
    x = torch.zeros(2, 16, device=DEVICE, requires_grad=True)
    (dx,) = torch.autograd.grad(rational(x, a, b).sum(), x)
    assert torch.equal(dx, a[:, 1].repeat_interleave(8).expand(2, 16))


def test_a_denominator_of_zeros_learns_as_if_b_were_positive() -> None:
    x, a, _ = inputs((2, 16), 2)
    for zero in (0.0, -0.0):
        b = torch.full((2, 4), zero, device=DEVICE, requires_grad=True)
        (found,) = torch.autograd.grad(rational(x, a, b).sum(), b)
        assert (found != 0).all()
        assert error(found, in_float64([x, a, b], torch.ones_like(x))[3]) < 3e-6


def test_views_and_expanded_gradients_are_read_right() -> None:
    x, a, b = inputs((4, 16, 6, 6), 2)
    for part in (x[1:3, :, ::2, 1:], x.transpose(2, 3), x[:, 8:], x.permute(0, 1, 3, 2)[::2]):
        groups = part.shape[1] // 8
        tensors = [part.detach().requires_grad_(), *(t[:groups].detach().requires_grad_() for t in (a, b))]
        y = rational(*tensors)
        gradients = torch.autograd.grad(y.sum(), tensors)  # the gradient has strides of 0
        for found, expected in zip([y, *gradients], in_float64(tensors, torch.ones_like(part)), strict=True):
            assert error(found, expected) < 3e-6


def test_no_elements_give_no_output_and_zero_gradients() -> None:
    tensors = [torch.empty(0, 16, 3, device=DEVICE, requires_grad=True), *inputs((1, 16), 2)[1:]]
    y = rational(*tensors)
    dx, da, db = torch.autograd.grad(y.sum(), tensors)
    assert y.shape == dx.shape == (0, 16, 3)
    assert not da.any() and not db.any()


def test_the_same_call_gives_the_same_bits() -> None:
    tensors = inputs((3, 24, 7, 7), 3)
    first, second = (torch.autograd.grad(rational(*tensors).square().sum(), tensors) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("order", [FIRST, LAST])
def test_torch_believes_what_the_operators_say_of_themselves(order: torch.memory_format) -> None:
    x, a, b = inputs((2, 16, 3, 3), 2, order)
    opcheck(torch.ops.lathe.rational.default, (x, a, b))
    opcheck(torch.ops.lathe.rational_backward.default, (torch.randn_like(x), *(t.detach() for t in (x, a, b))))


def test_a_compiled_function_keeps_the_operators_whole() -> None:
    tensors = inputs((2, 16, 3, 3), 2)
    graphs: list[str] = []

    def look(graph: torch.fx.GraphModule, _: list[Tensor]) -> torch.fx.GraphModule:
        graphs.append(graph.code)
        return graph

    y = torch.compile(rational, fullgraph=True, backend=look)(*tensors)
    assert "torch.ops.lathe.rational" in graphs[0]
    assert torch.equal(y, rational(*tensors))


def test_an_exported_graph_holds_plain_operators() -> None:
    class Activation(torch.nn.Module):
        def forward(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
            return rational(x, a, b)

    tensors = tuple(t.detach() for t in inputs((2, 16, 3, 3), 2))
    assert "lathe" not in torch.export.export(Activation(), tensors).graph_module.code


def test_more_elements_than_32_bits_count_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"fewer than 2\*\*31"):
        launch.view(torch.empty(2**20, 8, 2**9, device="meta"), 1)


@pytest.mark.parametrize("order", [FIRST, LAST])
def test_programs_that_take_many_tiles_lose_none(order: torch.memory_format, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with large tensors: here one program takes 6 tiles, or two take 11."""
    tensors = inputs((3, 16, 15, 15), 2, order)
    grad = torch.randn(tensors[0].shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    monkeypatch.setattr(launch, "BACKWARD_PROGRAMS", 2)
    gradients = torch.autograd.grad(rational(*tensors), tensors, grad)
    for found, expected in zip(gradients, in_float64(tensors, grad)[1:], strict=True):
        assert error(found, expected) < 3e-6
