"""What a network thinks of a batch: its logits, and where a loss asks for them its features on the way there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from compress.distill.attending import attention_outputs, tokens_of


class Seen(NamedTuple):
    """logits: (N, classes). maps: (N, C, H, W) each, the last at every resolution, finest first. embedding: (N, D),
    what the last linear layer reads. head: that layer. attended: what each attention puts out, the first of the network
    first, (N, positions, channels)."""

    logits: Tensor
    maps: tuple[Tensor, ...] = ()
    embedding: Tensor | None = None
    head: nn.Linear | None = None
    attended: tuple[Tensor, ...] = ()


class Watched(nn.Module):
    """A network whose features are kept at each forward pass, until `close`.

    Where to look is found by running `x`: at each resolution of more than one position the last output that is an
    image, and the input of the last linear layer that gives the logits. So networks of any family can be compared.
    Raises ValueError if the network has no such output or no such layer.
    """

    def __init__(self, network: nn.Module, x: Tensor) -> None:
        super().__init__()
        self.network = network
        self._kept: dict[str, Tensor] = {}
        maps, last = _places(network, x)
        if not maps or last is None:
            missing = "layers whose output is an image" if last is not None else "last linear layer"
            raise ValueError(f"the network has no {missing} to learn from. Write `loss: logits`, `dkd` or `topk`.")
        self._names, self._last = tuple(maps), (last,)  # in a tuple, so that it is registered once
        self._hooks = [layer.register_forward_hook(_keep_output(self._kept, name)) for name, layer in maps.items()]
        self._hooks.append(last.register_forward_hook(_keep_input(self._kept, "embedding")))
        attending = dict(attention_outputs(network))
        self._attending = tuple(f"{name} attends" for name in attending)
        for name, layer in zip(self._attending, attending.values(), strict=True):
            self._hooks.append(layer.register_forward_hook(_keep_tokens(self._kept, name)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        return self.network(x)

    def seen(self, logits: Tensor) -> Seen:
        """The logits of the last forward pass with the features that led to them."""
        maps = tuple(self._kept[name] for name in self._names)
        attended = tuple(self._kept[name] for name in self._attending if name in self._kept)
        return Seen(logits, maps, self._kept["embedding"], *self._last, attended)

    def close(self) -> None:
        """Take the hooks off the network."""
        for hook in self._hooks:
            hook.remove()
        self._kept.clear()


def _places(network: nn.Module, x: Tensor) -> tuple[dict[str, nn.Module], nn.Linear | None]:
    """({name: layer} by resolution, finest first, the last linear layer), by running x in eval mode."""
    outputs: list[tuple[str, nn.Module, Any]] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out, name=name, layer=layer: outputs.append((name, layer, out)))
        for name, layer in network.named_modules()
        if name
    ]
    was_training = network.training
    try:
        with torch.no_grad():
            logits = network.eval()(x)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    images = [(name, layer, out) for name, layer, out in outputs if isinstance(out, Tensor) and out.ndim == 4]
    by_resolution = {out.shape[2:]: (name, layer) for name, layer, out in images if out.shape[2:].numel() > 1}
    finest_first = sorted(by_resolution, key=lambda size: -size.numel())
    linear = [layer for _, layer, out in outputs if isinstance(layer, nn.Linear) and out.shape == logits.shape]
    return dict(by_resolution[size] for size in finest_first), linear[-1] if linear else None


def _keep_output(kept: dict[str, Tensor], name: str) -> Any:
    return lambda layer, given, out: kept.__setitem__(name, out)


def _keep_tokens(kept: dict[str, Tensor], name: str) -> Any:
    return lambda layer, given, out: kept.__setitem__(name, tokens_of(layer, out))


def _keep_input(kept: dict[str, Tensor], name: str) -> Any:
    return lambda layer, given, out: kept.__setitem__(name, given[0])


def matched(student: Seen, teacher: Seen) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of maps, the coarsest of both first, averaged down to the smaller resolution of the two."""
    for one, other in zip(reversed(student.maps), reversed(teacher.maps), strict=False):
        size = min(one.shape[2], other.shape[2]), min(one.shape[3], other.shape[3])
        yield _averaged(one, size), _averaged(other, size)


def _averaged(x: Tensor, size: tuple[int, int]) -> Tensor:
    return x if x.shape[2:] == size else nn.functional.adaptive_avg_pool2d(x, size)
