"""MACs counted while a real network computes: the second opinion beside spaces.counts, which works on meta."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from spaces.blocks.skan import Selected
from spaces.layers import Rational

AN_ELEMENT = {Rational: 9, Selected: 4}
PRODUCTS = (torch.matmul, torch.bmm, Tensor.matmul, Tensor.__matmul__, Tensor.bmm)
NOT_COUNTED_HERE = (torch.einsum, torch.baddbmm, torch.addmm, torch.conv1d, torch.conv_transpose2d)


def executed_macs(network: nn.Module, x: Tensor) -> int:
    """Multiply-adds of convolutions, linear layers, products, attention; so many an element of learned functions."""
    products, elements = _Products(), []
    hooks = [
        layer.register_forward_hook(lambda layer, _, out: elements.append(AN_ELEMENT[type(layer)] * out.numel()))
        for layer in network.modules()
        if type(layer) in AN_ELEMENT
    ]
    with torch.no_grad(), products:
        network(x)
    for hook in hooks:
        hook.remove()
    return products.macs + sum(elements)


class _Products(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        assert func not in NOT_COUNTED_HERE, f"teach tests/contracts/arithmetic.py to count {func}"
        if func is torch.conv2d:
            self.macs += out.numel() * args[1][0].numel()  # the taps and inputs of one output channel
        elif func is linear:
            self.macs += out.numel() * args[1].shape[1]
        elif func is scaled_dot_product_attention:
            query, key = args[0], args[1]
            self.macs += 2 * query.numel() * key.shape[-2]  # query with keys, then weights with values
        elif func in PRODUCTS:
            self.macs += out.numel() * args[0].shape[-1]
        return out
