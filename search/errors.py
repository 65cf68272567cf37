"""What can go wrong, as one family: the command line prints the message and leaves with `exit_code`."""

from collections.abc import Sequence

from spaces.registry import nearest


class LatheError(Exception):
    """Something the user can act on.

    The message says the rule, the value and the remedy; no traceback is shown.
    """

    exit_code = 1


class UsageError(LatheError):
    """The command was called in a way it does not know."""

    exit_code = 2


class ConfigError(LatheError):
    """space.yaml, an override or the data does not say something that can be run."""

    exit_code = 3


class NotFound(LatheError):
    """No study, trial, variant, architecture or file of that name."""

    exit_code = 4


class StudyBusy(LatheError):
    """Another process is working on this study."""

    exit_code = 4


class DeviceBusy(LatheError):
    """Others measure on this device."""

    exit_code = 4


class Conflict(LatheError):
    """The study database, or the file of saved devices, already says something else about this."""

    exit_code = 4


class Infeasible(LatheError):
    """No architecture of the space meets the limits."""

    exit_code = 5


class UsedUp(Infeasible):
    """Every network that the space and the limits leave was tried."""


class DeviceError(LatheError):
    """A device cannot be reached, or does not give a stable number."""

    exit_code = 6


class SchemaError(LatheError):
    """The study database cannot be used: unreachable, locked, not a database, or of another version."""

    exit_code = 7


class TooManyFailures(LatheError):
    """So many trials failed that the result would mean little."""

    exit_code = 8


class Paused(LatheError):
    """The study stopped at a safe point and can be resumed."""

    exit_code = 75


class Interrupted(LatheError):
    """Ctrl-C; the study is paused at a safe point."""

    exit_code = 130


class Terminated(Interrupted):
    """SIGTERM, as of a job scheduler; the study is paused at a safe point."""

    exit_code = 143


def going_on(name: str, state: str) -> str:
    """How a study that is not done comes to its end: a running one is not resumed, for that would be refused."""
    if state == "running":
        return f"It is running: wait until it ends or, where its process is gone, go on with:  search resume {name}"
    return f"It {'failed' if state == 'failed' else 'is paused'}. Go on with:  search resume {name}"


def no_study(name: str, known: Sequence[str], shown: str) -> NotFound:
    """The error for a name that no study has, with the nearest one; `shown` is the database for the message."""
    close = nearest(name, list(known))
    hint = f"Did you mean {close!r}?" if close else f"There are: {', '.join(known) or 'none'}."
    return NotFound(f"no study {name!r} in {shown}. {hint}")
