"""Latency of an architecture or a file on a device of the study, in a unit that holds for the whole study.

A shared machine changes its pace by up to 1.7 times between two sessions, while the ratio to a reference network that
is measured in the same rounds stays within about 2 %. So a latency here is that ratio times the reference's own quiet
latency, which is measured once a machine and kept: numbers of one study can be compared although hours lie between
them. What the clock said stays in `details["clock_ms"]`.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compress.artifact import sha256_of
from compress.devices import Device, fingerprint_of, formats_of
from compress.devices.sessions import measure_sessions
from compress.export.formats import digests, write_beside
from compress.export.normalised import exportable
from compress.export.onnx import trace
from compress.export.screening import export_for_screening
from compress.export.tidy import write_tidy
from compress.measurement import Measurement
from search.alone import fresh
from search.config.devices import kind_of
from search.hand_made import hand_made
from search.latency.block_files import network_files, woken
from search.latency.precision import FLOAT, INT8, NETWORK_METRICS, int8_file
from search.latency.reached import note_reached
from search.state.ledger import Ledger
from search.study import Study, architecture_record
from search.workplace import Workplace
from spaces.architecture import Architecture
from spaces.space import SearchSpace
from spaces.tasks import Data

ANCHOR = "reference_latency_ms"
ANCHOR_SESSIONS = 5
PREDICTED = (
    "predicted_ms",
    "predicted_low_ms",
    "predicted_high_ms",
)  # details of a network measured after a prediction
SCREENED, SHIPPED, DECIDING = 1, 3, 7  # sessions a file is measured in: while searching, before anything is said of
# it, and where that leaves open whether it keeps a limit
SCREENING, SHIPPING = "screening", "onnx"  # exporters: fast and within a few percent; and what ships


def measure_architecture(arch: Architecture, device: str, study: Study, exporter: str = SCREENING) -> Measurement:
    """Export with fresh weights (latency does not depend on them) in the study's precision, measure beside the
    reference, record.

    exporter: SCREENING or SHIPPING. Where nothing but a prediction was known, it goes into the measurement's details
    beside what the device says: that is how a study knows how good its predictor was. Raises: DeviceError, ExportError.
    """
    told = study.latency(arch, device)
    with tempfile.TemporaryDirectory(dir=study.folder) as folder:
        path = _export(arch, exporter, Path(folder) / "candidate.onnx", device, study)
        measurement = measure_file(path, device, study, metric=NETWORK_METRICS[study.config.search.screen])
    details = {k: v for k, v in measurement.details.items() if k not in PREDICTED} | {"exporter": exporter}
    if told is not None and told[3] == "predicted":
        details |= dict(zip(PREDICTED, told[:3], strict=True))
    measurement = replace(measurement, details=details)
    row = architecture_record(arch)
    study.ledger.add_architecture(row.id, row.json, row.params, row.macs, row.peak_bytes)
    study.ledger.record_measurements(study.id, arch.id, None, [measurement])
    study.measured[arch.id, device] = measurement
    study.exports += 1
    return measurement


def measure_file(
    path: Path, device: str, study: Workplace, sessions: int = SCREENED, metric: str = NETWORK_METRICS[FLOAT]
) -> Measurement:
    """Measure a file beside the reference, unless this very file was measured on this very device before, in as many
    sessions. One session of a network of 0.1 ms takes about 0.1 s; its interval admits that another would differ.

    What lies beside an ONNX file for engines that read none is part of "this very file"."""
    spec = study.config.devices[device]
    known = study.ledger.known_measurement(sha256_of(path), fingerprint_of(spec), metric, sessions)
    if known is not None and known.details.get("file", sha256_of(path)) in digests(path):
        return replace(known, device=device)
    anchor_ms = reference_latency_ms(device, study)
    (found,) = measure_sessions(spec, [path], reference_file(study), device, sessions)
    return replace(anchored(found, anchor_ms), metric=metric)


def anchored(found: Measurement, anchor_ms: float | None) -> Measurement:
    """The measurement as ratio to the reference times the reference's quiet latency; as it is without a ratio."""
    if anchor_ms is None or "ratio" not in found.details:
        return found
    ratio, low, high = (float(found.details[name]) for name in ("ratio", "ratio_low", "ratio_high"))
    details = {**found.details, "clock_ms": found.value}
    value, low, high = ratio * anchor_ms, min(low, ratio) * anchor_ms, max(high, ratio) * anchor_ms
    return replace(found, value=value, low=low, high=high, details=details)


def reference_latency_ms(device: str, study: Workplace) -> float | None:
    """The quiet latency of the study's reference network on a device; see `anchor_ms`."""
    return anchor_ms(study.config.devices[device], device, reference_file(study), study.ledger, study.id)


def anchor_ms(spec: Device, name: str, reference: Path, ledger: Ledger, study_id: int | None = None) -> float | None:
    """The quiet latency of a reference file on a device: the least of five sessions, measured once and kept in the
    database. None where the device does not compare with a reference."""
    known = ledger.known_measurement(sha256_of(reference), fingerprint_of(spec), ANCHOR)
    if known is None:
        describe_device(spec, name, ledger)
        sessions = [spec.measure([reference], reference, name)[0] for _ in range(ANCHOR_SESSIONS)]
        if not {"ratio", "reference_ms"} <= set(sessions[0].details):
            return None
        # not its value: a device of several engines runs the reference, beside which all is measured, in one of them
        quiet_ms = min(float(session.details["reference_ms"]) for session in sessions)
        known = replace(sessions[0], metric=ANCHOR, value=quiet_ms, low=quiet_ms, high=quiet_ms)
        ledger.record_measurements(study_id, None, None, [known])
    return known.value


def describe_device(spec: Device, name: str, ledger: Ledger) -> None:
    """Write what a device is, so that its measurements can point to it."""
    ledger.add_device(fingerprint_of(spec), name, kind_of(spec), spec.fingerprint())
    note_reached(spec, fingerprint_of(spec))


def reference_file(study: Workplace) -> Path:
    """The file that every measurement is made beside: the hand-made network of the space, exported once a run.
    `search compress` has laid its own there: the network as it was given."""
    path = study.folder / "reference.onnx"
    if not path.exists():
        assert isinstance(study, Study)
        export_reference(
            study.space, study.data, path, formats_of(*map(study.config.devices.__getitem__, study.devices))
        )
    return path


def export_reference(space: SearchSpace, data: Data, path: Path, formats: Sequence[str] = ("onnx",)) -> Path:
    """The hand-made network of a space, as it is screened: the same file in every study of the same space and data."""
    return export_screened(hand_made(space), data, path, formats)


def _export(arch: Architecture, exporter: str, path: Path, device: str, study: Study) -> Path:
    formats, screen = formats_of(study.config.devices[device]), study.config.search.screen
    if exporter == SCREENING:
        return export_screened(arch, study.data, path, formats, screen)
    network = woken(arch) if screen == INT8 else fresh(arch, 0).eval()
    whole = exportable(network, (study.data.mean, study.data.std), study.data.input_shape)
    if arch.id not in study.graphs:
        study.graphs[arch.id] = trace(whole, study.data.input_shape)
    plain = write_tidy(study.graphs[arch.id], path)
    if screen == INT8:
        return int8_file(plain, study.data.input_shape, path.with_suffix(".int8.onnx"))
    write_beside(whole, study.data.input_shape, path, formats)
    return plain


def export_screened(
    arch: Architecture, data: Data, path: Path, formats: Sequence[str] = ("onnx",), screen: str = FLOAT
) -> Path:
    """The file of an architecture with fresh weights, as networks are exported while searching, and of a float one what
    engines run that read no ONNX. Cost: 0.2 s, of the other formats 3 s and more; in int8 0.5 s."""
    if screen == INT8:
        return network_files(arch, (data.mean, data.std), (INT8,), path)[INT8]
    network = fresh(arch, 0).eval()
    return export_for_screening(network, (data.mean, data.std), data.input_shape, path, formats)
