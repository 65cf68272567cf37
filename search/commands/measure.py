"""Commands that measure without a study: measure, bench."""

import json
from pathlib import Path
from typing import Annotated

import typer

from compress.scratch import scratch_folder
from search.commands.options import Json

bench = typer.Typer(help="How good measuring is on this machine.", no_args_is_help=True, rich_markup_mode=None)
Files = Annotated[
    list[Path],
    typer.Argument(help="ONNX files, or folders of `search export`; all are compared with the first."),
]
DeviceName = Annotated[str, typer.Option("--device", help="A saved device or a kind of device, see docs/reference.md.")]
Threads = Annotated[int, typer.Option("--threads", min=0, help="Threads of the engine (0: as the device says).")]


def measure(
    files: Files,
    device: DeviceName = "onnxruntime",
    threads: Threads = 0,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting of the device, e.g. host=192.168.0.7 (repeatable)."
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            "--shape", metavar="NAME=SIZES", help="Sizes an input leaves open, e.g. input=1x3x224x224 (repeatable)."
        ),
    ] = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="7 sessions of 60 rounds instead of 3 of 30.")] = False,
    as_json: Json = False,
) -> None:
    """Measure ONNX files: latency, memory, and which is faster. With intervals, or that it cannot be said."""
    from search.config.devices import device_named
    from search.latency import files as m
    from search.report.telling_files import files_text
    from search.watch import Watch

    settings = ({"threads": threads} if threads else {}) | ({"shapes": ",".join(shape)} if shape else {})
    chosen = m.with_settings(device_named(device, setting or []), **settings)
    watch = Watch()
    if warning := m.too_many_threads(chosen, device):
        watch.say(warning)
    models = [model for each in files for model in m.files_in(each)]
    with watch.stage("Measuring"):
        reports = m.measure_files(
            chosen, device, models, m.THOROUGH if thorough else m.USUAL, start=watch.expect, step=watch.advance
        )
    print(json.dumps(m.as_json(chosen, device, reports)) if as_json else files_text(chosen, reports))


@bench.command()
def aa(
    model: Annotated[
        Path | None, typer.Option("--model", help="ONNX file (default: a small residual network).")
    ] = None,
    load: Annotated[int, typer.Option("--load", min=0, help="Busy processes to start beside.")] = 0,
    repeats: Annotated[int, typer.Option("--repeats", min=2, help="How often each way measures.")] = 15,
    sessions: Annotated[int, typer.Option("--sessions", min=2, help="Sessions of this protocol.")] = 3,
    as_json: Json = False,
) -> None:
    """Measure a model against itself: the noise of this protocol beside that of plain means."""

    from search.errors import NotFound
    from search.latency import noise
    from search.latency.sample_network import sample_model
    from search.watch import Watch

    if model is not None and not model.is_file():
        raise NotFound(f"no file {model}.")
    watch = Watch()
    with scratch_folder() as folder, noise.busy_processes(load):
        path = model or sample_model(folder / "sample.onnx")
        with watch.stage("Measuring", repeats):
            found = noise.noise_of(path, sessions, repeats, watch.advance)
    met = found[0].sd <= noise.TARGET
    if as_json:
        print(json.dumps({"v": 1, "load": load, "repeats": repeats, "met": met, "noise": [vars(n) for n in found]}))
        return
    print(f"{'':<28}      sd    worst   calls   seconds")
    for n in found:
        print(f"{n.protocol:<28}{100 * n.sd:>7.2f} %{100 * n.worst:>7.2f} %{n.calls:>8}{n.seconds:>10.2f}")
    print(f"a model beside itself, {repeats} times; target {100 * noise.TARGET:g} %: {'met' if met else 'missed'}")


COMMANDS = (measure,)
