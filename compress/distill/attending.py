"""Where a network attends: the layers whose output is that of attention, found by the names that libraries give."""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

INPUTS = ({"q", "k", "v"}, {"query", "key", "value"}, {"q_proj", "k_proj", "v_proj"}, {"qkv"})
OUTPUTS = ("project", "proj", "out_proj", "o_proj", "to_out", "out")


def attention_outputs(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """(name, layer) of each, in the order of the network.

    A module with layers for queries, keys and values attends; its output is its projection's, or its own where it has
    none. An nn.MultiheadAttention puts it out itself.
    """
    for name, module in network.named_modules():
        children = dict(module.named_children())
        if isinstance(module, nn.MultiheadAttention):
            yield name, module
        elif any(inputs <= children.keys() for inputs in INPUTS):
            last = next((child for child in OUTPUTS if child in children), None)
            yield (f"{name}.{last}" if name else last, children[last]) if last else (name, module)


def tokens_of(layer: nn.Module, output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """(N, positions, channels) of what such a layer put out."""
    x = output[0] if isinstance(output, tuple) else output
    if isinstance(layer, _ConvNd) or x.ndim == 4:
        return x.flatten(2).transpose(1, 2)
    if isinstance(layer, nn.MultiheadAttention) and not layer.batch_first:
        return x.transpose(0, 1)
    return x
