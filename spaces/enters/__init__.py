"""How a stage is entered: the layer that changes width and resolution, so that blocks can keep the shape."""

from collections.abc import Callable

from torch import nn

from spaces.registry import Registry

# (inputs, outputs, stride) -> module, (N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride))
ENTERS: Registry[Callable[[int, int, int], nn.Module]] = Registry("enter", "lathe.enters")

from spaces.enters import conv as conv  # noqa: E402  (each registers itself in ENTERS above)
from spaces.enters import spatial as spatial  # noqa: E402
from spaces.enters import stitch as stitch  # noqa: E402
