"""The command that says which widths cost nothing extra on a device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.commands.measure import DeviceName
from search.commands.options import Json

if TYPE_CHECKING:
    from search.latency.widths import Found

KINDS = ("conv", "depthwise", "linear")
OF_LAYER, OF_DEVICE = ("layer", "kernel", "size", "upto", "step"), ("device", "setting")


def widths(
    ctx: typer.Context,
    space: Annotated[
        Path | None,
        typer.Argument(help="A space file: its stages, on its first device or --device.", show_default=False),
    ] = None,
    layer: Annotated[str, typer.Option("--layer", help="Without a space: conv, depthwise or linear.")] = "conv",
    kernel: Annotated[int, typer.Option("--kernel", min=1, help="Of the layer.")] = 3,
    size: Annotated[int, typer.Option("--size", min=1, help="Height and width of what reaches the layer.")] = 16,
    upto: Annotated[int, typer.Option("--upto", min=1, help="The widest.")] = 64,
    step: Annotated[int, typer.Option("--step", min=0, help="Every so many widths (0: 32 widths at most).")] = 0,
    device: DeviceName = "onnxruntime",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting of the device, e.g. host=192.168.0.7 (repeatable)."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure what each width costs on a device. Says which are worth offering: no wider one is as fast."""
    from search.config.devices import device_named
    from search.config.study import read_config
    from search.errors import UsageError
    from search.latency.widths import widths_of_layer, widths_of_space
    from search.watch import Watch

    if layer not in KINDS:
        raise UsageError(f"`--layer` must be one of {', '.join(KINDS)}, got {layer!r}.")
    said = [name for name in (*OF_LAYER, *OF_DEVICE) if _is_said(ctx, name)]
    own = [name for name in said if name in OF_LAYER]
    if space is not None and own:
        raise UsageError(f"--{own[0]} is of a single layer, and the stages of {space} say their own. Leave one away.")
    if step > upto:
        raise UsageError(f"`--step` must be at most `--upto` ({upto}), got {step}: there would be no width.")
    watch = Watch()
    with watch.stage("Measuring"):
        if space is None:
            chosen = device_named(device, setting or [])
            found = [widths_of_layer(layer, kernel, size, upto, chosen, device, step)]  # type: ignore[arg-type]
        else:
            config = read_config(space)
            name = device if said else next(iter(config.devices))
            chosen = device_named(device, setting or []) if said else config.devices[name]
            found = widths_of_space(config.space(config.task.load()), chosen, name)
    print(json.dumps({"v": 1, "found": [_tree(each) for each in found]}) if as_json else _text(found))


def _is_said(ctx: typer.Context, name: str) -> bool:
    """Whether the user gave the option: by the name of its source, since Typer may bring a Click of its own."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _tree(found: Found) -> dict[str, object]:
    stairs = found.staircase
    return {"what": found.what, "widths": stairs.widths, "latencies_ms": stairs.latencies_ms, "offer": stairs.edges()}


def _text(found: list[Found]) -> str:
    lines = []
    for each in found:
        stairs, edges = each.staircase, each.staircase.edges()
        lines += [each.what]
        for width, latency_ms in zip(stairs.widths, stairs.latencies_ms, strict=True):
            lines.append(f"{width:>6} {latency_ms:>10.4f} ms {'  *' if width in edges else ''}".rstrip())
        lines += [f"  width: [{', '.join(map(str, edges))}]   (*: no wider one is as fast)", ""]
    return "\n".join(lines).rstrip()


COMMANDS = (widths,)
