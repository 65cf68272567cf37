"""Teaching Lathe a device before any study: each block of a space timed once, and some whole networks to correct them.

What was measured is kept in the database and never measured again, by whatever study: stopped, it goes on.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from compress.devices import Device, fingerprint_of, formats_of
from compress.devices.simulated import Simulated
from compress.measurement import Measurement
from compress.scratch import scratch_folder
from search.latency.block_files import block_files, copies_of, network_files
from search.latency.block_table import fit_blocks
from search.latency.device_prior import DeviceTable
from search.latency.known_blocks import BLOCK_METRICS, MARK, known_blocks, known_networks
from search.latency.known_devices import device_tables
from search.latency.measuring import anchor_ms, anchored, export_reference
from search.latency.precision import FLOAT, NETWORK_METRICS
from search.latency.sample_network import sample_model
from search.latency.transfer import choose
from search.state.ledger import Ledger
from search.study import architecture_record
from search.watch import Watch, duration
from spaces.architecture import Architecture
from spaces.features import features
from spaces.placements import Placement, placements
from spaces.space import SearchSpace, sample
from spaces.tasks import Data

TOGETHER = 6  # pieces in one session: the reference is timed once for all of them
NETWORKS = 16
DRAWN = 20  # random networks for each that is measured


@dataclass(frozen=True)
class Place:
    """Where and for what a device is calibrated."""

    device: Device
    name: str
    space: SearchSpace
    data: Data
    ledger: Ledger
    precisions: Sequence[str] = (FLOAT,)

    @property
    def fingerprint(self) -> str:
        """Under which the database knows the device."""
        return fingerprint_of(self.device)


@dataclass(frozen=True)
class Fit:
    """How well blocks foresee whole networks: each of `networks` predicted from the others, the shares within 5 and
    10 %, and half the width of the 90 % interval for a new one, in logs."""

    precision: str
    blocks: int
    networks: int
    within_5: float
    within_10: float
    half: float


def calibrate_device(place: Place, networks: int, watch: Watch) -> list[Fit]:
    """Measure what is missing of the space's blocks and of so many random networks; say how well they agree.

    Fewer than 8 networks correct nothing, and there is no Fit. Raises: DeviceError, ExportError; Interrupted at a safe
    point. Cost: 0.3 s a block and 0.5 s a network and precision on a CPU.
    """
    missing = missing_blocks(place), missing_networks(place, networks)
    if any(missing):
        with scratch_folder() as folder, watch.stage("calibrate"):
            _measure_all(place, *missing, folder, watch)
    return [fit for precision in place.precisions if (fit := fit_of(place, precision)) is not None]


def missing_blocks(place: Place) -> list[Placement]:
    """Placements of the space that are not known in every precision, in a fixed random order: if it is stopped early,
    the first hundred are as good a guess as any."""
    known = [known_blocks(place.ledger, place.fingerprint, precision).ms for precision in place.precisions]
    wanted = [placed for placed in placements(place.space) if not all(placed.key in ms for ms in known)]
    return random.Random(0).sample(wanted, len(wanted))


def missing_networks(place: Place, count: int) -> list[Architecture]:
    """What is left to measure of `count` random networks of the space, in every precision. Where other devices are
    known, they are those of many random ones that leave the least uncertainty about all: see `transfer.choose`."""
    rng = random.Random("calibration")
    drawn = {arch.id: arch for arch in (sample(place.space, rng) for _ in range(DRAWN * count))}
    known = set(drawn)
    for precision in place.precisions:
        known &= {arch.id for arch, _ in known_networks(place.ledger, place.fingerprint, place.space, precision)}
    wanted = list(drawn.values())
    if others := _others(place):
        wanted = [wanted[i] for i in choose(others, np.stack([features(arch) for arch in wanted]), count)]
    return [arch for arch in wanted[:count] if arch.id not in known][: max(0, count - len(known))]


def _others(place: Place) -> list[DeviceTable]:
    """What the database knows of other devices."""
    kind = "simulated" if isinstance(place.device, Simulated) else "measured"
    return device_tables(place.ledger.latencies_elsewhere(place.fingerprint), place.space, kind)


def fit_of(place: Place, precision: str) -> Fit | None:
    """How well the blocks that are known foresee the networks that are known."""
    table = known_blocks(place.ledger, place.fingerprint, precision)
    pairs = [
        (row, m.value)
        for arch, m in known_networks(place.ledger, place.fingerprint, place.space, precision)
        if (row := table.row(place.space, arch)) is not None
    ]
    model = fit_blocks([row for row, _ in pairs], [ms for _, ms in pairs])
    if model is None:
        return None
    errors = np.abs(np.expm1(-model.residuals))
    blocks = sum(placed.key in table.ms for placed in placements(place.space))
    return Fit(precision, blocks, len(pairs), float((errors <= 0.05).mean()), float((errors <= 0.1).mean()), model.half)


def _measure_all(
    place: Place, blocks: Sequence[Placement], archs: Sequence[Architecture], folder: Path, watch: Watch
) -> None:
    """Blocks, then networks; once the engine is warm, the first step of each says how long the rest will take."""
    for reference in (_beside_blocks(place, folder), _beside_networks(place, folder)):
        watch.check()
        anchor_ms(place.device, place.name, reference, place.ledger)  # also loads what the engine loads late
    groups = [blocks[i : i + TOGETHER] for i in range(0, len(blocks), TOGETHER)]
    kinds: list[list[Callable[[], None]]] = [
        [partial(_measure_blocks, place, group, folder) for group in groups],
        [partial(_measure_network, place, arch, folder) for arch in archs],
    ]
    work = [(_timed(steps[0], watch), steps) for steps in kinds if steps]
    total, done = sum(seconds * len(steps) for seconds, steps in work), sum(seconds for seconds, _ in work)
    watch.expect(total, total)
    watch.say(
        f"{place.name}: {len(blocks)} blocks and {len(archs)} networks to measure, about {duration(total)} in all."
    )
    for seconds, steps in work:
        for step in steps[1:]:
            watch.check()
            step()
            done += seconds
            watch.advance(done, f"about {duration(total)} in all")


def _timed(step: Callable[[], None], watch: Watch) -> float:
    watch.check()
    began = time.monotonic()
    step()
    return time.monotonic() - began


def _measure_blocks(place: Place, group: Sequence[Placement], folder: Path) -> None:
    reference = _beside_blocks(place, folder)
    anchor = anchor_ms(place.device, place.name, reference, place.ledger)
    told = [
        _as(anchored(m, anchor), BLOCK_METRICS[precision], block=placed.key, copies=copies_of(placed))
        for placed, precision, m in measure_blocks(place.device, place.name, group, place.precisions, reference, folder)
    ]
    place.ledger.record_measurements(None, None, None, told)


def measure_blocks(
    device: Device, name: str, group: Sequence[Placement], precisions: Sequence[str], reference: Path, folder: Path
) -> list[tuple[Placement, str, Measurement]]:
    """One session of all files of some placements: each file has its piece `copies_of` times."""
    files = [
        (placed, precision, file)
        for i, placed in enumerate(group)
        for precision, file in block_files(placed, precisions, folder / f"block{i}", formats_of(device)).items()
    ]
    found = device.measure([file for _, _, file in files], reference, name)
    return [(placed, precision, m) for (placed, precision, _), m in zip(files, found, strict=True)]


def _measure_network(place: Place, arch: Architecture, folder: Path) -> None:
    reference = _beside_networks(place, folder)
    anchor = anchor_ms(place.device, place.name, reference, place.ledger)
    normalisation, formats = (place.data.mean, place.data.std), formats_of(place.device)
    files = network_files(arch, normalisation, place.precisions, folder / "network", formats)
    found = place.device.measure(list(files.values()), reference, place.name)
    row = architecture_record(arch)
    place.ledger.add_architecture(row.id, row.json, row.params, row.macs, row.peak_bytes)
    told = [_as(anchored(m, anchor), NETWORK_METRICS[p], **{MARK: 1}) for m, p in zip(found, files, strict=True)]
    place.ledger.record_measurements(None, arch.id, None, told)


def _beside_blocks(place: Place, folder: Path) -> Path:
    """The same network in every space, so that blocks measured for different spaces compare."""
    path = folder / "beside_blocks.onnx"
    return path if path.exists() else sample_model(path, formats_of(place.device))


def _beside_networks(place: Place, folder: Path) -> Path:
    """What a study of this space measures beside, so that it can use the milliseconds."""
    path = folder / "beside_networks.onnx"
    return path if path.exists() else export_reference(place.space, place.data, path, formats_of(place.device))


def _as(found: Measurement, metric: str, **details: int | str) -> Measurement:
    return replace(found, metric=metric, details={**found.details, **details})
