"""What every registered device promises: plausible numbers with intervals that hold on a second visit."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compress.devices import DEVICES, Device, fingerprint_of, formats_of
from compress.devices.faster import compare
from compress.export.screening import export_for_screening
from tests.compress.loopback import device_of_kind
from tests.compress.small_networks import INPUT_SHAPE, NORMALISATION, depthwise, plain

SLOW = {"executorch"}  # whose files take long to write


@pytest.fixture
def files(device: Device, tmp_path: Path) -> list[Path]:
    networks = [plain(), depthwise(), plain(width=64, depth=4)]
    formats = formats_of(device)
    return [
        export_for_screening(network, NORMALISATION, INPUT_SHAPE, tmp_path / f"{i}.onnx", formats)
        for i, network in enumerate(networks)
    ]


@pytest.fixture(params=[pytest.param(k, marks=pytest.mark.slow) if k in SLOW else k for k in DEVICES.names()])
def device(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """Every registered kind; what needs a machine at the other end finds this one there."""
    with device_of_kind(request.param, tmp_path_factory) as made:
        yield made


def test_a_second_visit_finds_the_same_order_and_about_the_same_ratio(
    device: Device, files: list[Path], record_property
) -> None:
    visits = [device.measure(files, files[0], "here") for _ in range(2)]
    for one, other in zip(*visits, strict=True):
        assert one.low <= one.value <= one.high
        assert (one.metric, one.unit, one.device) == ("latency_ms", "ms", "here")
        assert one.fingerprint == other.fingerprint == fingerprint_of(device)
        assert one.artifact == other.artifact
        first, second = float(one.details["ratio"]), float(other.details["ratio"])
        record_property("difference of two visits", abs(first / second - 1))
        assert 1 / 1.5 < first / second < 1.5  # loose: the machine that runs the tests may be busy
    for small, _, large in visits:
        assert small.value < large.value
    assert len({m.artifact for m in visits[0]}) == 3


def test_a_file_is_not_called_faster_or_slower_than_itself(device: Device, files: list[Path]) -> None:
    one, other = device.measure([files[0], files[0]], files[0], "here")
    if one.samples:
        found = compare(one, other)
        assert 1 / 1.2 < found.ratio < 1.2
    else:
        assert one.value == other.value


def test_a_fingerprint_is_plain_text_and_the_same_each_time(device: Device) -> None:
    first, second = device.fingerprint(), device.fingerprint()
    assert first == second == json.loads(json.dumps(first))
    assert all(isinstance(v, str) for v in first.values())
