"""Structured pruning: order the units of every dimension by importance, then take the window of a smaller network.

Differs from DepGraph (Fang et al. 2023, arXiv:2301.12900): no graph is traced; shapes say what belongs together. A
network that is not built of our blocks goes through torch-pruning instead (foreign.py).
"""

from torch import Tensor, nn

from compress.foreign import Description, Foreign, foreign_of
from compress.prune import foreign, refit
from compress.prune.dimensions import axes, dimensions, ordered, shortened
from compress.prune.importance import importance, slopes_for
from compress.recipe import StepError
from spaces.architecture import Architecture
from spaces.tasks import Data
from spaces.windows import extract


def pruned(
    arch: Description,
    network: nn.Module,
    data: Data,
    ratio: float,
    width: bool = False,
    multiple: int = 1,
    kind: str = "magnitude",
) -> tuple[Description, nn.Module]:
    """A copy without `ratio` of its hidden units, fitted to what it did before by least squares, not trained on.

    width: the stages' widths are shortened too; multiple: hidden channels stay one of it; kind: of importance.
    Raises: StepError: if nothing can be removed. Cost: the importance's and the fit's, 1-2 s more for a user's network.
    """
    images = data.normalise(data.train.x[: refit.IMAGES + refit.ASKED])
    if isinstance(arch, Foreign):
        made, kept = foreign.prune_foreign(network, data, ratio, multiple, kind)
        refit.refit(made, refit.target(network, images), kept)
        return foreign_of(made, arch.source, arch.input_shape, arch.classes), made
    slopes = slopes_for(kind, network, data)
    smaller, tensors = prune(arch, dict(network.state_dict()), ratio, width, multiple, kind, slopes)
    if smaller == arch:
        raise StepError(f"a ratio of {ratio:g} removes nothing from this network. Raise `ratio`, or lower `multiple`.")
    made = extract(tensors, smaller)
    refit.refit(made, refit.target(extract(tensors, arch), images), {})
    return smaller, made


def prune(
    arch: Architecture,
    tensors: dict[str, Tensor],
    ratio: float,
    width: bool = False,
    multiple: int = 1,
    kind: str = "magnitude",
    slopes: dict[str, Tensor] | None = None,
) -> tuple[Architecture, dict[str, Tensor]]:
    """The shortened architecture, and the tensors of the full one reordered so that its windows keep what matters.

    kind: of importance; slopes: of it, see `slopes_for`.
    Returns what `extract` takes. Cost: a few milliseconds.
    """
    smaller = arch
    for dimension in dimensions(arch):
        if dimension.units < 2 or (dimension.block < 0 and not width):
            continue
        found = axes(arch, dimension)
        order = importance(tensors, found, dimension.units, kind, slopes).argsort(descending=True, stable=True)
        tensors = ordered(tensors, found, order)
        if slopes is not None:
            slopes = ordered(slopes, tuple(axis for axis in found if axis.tensor in slopes), order)
        kept = kept_units(dimension.units, ratio, multiple if dimension.name == "hidden" else 1)
        smaller = shortened(smaller, dimension, kept)
    return smaller, tensors


def kept_units(units: int, ratio: float, multiple: int) -> int:
    """Units that stay: the rest of `ratio`, rounded to a multiple where there are that many, at least one."""
    wanted = units * (1 - ratio)
    rounded = round(wanted / multiple) * multiple if units > multiple else round(wanted)
    return min(units, max(1, multiple if units > multiple else 1, rounded))
