"""What the database knows of other devices, as tables of the features of a space."""

from collections.abc import Iterable

import numpy as np

from compress.measurement import Kind
from search.latency.device_prior import DeviceTable
from search.latency.predictors import LEAST
from search.state.records import DeviceLatency
from spaces.architecture import Architecture
from spaces.features import features, kind_of, kinds_of
from spaces.network import pieces
from spaces.space import SearchSpace


def device_tables(found: Iterable[DeviceLatency], space: SearchSpace, kind: Kind) -> list[DeviceTable]:
    """Devices that can teach a new one: at least 8 networks of kinds that the space has, all latencies of one kind (a
    simulated device teaches nothing about a real one)."""
    allowed = kinds_of(space)
    known: dict[tuple[str, str], list[tuple[np.ndarray, float]]] = {}
    for one in found:
        if one.kind != kind:
            continue
        try:
            arch = Architecture.from_json(one.architecture_json)
        except (ValueError, TypeError, KeyError):  # of a block that is not installed here, or was another then
            continue
        if {kind_of(piece) for _, piece in pieces(arch)} <= allowed:
            known.setdefault((one.hardware, one.fingerprint), []).append((features(arch), one.latency_ms))
    return [
        DeviceTable(hardware, np.stack([row for row, _ in pairs]), np.array([ms for _, ms in pairs]))
        for (hardware, _), pairs in known.items()
        if len(pairs) >= LEAST
    ]
