"""device calibrate: what the blocks of a space take on a device, before any study."""

import json
from pathlib import Path
from typing import Annotated

import typer

from search.commands.develop import Overrides, explained
from search.commands.options import DEFAULT_DB, Db, Json
from search.errors import Interrupted


def calibrate(
    name: Annotated[str, typer.Argument(help="A device of the space file, a saved one or a kind.")],
    space: Annotated[Path, typer.Option("--space", help="Space file whose blocks are measured.")],
    override: Overrides = None,
    networks: Annotated[int, typer.Option("--networks", min=8, help="Whole networks to correct the blocks by.")] = 16,
    int8: Annotated[bool, typer.Option("--int8", help="Everything quantized too; nearly twice the time.")] = False,
    db: Db = DEFAULT_DB,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    as_json: Json = False,
) -> None:
    """Measure each block of a space once, and a few whole networks, so that studies foresee latencies there.

    What is measured is kept for every study. Stopped, the same command goes on; another space adds its own blocks.
    """
    with explained():
        from search.config.devices import device_named
        from search.config.study import read_config
        from search.latency.calibrate_device import Place, calibrate_device
        from search.latency.precision import FLOAT, INT8
        from search.report.telling_calibration import fits_text
        from search.state.ledger import Ledger
        from search.watch import Watch

        config = read_config(space, override or [])
        device = config.devices[name] if name in config.devices else device_named(name)
        data, watch = config.task.load(), Watch(quiet=quiet)
        precisions = (FLOAT, INT8) if int8 else (FLOAT,)
        with Ledger.open(db) as ledger, watch.interruptible():
            place = Place(device, name, config.space(data), data, ledger, precisions)
            try:
                fits = calibrate_device(place, networks, watch)
            except Interrupted as stop:
                raise Interrupted("stopped; what was measured is kept, and the same command goes on.") from stop
        print(
            json.dumps({"v": 1, "device": name, "fits": [vars(f) for f in fits]}) if as_json else fits_text(name, fits)
        )
