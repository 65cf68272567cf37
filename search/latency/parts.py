"""Latencies of many small files that a step asks for while it works, such as a layer at each of its widths."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compress.artifact import sha256_of
from compress.devices import fingerprint_of
from compress.measurement import Measurement
from search.latency.measuring import anchored, describe_device, reference_file, reference_latency_ms
from search.latency.reach import when_reachable
from search.workplace import Workplace

PART = "part_latency_ms"  # a metric of its own: these files are no networks


def measure_parts(files: Sequence[Path], device: str, study: Workplace) -> list[Measurement]:
    """One session of all files in the same rounds, in the unit of the study; what any study has measured of the same
    bytes on the same device is taken from the database, and what is new goes there. Raises: DeviceError."""
    spec, digests = study.config.devices[device], [sha256_of(path) for path in files]
    known = {digest: study.ledger.known_measurement(digest, fingerprint_of(spec), PART) for digest in set(digests)}
    new = [path for path, digest in zip(files, digests, strict=True) if known[digest] is None]
    if new:
        anchor_ms = when_reachable(study, device, lambda: reference_latency_ms(device, study))
        found = when_reachable(study, device, lambda: spec.measure(new, reference_file(study), device))
        measured = [replace(anchored(each, anchor_ms), metric=PART) for each in found]
        describe_device(spec, device, study.ledger)
        study.ledger.record_measurements(study.id, None, None, measured)
        known |= {sha256_of(path): each for path, each in zip(new, measured, strict=True)}
    return [replace(measurement, device=device) for digest in digests if (measurement := known[digest]) is not None]
