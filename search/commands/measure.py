"""Commands that measure files without a study: measure."""

import json
from pathlib import Path
from typing import Annotated

import typer

from search.commands.options import Json

Files = Annotated[list[Path], typer.Argument(help="ONNX files; the others are compared with the first.")]
DeviceName = Annotated[str, typer.Option("--device", help="A kind of device, or the name of a saved one.")]
Threads = Annotated[int, typer.Option("--threads", min=0, help="Threads of the engine (0: as the device says).")]


def measure(
    files: Files,
    device: DeviceName = "onnxruntime",
    threads: Threads = 0,
    shape: Annotated[
        list[str] | None, typer.Option("--shape", help="Sizes an input leaves open, e.g. input=1x3x224x224.")
    ] = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="7 sessions of 60 rounds instead of 3 of 30.")] = False,
    as_json: Json = False,
) -> None:
    """Measure ONNX files: latency with its interval, memory, and which is faster if that can be said."""
    from search import measuring_files as m
    from search.telling_files import files_text
    from search.watch import Watch

    settings = ({"threads": threads} if threads else {}) | ({"shapes": ",".join(shape)} if shape else {})
    chosen = m.with_settings(m.device_of_kind(device), **settings)
    watch = Watch()
    with watch.stage("Measuring"):
        reports = m.measure_files(
            chosen, device, files, m.THOROUGH if thorough else m.USUAL, start=watch.expect, step=watch.advance
        )
    print(json.dumps(m.as_json(chosen, device, reports)) if as_json else files_text(chosen, reports))


COMMANDS = (measure,)
