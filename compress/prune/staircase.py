"""Channel staircases: what a layer costs on a device at each width, and which widths cost nothing extra.

A runtime computes channels in groups of its vector units, so latency goes up in steps: on an AVX-512 processor with
ONNX Runtime a 3 x 3 convolution costs the same for 36 to 48 channels, and 47 channels, which its layout does not take,
cost half as much again. Nothing of this is known here; it is measured. Source of the idea: Shen et al. 2021 (HALP),
arXiv:2110.10811, who look latencies up by the channels of each layer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compress.devices import Device
from compress.export.formats import copy_all
from compress.measurement import Measurement
from compress.prune.parts import Part, write_part
from compress.scratch import scratch_folder

LEAST = 0.02  # latencies closer than this are equal
MOST = 16  # widths measured of one dimension
BATCH = 24  # files in one call to the device

MeasureFiles = Callable[[Sequence[Path]], Sequence[Measurement]]  # latencies that compare with those of other calls


@dataclass(frozen=True)
class Staircase:
    """widths: ascending. latencies_ms: at each of them."""

    widths: tuple[int, ...]
    latencies_ms: tuple[float, ...]

    def __post_init__(self) -> None:
        if list(self.widths) != sorted(set(self.widths)) or len(self.widths) != len(self.latencies_ms):
            raise ValueError(f"`widths` must ascend, with one latency each, got {self.widths}.")

    def edges(self) -> tuple[int, ...]:
        """The widths that are worth having: no wider one is as fast, ascending. The widest always is."""
        kept, fastest = [], float("inf")
        for width, latency_ms in zip(reversed(self.widths), reversed(self.latencies_ms), strict=True):
            if latency_ms < fastest * (1 - LEAST):
                kept.append(width)
                fastest = latency_ms
        return tuple(reversed(kept))


def widths_up_to(units: int, most: int = MOST) -> tuple[int, ...]:
    """At most `most` widths, ascending: the multiples of a power of two that is large enough, and `units` itself."""
    step = 1
    while units > most * step:
        step *= 2
    return tuple(sorted({*range(step, units + 1, step), units}))


def staircase(
    at: Callable[[int], Part],
    widths: Sequence[int],
    measure: MeasureFiles,
    known: dict[Part, float] | None = None,
    formats: Sequence[str] = ("onnx",),
) -> Staircase:
    """The staircase of one part, `at(width)`, over these widths. known, formats: see `measure_parts`."""
    parts = {width: at(width) for width in sorted(set(widths))}
    found = measure_parts(parts.values(), measure, {} if known is None else known, formats=formats)
    return Staircase(tuple(parts), tuple(found[part] for part in parts.values()))


def measure_parts(
    parts: Iterable[Part],
    measure: MeasureFiles,
    known: dict[Part, float],
    before_batch: Callable[[float], None] = lambda share: None,
    formats: Sequence[str] = ("onnx",),
) -> Mapping[Part, float]:
    """Latencies in ms of parts; those in `known` are not measured again, what is measured is added to it.

    before_batch(share done): may raise to stop. formats: that the device's engines read.
    Raises: ExportError, DeviceError. Cost: 0.1-0.3 s a part.
    """
    left = [part for part in dict.fromkeys(parts) if part not in known]
    for start in range(0, len(left), BATCH):
        before_batch(start / len(left))
        batch = left[start : start + BATCH]
        with scratch_folder() as folder:
            found = measure([write_part(part, folder, formats) for part in batch])
        known.update((part, measurement.value) for part, measurement in zip(batch, found, strict=True))
    return known


def beside_first(device: Device, name: str, folder: Path) -> MeasureFiles:
    """A `measure` for a device without a study: all latencies are ratios to the first file ever given, times its own.

    The reference is kept in `folder`, so that latencies compare over calls although the machine changes its pace.
    """
    reference, reference_ms = folder / "reference.onnx", 0.0

    def measure(files: Sequence[Path]) -> Sequence[Measurement]:
        nonlocal reference_ms
        if not reference_ms:
            copy_all(files[0], reference)
            reference_ms = device.measure([reference], reference, name)[0].value
        return [scaled(found, reference_ms) for found in device.measure(files, reference, name)]

    return measure


def scaled(found: Measurement, reference_ms: float) -> Measurement:
    """The measurement as its ratio to the reference, times what the reference took when the machine was quiet."""
    from dataclasses import replace

    ratio, low, high = (float(found.details[key]) for key in ("ratio", "ratio_low", "ratio_high"))
    return replace(
        found,
        value=ratio * reference_ms,
        low=min(low, ratio) * reference_ms,
        high=max(high, ratio) * reference_ms,
    )
