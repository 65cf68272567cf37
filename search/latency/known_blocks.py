"""What the database knows of a device's blocks, and of whole networks that were measured to correct them."""

from compress.measurement import Measurement
from search.latency.block_table import BlockTable, table_of
from search.latency.precision import FLOAT, INT8, NETWORK_METRICS
from search.state.ledger import Ledger
from spaces.architecture import Architecture
from spaces.features import kind_of, kinds_of
from spaces.network import pieces
from spaces.registry import UnknownName
from spaces.space import SearchSpace

BLOCK_METRICS = {FLOAT: "block_ms", INT8: "block_int8_ms"}  # of a piece, as often as details["copies"] says
MARK = "calibration"  # in the details of a network that was measured for no study


def known_blocks(ledger: Ledger, fingerprint: str, precision: str = FLOAT) -> BlockTable:
    """All blocks that were ever measured on the device of that fingerprint."""
    found = ledger.measurements(fingerprint=fingerprint, metric=BLOCK_METRICS[precision])
    return table_of(row.measurement for row in found)


def known_networks(
    ledger: Ledger, fingerprint: str, space: SearchSpace, precision: str = FLOAT
) -> list[tuple[Architecture, Measurement]]:
    """Networks of the space's kinds and images that calibration measured on the device. Their milliseconds compare
    with a study's where details["reference"] is the study's."""
    kinds, found = kinds_of(space), []
    for json, measurement in ledger.calibrated(fingerprint, NETWORK_METRICS[precision]):
        if MARK not in measurement.details:
            continue
        try:
            arch = Architecture.from_json(json)
        except (UnknownName, ValueError, TypeError, KeyError):  # of a block that is not installed, or was another then
            continue
        if arch.input_shape == space.input_shape and {kind_of(piece) for _, piece in pieces(arch)} <= kinds:
            found.append((arch, measurement))
    return found
