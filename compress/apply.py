"""Running a recipe: each step's file is evaluated and measured, and kept only if it is worth keeping."""

import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from compress.context import Context
from compress.distill.assistant import Assistant
from compress.evaluate import NotFinite, Quality, accuracy_drop, evaluate_file
from compress.export import ExportError
from compress.export.normalised import exportable
from compress.export.onnx import trace
from compress.export.pte import DELEGATED, delegation, describe_delegation
from compress.export.pte import answers as answers_of_program
from compress.export.refill import refilled
from compress.export.session import describe_fusion
from compress.export.tidy import write_tidy
from compress.measurement import Measurement
from compress.onnx_file import OnnxFile, normalised_file
from compress.other_formats import expected_int8, what_ran, write_others
from compress.quantize import QuantizeError
from compress.quantize.agreement import Agreement, agreement
from compress.recipe import Step, StepError, acts_on_file
from compress.runtimes import runtime_of
from compress.train import NonFiniteLoss
from compress.variant import Variant
from spaces.counts import Counts

NOISE = 0.02  # two latencies closer than this are equal: measurements of fresh sessions differ by about as much
COMPARED = 32  # validation images on which an int8 file is compared with what it should answer

Measure = Callable[[Path], Measurement]


@dataclass(frozen=True)
class Findings:
    """What the file of a variant is worth: quality on the validation images, latency, bytes, and exact counts.

    path: the ONNX file, which stands for the variant. ran: what was evaluated and measured, which is another file where
    the engine reads no ONNX. graph: of an int8 file, what its runtime makes of it (`graph_report`); of a program of
    ExecuTorch, what is delegated. agreement: of an int8 file, with the answers that it should give.
    """

    path: Path
    quality: Quality
    latency: Measurement
    size_bytes: int
    counts: Counts
    graph: Mapping[str, int | float] | None = None
    agreement: Agreement | None = None
    ran: Path | None = None


@dataclass(frozen=True)
class Attempt:
    """A step that was tried: what came out, and whether it is kept. `variant` is None if it could not be taken.

    assistant: who taught in it, where that was not the context's teacher.
    """

    step: str
    config: Mapping[str, Any]
    variant: Variant | None
    findings: Findings | None
    verdict: str
    reason: str
    seconds: float
    assistant: Assistant | None = None


@dataclass(frozen=True)
class Budget:
    """max_drop: points of accuracy against the best variant of the chain so far. limits: by name, of params, macs,
    peak_bytes, size_bytes and latency_ms (on the one device that measures here). each: every step is judged; else only
    the last one is, against the start, and what comes before it is kept whatever it costs."""

    max_drop: float
    limits: Mapping[str, float]
    each: bool = True


def file_of(variant: Variant, context: Context) -> Path:
    """The exported file of a variant, made once: the float ONNX file, quantized where the variant says so; beside it
    what engines run that read no ONNX.

    A graph is exported once an architecture; other weights are filled into it.
    """
    network, quantization = variant.network, variant.quantization
    float_path = _once(network, None, context, lambda path: _write_float(variant, context, path))
    if quantization is not None:
        write = quantization.write
        path = _once(network, quantization, context, lambda path: write(network, float_path, context, path))
    else:
        path = float_path
    if path not in context.complete:
        write_others(variant, context, path)
        context.complete.add(path)
    return path


def _once(network: nn.Module, quantization: Any, context: Context, make: Callable[[Path], Path]) -> Path:
    """The context keeps the network beside its file: a freed network's id would be given to another one."""
    known = context.files.get((id(network), quantization))
    if known is not None:
        return known[1]
    path = make(context.folder / f"{uuid.uuid4().hex}.{'int8' if quantization else 'float32'}.onnx")
    context.files[id(network), quantization] = network, path
    return path


def _write_float(variant: Variant, context: Context, path: Path) -> Path:
    data = context.data
    if isinstance(variant.network, OnnxFile):
        return write_tidy(normalised_file(variant.network.path, (data.mean, data.std), data.input_shape), path)
    whole = exportable(variant.network, (data.mean, data.std), data.input_shape)
    template = context.graphs.get(variant.arch.id)
    if template is None:
        template = context.graphs[variant.arch.id] = trace(whole, data.input_shape)
    try:
        model = refilled(template, whole)
    except ExportError:  # the exporter made a constant of a tensor
        model = trace(whole, data.input_shape)
    return write_tidy(model, path)


def find(variant: Variant, context: Context, measure: Measure) -> Findings:
    """Export, evaluate through the file and measure it."""
    path = file_of(variant, context)
    latency = measure(path)
    ran = what_ran(path, latency)
    quality = evaluate_file(ran, context.data.validation, runtime_of(variant.quantization).format)
    graph, same = _beneath(variant, context, path, ran)
    return Findings(path, quality, latency, ran.stat().st_size, variant.counts, graph, same, ran)


def _beneath(
    variant: Variant, context: Context, path: Path, ran: Path
) -> tuple[Mapping[str, int | float] | None, Agreement | None]:
    """What the engine makes of the file that it runs, and how an int8 one answers beside what it should answer."""
    x = context.data.validation.x[:COMPARED].float().numpy()
    if ran.suffix == ".pte":
        graph = delegation(ran)
        if variant.quantization is None:
            return graph, None
        return graph, agreement(ran, expected_int8(variant, context, x), answers_of_program(ran, x))
    if variant.quantization is None:
        return None, None
    expected = variant.quantization.expected(variant.network, context, path, x)
    runtime = runtime_of(variant.quantization)
    return runtime.report(path), agreement(path, expected, runtime.answers(path, x))


def apply(
    recipe: Sequence[tuple[str, Step]],
    variant: Variant,
    kept: Sequence[Findings],
    context: Context,
    measure: Measure,
    budget: Budget,
) -> Iterator[Attempt]:
    """Try the steps in order, each on the last variant that was kept; yields every attempt.

    variant, kept: where the chain is, and the findings of all that it kept on the way there, the last one's at the end.
    A result is kept if it breaks no limit and no budget and nothing already there beats it on accuracy, latency and
    size together.
    """
    kept = list(kept)
    for number, (name, step) in enumerate(recipe, 1):
        if budget.each:
            attempt = take(name, step, variant, context, measure, lambda found: judge(kept, found, budget))
        elif number < len(recipe):
            attempt = take(name, step, variant, context, measure, lambda found: on_the_way(kept[-1], found))
        else:
            attempt = take(name, step, variant, context, measure, lambda found: judge(kept[:1], found, budget))
        yield attempt
        if attempt.verdict == "accepted" and attempt.variant is not None and attempt.findings is not None:
            variant = attempt.variant
            kept.append(attempt.findings)


def take(
    name: str,
    step: Step,
    variant: Variant,
    context: Context,
    measure: Measure,
    verdict_on: Callable[[Findings], tuple[str, str]],
) -> Attempt:
    """Try one step on a variant: its file is exported, evaluated, measured and judged. What cannot be taken is
    rejected, with what the step said."""
    began = time.monotonic()
    try:
        if isinstance(variant.network, OnnxFile) and not acts_on_file(step):
            raise StepError(f"{name} needs a PyTorch network; of this one there is only an ONNX file.")
        changed = step(variant, context)
        found = find(changed, context, measure)
    except (StepError, ExportError, QuantizeError, NonFiniteLoss, NotFinite) as error:
        return Attempt(name, asdict(step), None, None, "rejected", str(error), time.monotonic() - began)  # type: ignore[call-overload]
    verdict, reason = verdict_on(found)
    assistant = changed.assistant if changed.assistant is not variant.assistant else None
    if assistant:
        reason = f"{reason}; {assistant.describe()}"
    return Attempt(name, asdict(step), changed, found, verdict, reason, time.monotonic() - began, assistant)  # type: ignore[call-overload]


def on_the_way(before: Findings, found: Findings) -> tuple[str, str]:
    """The verdict on a step that is not the last of a recipe that is judged at its end."""
    drop, low, high = accuracy_drop(before.quality, found.quality)
    return "accepted", f"on the way: {_gain(drop, low, high)}; {describe_change(before, found)}"


def _gain(drop: float, low: float, high: float) -> str:
    """A drop of accuracy with its interval as what was gained; nothing is +0.00, not -0.00."""
    gain, least, most = (f"{round(-each, 2) + 0.0:+.2f}" for each in (drop, high, low))
    return f"accuracy {gain} points [{least}, {most}]"


def judge(kept: Sequence[Findings], found: Findings, budget: Budget) -> tuple[str, str]:
    """("accepted" | "rejected", why). The accuracy is paired with the best that was kept, on the same images.

    A limit that is broken already (a float file too large or too slow, on its way to int8) must only not get worse, a
    latency by its whole interval; what is shipped meets them all. A loss of accuracy is within the budget if its
    interval is, or if the interval holds the budget and the loss itself is within it: a few hundred images cannot
    decide a fraction of a point, and the reason says so.
    """
    change = describe_change(kept[-1], found)
    before = values_of(kept[-1])
    for name, value in values_of(found).items():
        limit = budget.limits.get(name, math.inf)
        surely = found.latency.low if name == "latency_ms" and before[name] > limit else value
        if surely > max(limit, before[name] * (1 + NOISE)):
            return "rejected", f"breaks the limit {name} <= {limit:g} with {value:g}; {change}"
    best = max(kept, key=lambda findings: findings.quality.accuracy)
    drop, low, high = accuracy_drop(best.quality, found.quality)
    about = _gain(drop, low, high)
    if drop > budget.max_drop:
        sure = "" if low > budget.max_drop else f" ({found.quality.n} examples leave it open)"
        return "rejected", f"{about} is below the budget of {-budget.max_drop:+g}{sure}; {change}"
    if any(beats(other, found) for other in kept):
        return "rejected", f"no more accurate, faster or smaller than what is there; {change}"
    unsure = "" if high <= budget.max_drop else f" ({found.quality.n} examples cannot exclude more than the budget)"
    return "accepted", f"{about}{unsure}; {change}"


def beats(one: Findings, other: Findings) -> bool:
    """True if `one` is at least as accurate, as fast (within the noise) and as small, and one of them clearly."""
    latency, other_latency = one.latency.value, other.latency.value
    if one.quality.accuracy < other.quality.accuracy or one.size_bytes > other.size_bytes:
        return False
    if latency > other_latency * (1 + NOISE):
        return False
    return (
        one.quality.accuracy > other.quality.accuracy
        or one.size_bytes < other.size_bytes
        or latency < other_latency * (1 - NOISE)
    )


def values_of(findings: Findings) -> dict[str, float]:
    """What limits speak of, by name; of the latency the upper end of its interval, since a limit must hold."""
    counts = findings.counts
    return {
        "params": counts.params,
        "macs": counts.macs,
        "peak_bytes": counts.peak_bytes,
        "size_bytes": findings.size_bytes,
        "latency_ms": findings.latency.high,
    }


def describe_change(before: Findings, after: Findings) -> str:
    """Speed and size against what was there: "1.24x faster, 0.31x the size"; what an int8 file fuses, and how far its
    answers are from what they should be."""
    speed = before.latency.value / after.latency.value
    pace = f"{speed:.2f}x faster" if speed > 1 else f"{1 / speed:.2f}x slower"
    pace = "as fast" if abs(speed - 1) < NOISE else pace
    fused = f", {_describe_graph(after.graph)}" if after.graph else ""
    steps = f", answers within {after.agreement.steps:.2g} LSB of the simulation" if after.agreement else ""
    return f"{pace}, {after.size_bytes / before.size_bytes:.2f}x the size{fused}{steps}"


def _describe_graph(report: Mapping[str, int | float]) -> str:
    return describe_delegation(report) if DELEGATED in report else describe_fusion(report)
