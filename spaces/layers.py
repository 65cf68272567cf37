"""The few layers that blocks are made of besides torch's own."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from kernels.rational import Coefficients, rational
from kernels.rational.formula import DENOMINATOR_TERMS, NUMERATOR_TERMS

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "hardswish": nn.Hardswish,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "silu": nn.SiLU,
}
RATIONAL_GROUP = 8  # channels that share one rational function: fixed, so that fewer channels are a prefix of groups


class Rational(nn.Module):
    """Group-rational activation of (N, C, ...) with groups of 8 channels. C must be a multiple of 8."""

    macs_per_element = NUMERATOR_TERMS - 1 + DENOMINATOR_TERMS

    def __init__(self, channels: int, start: Coefficients) -> None:
        super().__init__()
        if channels % RATIONAL_GROUP:
            raise ValueError(
                f"channels of a rational activation must be a multiple of {RATIONAL_GROUP}, got {channels}."
            )
        groups = channels // RATIONAL_GROUP
        self.a = nn.Parameter(torch.empty(groups, NUMERATOR_TERMS))
        self.b = nn.Parameter(torch.empty(groups, DENOMINATOR_TERMS))
        for parameter, values in ((self.a, start.a), (self.b, start.b)):
            for column, value in enumerate(values):
                nn.init.constant_(parameter[:, column], value)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) -> (N, C, ...)."""
        return rational(x, self.a, self.b)

    def for_export(self) -> nn.Module:
        """The same function with its coefficients spread over the channels: half of the operators to export."""
        return FixedRational(self.a.detach(), self.b.detach())


class FixedRational(nn.Module):
    """P(x) / Q(|x|) of (N, C, H, W) with constant coefficients, 20 operators."""

    def __init__(self, a: Tensor, b: Tensor) -> None:
        super().__init__()
        for name, coefficients in (("a", a), ("b", b.abs())):
            for i, column in enumerate(coefficients.repeat_interleave(RATIONAL_GROUP, 0).unbind(1)):
                self.register_buffer(f"{name}{i}", column.reshape(1, -1, 1, 1).clone())

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        absolute = x.abs()
        p, q = self.get_buffer("a5"), self.get_buffer("b3")
        for i in (4, 3, 2, 1, 0):
            p = p * x + self.get_buffer(f"a{i}")
        for j in (2, 1, 0):
            q = q * absolute + self.get_buffer(f"b{j}")
        return p / (q * absolute + 1.0)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from the image's mean. Source: Hu et al. 2018, arXiv:1709.01507.

    Differs: the gate is a hard sigmoid (cheap, quantizes well) and squeezes to a quarter, at least 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(4, channels // 4)
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        gate = nn.functional.relu(self.squeeze(x.mean((2, 3), keepdim=True)))
        return x * nn.functional.hardsigmoid(self.excite(gate))


class SpatialGate(nn.Module):
    """Scale each position by a gate computed from the mean and the maximum over its channels.

    Source: Woo et al. 2018, arXiv:1807.06521 (CBAM; behind squeeze-excitation it is the whole of it). Differs: the gate
    is a hard sigmoid.
    """

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        seen = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * nn.functional.hardsigmoid(self.look(seen))


class Residual(nn.Module):
    """x + branch(x)."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.branch(x)


def feed_forward(width: int, hidden: int, act: str) -> nn.Sequential:
    """BatchNorm, up, activation, down: an MLP at every position, as 1 x 1 convolutions. It starts at zero."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(width),
            up=pointwise(width, hidden, bias=True),
            act=ACTIVATIONS[act](),
            down=start_at_zero(pointwise(hidden, width, bias=True)),
        )
    )


def attend(q: Tensor, k: Tensor, v: Tensor, head_dim: int) -> Tensor:
    """Every position of q looks at every position of k and takes from v, a head at a time.

    (N, heads * head_dim, H, W) each -> (N, heads * head_dim, H, W) of q; k and v may have fewer positions.
    """
    q_heads, k_heads, v_heads = (x.unflatten(1, (-1, head_dim)).flatten(3).transpose(2, 3) for x in (q, k, v))
    attended = scaled_dot_product_attention(q_heads, k_heads, v_heads)  # (N, heads, H W, head_dim)
    return attended.transpose(2, 3).reshape(q.shape)


def convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """Full convolution without bias, padded to keep the size."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)


def depthwise(channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Depthwise convolution without bias, padded to keep the size at stride 1."""
    return nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)


def pointwise(inputs: int, outputs: int, *, bias: bool = False) -> nn.Conv2d:
    """1 x 1 convolution."""
    return nn.Conv2d(inputs, outputs, 1, bias=bias)


def convolution_of(weight: Tensor, bias: Tensor, groups: int = 1) -> nn.Conv2d:
    """A convolution with this weight (outputs, inputs / groups, rows, columns) and bias, padded to keep the size."""
    outputs, inputs, rows, columns = weight.shape
    padding = rows // 2, columns // 2
    layer = nn.Conv2d(inputs * groups, outputs, (rows, columns), padding=padding, groups=groups, device="meta")
    layer.weight, layer.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
    return layer


def start_at_zero(layer: nn.Module) -> nn.Module:
    """Zero the weight and bias of the last layer of a residual branch, in place, so that the branch starts as nothing.

    It made the difference between 90-97 % and 99 % on digits, and keeps deep chains of fresh blocks trainable.
    """
    for parameter in layer.parameters(recurse=False):
        nn.init.zeros_(parameter)
    return layer
