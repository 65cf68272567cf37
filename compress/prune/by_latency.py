"""Pruning to a latency: measure what every width costs, choose widths, and try the result on the device.

The sum over parts says how widths compare; it leaves out what is between the parts. So the network that was chosen is
exported and measured beside the one it came from, and the budget is corrected until the share is the one asked for.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from compress.context import Context
from compress.export.screening import export_for_screening
from compress.foreign import Description
from compress.prune.knapsack import Costs, choose
from compress.prune.parts import Part
from compress.prune.plan import Plan
from compress.prune.staircase import LEAST, MeasureFiles, Staircase, measure_parts, widths_up_to
from compress.recipe import StepError
from spaces.tasks import Data

TRIES = 4
CLOSE = 0.03  # a share this little below the one asked for is not improved on


def prune_to_latency(network: nn.Module, plan: Plan, share: float, context: Context) -> tuple[Description, nn.Module]:
    """The network cut to about `share` of its latency on the context's device, not yet trained on.

    Raises: StepError: without a device, or if no choice of widths is faster. Cost: 0.1-0.3 s for each part at each of
    up to 16 widths of a group, unless it was measured before, and a second a try.
    """
    if context.measure is None:
        raise StepError("`latency` measures on a device, and there is none here. Give the context one, or use `ratio`.")
    if not plan.worths:
        raise StepError("there is nothing in this network that could be narrower.")
    costs = measured_costs(plan, context.measure, context)
    whole_ms, full = measured(network, [], context.data, context.measure, context.formats)[0], sum(costs.parts_ms)
    saved, tried = 1 - share, dict[tuple[int, ...], tuple[float, Description, nn.Module]]()
    for _ in range(TRIES):
        widths = choose(plan.worths, costs, full - saved * whole_ms)
        if widths in tried:
            break
        arch, made = plan.cut(widths)
        before_ms, after_ms = measured(network, [made], context.data, context.measure, context.formats)
        found = after_ms / before_ms
        tried[widths] = found, arch, made
        if share * (1 - CLOSE) <= found <= share * (1 + LEAST):
            break
        saved *= (1 - share) / max(1 - found, LEAST)
    found, arch, made = min(tried.values(), key=lambda each: _distance(each[0], share))
    if found > 1 - LEAST:
        raise StepError(
            f"no choice of widths is faster on the device: the best takes {found:.2f} of the time. Leave `prune` out."
        )
    return arch, made


def _distance(found: float, share: float) -> tuple[bool, float]:
    """What meets the share first, then what is nearest to it."""
    return found > share * (1 + LEAST), abs(found - share)


def measured_costs(plan: Plan, measure: MeasureFiles, context: Context) -> Costs:
    """The staircases of every part over the widths of every group that changes it."""
    whole = plan.parts({})
    widths = [widths_up_to(len(worth)) for worth in plan.worths]
    at: dict[tuple[int, int], list[Part]] = {}
    for group, options in enumerate(widths):
        columns = list(zip(*(plan.parts({group: width}) for width in options), strict=True))
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
    with tempfile.TemporaryDirectory(prefix="lathe-") as folder:
        files = [
            export_for_screening(each, normalisation, data.input_shape, Path(folder) / f"{i}.onnx", formats)
            for i, each in enumerate([network, *others])
        ]
        return [found.value for found in measure(files)]


def _tell(context: Context, done: float) -> None:
    if context.before_step:
        context.before_step()
    if context.progress:
        context.progress(done / 4, "measuring what each width costs")
