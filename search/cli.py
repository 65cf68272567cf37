"""The command line: `search COMMAND`. Data goes to stdout, everything else to stderr."""

import os
import sys
from typing import Annotated

import typer

from search.commands import compress, develop, device, init, look, measure, ship, stitch, tools, tune, widths
from search.errors import LatheError

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


def main() -> None:
    """Entry point: an error the user can act on is one message and its exit code, never a traceback."""
    try:
        app()
    except LatheError as error:
        print(str(error) if error.exit_code == 3 and "error:" in str(error) else f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say_stopped()
        sys.exit(130)
    except SystemExit as leaving:
        if leaving.code == 130:  # Typer's answer to Ctrl-C, which says nothing
            _say_stopped()
        raise
    except BrokenPipeError:  # `search top | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _say_stopped() -> None:
    print("stopped. Nothing is half written; the same command begins again.", file=sys.stderr)


if __name__ == "__main__":
    main()
