"""The front door of the group-rational activation, and the operators `lathe::rational` and `lathe::rational_backward`.

torch sees the Triton kernels as two opaque operators: it knows the shapes of what they return and which is the gradient
of which, so that torch.compile keeps them whole and autograd goes through them.
"""

from typing import Any

import torch
from torch import Tensor

from kernels.dispatch import uses_triton
from kernels.rational import reference


def rational(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y = P(x) / Q(x), with one P and one Q for each group of channels.

    Args:
        x: (N, C, ...), C divisible by the number of groups G; any float.
        a: (G, 6) numerator coefficients, constant first.
        b: (G, 4) denominator coefficients, linear first; only their absolute values count.
    Returns: shape and dtype of x.
    Raises: ValueError: if C is not a multiple of G.
    Cost: on CUDA one read and one write of x, its gradients two reads and one write; else see the reference.
    Source: arXiv:2409.10594. Differs: the gradient of |x| at 0 is 0 (as autograd's; the published kernel has 1), that
        of |b| at 0 is 1 (as the kernel's; autograd's 0 would keep a denominator that starts at zero there for ever).
    """
    if x.shape[1] % a.shape[0]:
        raise ValueError(
            f"channels must be a multiple of the groups, got {x.shape[1]} channels and {a.shape[0]} groups."
        )
    return forward_operator(x, a, b) if uses_triton(x, a, b) else reference.rational(x, a, b)


@torch.library.custom_op("lathe::rational", mutates_args=())
def forward_operator(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y in the memory order of `dense(x)`."""
    if not x.numel() or not uses_triton(x, a, b):
        return reference.forward(dense(x), a, b)
    from kernels.rational import launch  # imports Triton

    return launch.forward(dense(x), a.contiguous(), b.contiguous())


@torch.library.custom_op("lathe::rational_backward", mutates_args=())
def backward_operator(grad: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """dx in the memory order of `dense(x)`, da and db."""
    x = dense(x)
    if grad.stride() != x.stride():
        grad = torch.empty_like(x).copy_(grad)
    if not x.numel() or not uses_triton(x, a, b):
        return reference.backward(grad, x, a, b)
    from kernels.rational import launch

    return launch.backward(grad, x, a.contiguous(), b.contiguous())


@forward_operator.register_fake
def _(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.empty_like(dense(x))


@backward_operator.register_fake
def _(grad: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(dense(x)), a.new_empty(a.shape), b.new_empty(b.shape)


def dense(x: Tensor) -> Tensor:
    """x itself if its memory is one stretch with the channels second (contiguous) or last, else a contiguous copy."""
    return x if x.movedim(1, -1).is_contiguous() else x.contiguous()


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return backward_operator(grad, *ctx.saved_tensors)


forward_operator.register_autograd(_differentiate, setup_context=_keep)
