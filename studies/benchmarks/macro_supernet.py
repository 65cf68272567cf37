"""The shared weights of NAS-Bench-Macro's space, layer by layer as its authors trained it (Su et al. 2021,
arXiv:2103.11922): the first layer of a stage changes width and resolution itself, which no `enter` of ours does.

It offers what `train_supernet` asks of a supernet, so that the rules under test are the product's own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture, Stage
from spaces.blocks import BLOCKS
from spaces.space import BlockChoice, SearchSpace, StageSpace

DEPTHS, STEM, HEAD = (2, 3, 3), 32, 1280


@BLOCKS.register("identity")
@dataclass(frozen=True)
class Identity:
    """Nothing: stands for the table's operation 0."""

    kind: ClassVar[str] = "identity"
    separate: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {}

    def build(self, width: int) -> nn.Module:
        """Passes its input on."""
        return nn.Identity()

    def units(self, width: int) -> dict[str, int]:
        """Nothing can be shortened."""
        return {}

    def resized(self, width: int, dimension: str, units: int) -> Any:
        """Itself."""
        return self


CHOICES = (
    BlockChoice("identity"),
    BlockChoice("mbconv", (("kernel", (3,)), ("expand", (3,)), ("act", ("relu",)))),
    BlockChoice("mbconv", (("kernel", (5,)), ("expand", (6,)), ("act", ("relu",)))),
)


def macro_space(size: int, classes: int = 10) -> SearchSpace:
    """The decisions of the space, one of three operations at each of 8 layers. Only they matter here."""
    stages = (StageSpace((depth,), (STEM * 2 ** (i + 1),), 2, CHOICES) for i, depth in enumerate(DEPTHS))
    return SearchSpace((3, size, size), classes, (STEM,), 1, tuple(stages))


def arch_of(space: SearchSpace, codes: list[int]) -> Architecture:
    """The architecture of a row of the table."""
    blocks = []
    for code in codes:
        make: Any = BLOCKS.get(CHOICES[code].kind)
        blocks.append(make(**{field: options[0] for field, options in CHOICES[code].fields}))
    stages, at = [], 0
    for stage in space.stages:
        stages.append(Stage(stage.width[0], stage.stride, tuple(blocks[at : at + stage.depth[0]]), stage.enter))
        at += stage.depth[0]
    return Architecture(space.input_shape, space.classes, STEM, space.stem_stride, tuple(stages))


def codes_of(arch: Architecture) -> list[int]:
    """The operation of each of the 8 layers."""
    return [
        0 if block.kind == "identity" else 1 + int(block.kernel == 5) for s in arch.stages for block in s.blocks
    ]  # fmt: skip


def operation(code: int, inputs: int, outputs: int, stride: int) -> nn.Module:
    """Operation 0, 1 or 2 of the table between two widths."""
    if code == 0:
        return nn.Identity() if stride == 1 else _conv(inputs, outputs, 1, stride)
    hidden, kernel = inputs * (3, 6)[code - 1], (3, 5)[code - 1]
    layers = [_conv(inputs, hidden, 1), nn.ReLU(), _conv(hidden, hidden, kernel, stride, hidden), nn.ReLU()]
    return nn.Sequential(*layers, _conv(hidden, outputs, 1))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class Layer(nn.Module):
    """One operation, with a shortcut where an inverted residual keeps the shape."""

    def __init__(self, inside: nn.Module, is_residual: bool) -> None:
        super().__init__()
        self.inside, self.is_residual = inside, is_residual

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return x + self.inside(x) if self.is_residual else self.inside(x)


class MacroSupernet(nn.Module):
    """All three operations at every layer. width: channels of the stem; the table's networks have 32."""

    def __init__(self, space: SearchSpace, width: int = STEM) -> None:
        super().__init__()
        self.space = space
        layers, inputs = [], width
        for depth in DEPTHS:
            for j in range(depth):
                outputs, stride = (2 * inputs, 2) if j == 0 else (inputs, 1)
                layers.append(nn.ModuleList(
                    Layer(operation(code, inputs, outputs, stride), code > 0 and stride == 1) for code in range(3)
                ))  # fmt: skip
                inputs = outputs
        top = nn.Sequential(_conv(inputs, HEAD * width // STEM, 1), nn.ReLU())
        ends = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(HEAD * width // STEM, space.classes)]
        self.store = nn.ModuleDict({
            "stem": nn.Sequential(_conv(3, width, 3), nn.ReLU()),
            "layers": nn.ModuleList(layers),
            "top": top,
            "head": nn.Sequential(*ends),
        })  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        """Nothing is sliced here, so nothing has to be fetched."""
        return {}

    def chain(self, arch: Architecture) -> nn.Sequential:
        """The layers of one network, not copied; the head comes last."""
        names = [*(f"layer{at}" for at in range(8))]
        chosen = [self.store["layers"][at][code] for at, code in enumerate(codes_of(arch))]  # type: ignore[index]
        parts = [("stem", self.store["stem"]), *zip(names, chosen, strict=True), ("top", self.store["top"])]
        return nn.Sequential(OrderedDict([*parts, ("head", self.store["head"])]))

    def forward(
        self, x: Tensor, arch: Architecture, tensors: dict[str, Tensor] | None = None, gates: Sequence[Tensor] = ()
    ) -> Tensor:
        """(N, 3, H, W) normalised -> logits (N, classes) of one network. gates: as in `Supernet`, a layer each."""
        for name, part in self.chain(arch).named_children():
            before, x = x, part(x)
            if gates and name.startswith("layer"):
                changed = x - before if before.shape == x.shape else x
                x = x + gates[int(name.removeprefix("layer"))] * changed
        return x


def macro_supernet(size: int, width: int, seed: int) -> MacroSupernet:
    """A freshly initialised one; channels_last as everything trained here."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MacroSupernet(macro_space(size), width).to(memory_format=torch.channels_last)
