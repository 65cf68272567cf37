"""The command line: `search COMMAND`. Data goes to stdout, everything else to stderr.

Importing this imports next to nothing, so that Ctrl-C is answered while the rest is still being loaded.
"""

import os
import sys


def main() -> None:
    """Entry point: an error the user can act on is one message and its exit code, never a traceback."""
    try:
        _run()
    except KeyboardInterrupt:
        _say_stopped()
        sys.exit(130)
    except BrokenPipeError:  # `search top | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _run() -> None:
    from search.commands.app import app
    from search.errors import Interrupted, LatheError

    try:
        app()
    except SystemExit as leaving:
        if leaving.code == 130:  # Typer's answer to Ctrl-C, which says nothing; a study that pauses has said so
            _say_stopped()
        raise
    except LatheError as error:
        is_told = isinstance(error, Interrupted) or (error.exit_code == 3 and "error:" in str(error))
        print(str(error) if is_told else f"error: {error}", file=sys.stderr)  # to pause a study is no error
        sys.exit(error.exit_code)


def _say_stopped() -> None:
    print("stopped. Nothing is half written; the same command begins again.", file=sys.stderr)
