"""The commands as one Typer application. `search/cli.py` runs it and says what it raises."""

from typing import Annotated

import typer

from search.commands import compress, develop, device, init, look, measure, ship, stitch, tools, tune, widths

app = typer.Typer(
    name="search",
    help="Search for a neural network, shape it for a device and ship it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (init, develop, compress, tune, stitch, measure, widths, look, ship, tools):
    for command in module.COMMANDS:
        app.command()(command)
app.add_typer(measure.bench, name="bench")
app.add_typer(device.device, name="device")
app.add_typer(tools.db, name="db")


def _version(value: bool) -> None:
    if value:
        from importlib import metadata

        print(f"lathe {metadata.version('lathe')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Search for a neural network, shape it for a device and ship it."""
