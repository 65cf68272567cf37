"""Which widths lose least, as measured: cut, fit what is left to what was, and ask about training images.

Source: Yang et al. 2018 (NetAdapt), arXiv:1804.03230, who try each narrower layer and train it briefly before they
compare. Here least squares takes the place of training (refit.py), and all groups move at once: the losses of a few
widths of each group around the present choice go into the knapsack.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from compress.context import Context
from compress.foreign import Description
from compress.prune import refit
from compress.prune.knapsack import Costs, alike, choose
from compress.prune.plan import Plan

IMAGES = 768  # asked for the loss; others than the fit sees, where there are as many
NEAR = 2  # widths tried on either side


@dataclass(frozen=True)
class Losses:
    """The cross-entropy of a plan's networks on training images, by widths; each is asked once."""

    plan: Plan
    context: Context
    target: refit.Target
    known: dict[tuple[int, ...], float] = field(default_factory=dict)

    @staticmethod
    def of(plan: Plan, context: Context) -> "Losses":
        """Cost: one pass of the whole network over the images of the fit."""
        return Losses(plan, context, refit.target(plan.whole, fitting_images(context)))

    def made(self, widths: Sequence[int]) -> tuple[Description, nn.Module]:
        """The network at these widths, fitted, not trained on."""
        arch, network, kept = self.plan.cut(widths)
        refit.refit(network, self.target, kept)
        return arch, network

    def __call__(self, widths: tuple[int, ...]) -> float:
        """Cost: a fit, and a pass over up to 768 images; nothing if it was asked before."""
        if widths not in self.known:
            if self.context.before_step:
                self.context.before_step()
            train, network = self.context.data.train, self.made(widths)[1]
            rows = slice(refit.IMAGES, refit.IMAGES + IMAGES) if len(train.y) > 2 * refit.IMAGES else slice(None)
            with torch.no_grad():
                parts = [network(self.context.data.normalise(x)) for x in train.x[rows].split(256)]
            self.known[widths] = float(cross_entropy(torch.cat(parts), train.y[rows]))
        return self.known[widths]


def fitting_images(context: Context) -> torch.Tensor:
    """(up to 320, C, H, W): normalised training images."""
    return context.data.normalise(context.data.train.x[: refit.IMAGES + refit.ASKED])


def least_loss(
    loss: Callable[[tuple[int, ...]], float],
    offered: Sequence[Sequence[int]],
    costs: Costs,
    budget_ms: float,
    start: tuple[int, ...] | None = None,
) -> tuple[int, ...]:
    """The widths of least loss that were found within `budget_ms`, or what comes nearest to it.

    offered: the widths of each group, ascending, the last of them all its units. start: where to look from if it is
    within the budget; otherwise from equal shares of all groups. Cost: up to 5 losses a group.
    """
    at = start if start and costs.total_ms(start) <= budget_ms else alike(offered, costs, budget_ms)
    tables = [
        {width: loss((*at[:group], width, *at[group + 1 :])) for width in _near(widths, at[group])}
        for group, widths in enumerate(offered)
    ]
    found = choose(tables, costs, budget_ms)
    return at if costs.total_ms(at) <= budget_ms and loss(at) <= loss(found) else found


def _near(widths: Sequence[int], at: int) -> Sequence[int]:
    place = widths.index(at)
    return widths[max(0, place - NEAR) : place + NEAR + 1]
