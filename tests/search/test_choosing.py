"""What may be shipped."""

from types import SimpleNamespace

import pytest

from compress.devices import fingerprint_of
from compress.measurement import Measurement, exact
from search.choosing import within_limits
from search.config.study import read_config
from search.state.records import VariantRecord
from tests.search.finished_study import TINY

DEVICES = "devices={formula: {kind: simulated}, slow: {kind: simulated, macs_per_us: 100}}"


@pytest.mark.parametrize(
    ("limits", "holds"),
    [
        ("latency_ms@formula: 2", True),
        ("latency_ms@slow: 2", False),
        ("latency_ms@slow: 6, latency_ms@formula: 2, params: 100", True),
        ("latency_ms@formula: 1.4", False),
        ("latency_ms@formula: 2, params: 99", False),
    ],
)
def test_a_limit_is_held_to_the_upper_end_of_the_latency_on_the_device_it_names(limits: str, holds: bool) -> None:
    config = read_config(TINY, [DEVICES, f"limits={{{limits}}}"])
    latencies = [
        # the database calls a device as the first study did
        Measurement("latency_ms", ms, "ms", ms, ms + 0.5, "simulated", device="x", fingerprint=fingerprint_of(device))
        for ms, device in zip((1.0, 5.0), config.devices.values(), strict=True)
    ]
    measurements = (*latencies, exact("params", 100, ""))
    record = VariantRecord("a" * 64, "winner", "train", {}, "float32", "start", measurements=measurements)
    assert within_limits(SimpleNamespace(config=config), record) is holds  # type: ignore[arg-type]
