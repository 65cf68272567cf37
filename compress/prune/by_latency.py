"""Pruning to a latency: measure what every width costs and loses, choose widths, and try the result on the device.

The sum over parts says how widths compare; it leaves out what is between the parts. So the network that was chosen is
exported and measured beside the one it came from, and the budget is corrected until the share is the one asked for.
"""

from collections.abc import Sequence

from torch import nn

from compress.context import Context
from compress.export.screening import export_for_screening
from compress.foreign import Description
from compress.prune.knapsack import Costs, alike, options
from compress.prune.parts import Part
from compress.prune.plan import Plan
from compress.prune.staircase import LEAST, MeasureFiles, Staircase, measure_parts, widths_up_to
from compress.prune.widths import Losses, least_loss
from compress.recipe import StepError
from compress.scratch import scratch_folder
from spaces.tasks import Data

TRIES = 4
CLOSE = 0.04  # a share this little below the one asked for is not improved on


def prune_to_latency(network: nn.Module, plan: Plan, share: float, context: Context) -> tuple[Description, nn.Module]:
    """The network cut to about `share` of its latency on the context's device and fitted, not yet trained on.

    Raises: StepError: without a device, or if no choice of widths is faster. Cost: 0.1-0.3 s for each part at each of
    up to 16 widths of a group, unless it was measured before; and of up to four choices a second and up to
    five losses a group, 2 s each for 50 M MACs.
    """
    if context.measure is None:
        raise StepError("`latency` measures on a device, and there is none here. Give the context one, or use `ratio`.")
    if not plan.worths:
        raise StepError("there is nothing in this network that could be narrower.")
    costs, losses = measured_costs(plan, context.measure, context), Losses.of(plan, context)
    offered = [options(costs, group, len(worth)) for group, worth in enumerate(plan.worths)]
    whole_ms, full = measured(network, [], context.data, context.measure, context.formats)[0], sum(costs.parts_ms)
    tried: dict[tuple[int, ...], float] = {}
    widths, right = alike(offered, costs, full - (1 - share) * whole_ms), 1.0
    while widths not in tried:
        made = losses.made(widths)[1]
        before_ms, after_ms = measured(network, [made], context.data, context.measure, context.formats)
        tried[widths] = after_ms / before_ms
        close = share * (1 - CLOSE) <= tried[widths] <= share * (1 + LEAST)
        if len(tried) == TRIES or (close and len(tried) > 1):  # the first are equal shares, not yet chosen
            break
        foreseen = (full - costs.total_ms(widths)) / whole_ms
        right = max(1 - tried[widths], LEAST) / max(foreseen, LEAST)  # how much of what was foreseen is saved
        widths = least_loss(losses, offered, costs, full - (1 - share) / right * whole_ms, widths)
    if min(tried.values()) > 1 - LEAST:
        raise StepError(
            f"no choice of widths is faster on the device: the best takes {min(tried.values()):.2f} of the time. "
            "Leave `prune` out."
        )
    meets = [each for each, found in tried.items() if found <= share * (1 + LEAST)]
    return losses.made(min(meets, key=losses) if meets else min(tried, key=lambda each: tried[each]))


def measured_costs(plan: Plan, measure: MeasureFiles, context: Context) -> Costs:
    """The staircases of every part over the widths of every group that changes it."""
    whole = plan.parts({})
    widths = [widths_up_to(len(worth)) for worth in plan.worths]
    at: dict[tuple[int, int], list[Part]] = {}
    for group, of_group in enumerate(widths):
        columns = list(zip(*(plan.parts({group: width}) for width in of_group), strict=True))
        at |= {(part, group): list(column) for part, column in enumerate(columns) if set(column) != {whole[part]}}
    known = measure_parts(
        [part for column in at.values() for part in column],
        measure,
        context.parts_ms,
        lambda done: _tell(context, done),
        context.formats,
    )
    changing = sorted({part for part, _ in at})
    place = {part: i for i, part in enumerate(changing)}
    stairs = {
        (place[part], group): Staircase(widths[group], tuple(known[each] for each in column))
        for (part, group), column in at.items()
    }
    return Costs(tuple(known[whole[part]] for part in changing), stairs)


def measured(
    network: nn.Module,
    others: Sequence[nn.Module],
    data: Data,
    measure: MeasureFiles,
    formats: Sequence[str] = ("onnx",),
) -> list[float]:
    """Latencies in ms of whole networks, of one session each."""
    normalisation = data.mean, data.std
    with scratch_folder() as folder:
        files = [
            export_for_screening(each, normalisation, data.input_shape, folder / f"{i}.onnx", formats)
            for i, each in enumerate([network, *others])
        ]
        return [found.value for found in measure(files)]


def _tell(context: Context, done: float) -> None:
    if context.before_step:
        context.before_step()
    if context.progress:
        context.progress(done / 4, "measuring what each width costs")
