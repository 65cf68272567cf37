"""Who wants to know how far it is: bars on a terminal, a plain line now and then in a pipe, rows for others."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from search.errors import Interrupted, Terminated

PLAIN_EVERY_S, ROW_EVERY_S = 30.0, 1.0
FIRST_GUESS = 0.04  # share of a stage before which the time left is a wild guess
STAGES = {
    "space": "Space",
    "supernet": "Supernet",
    "search": "Search",
    "baseline": "Random baseline",
    "front": "Measured front",
    "winners": "Winners",
}
STITCHING = {"anchors": "Both networks", "stitch": "Training together", "members": "All stitches", "winners": "Winners"}
# twins: where there are any; compress and tune: of `search compress` and `search tune`
TITLES = STAGES | STITCHING | {"twins": "Twins", "compress": "Compress", "tune": "Tune"}


def duration(seconds: float) -> str:
    """88 s, 12 min 5 s, 3 h 20 min: two digits of what matters."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


class Watch:
    """Shows one stage at a time, and says when to stop. note(stage, done, total) is called at most once a second.

    done: of the stage's total. What is said goes to stderr as it was at first: exporters silence it.
    """

    def __init__(self, note: Callable[[str, float, float], None] | None = None, quiet: bool = False) -> None:
        self.note, self._quiet, self._stream = note, quiet, sys.stderr
        self._stop = 0  # the signal that asked for it
        self._bar: Any = None
        self._task: Any = None
        self._stage, self.done, self._total = "", 0.0, 1.0
        self._last_line = self._last_row = self._began = time.monotonic()

    @contextmanager
    def stage(self, name: str, total: float = 1.0) -> Iterator[None]:
        """Show a stage until the block ends; `advance` says how far it is."""
        self._stage, self.done, self._total, self._began = name, 0.0, total, time.monotonic()
        self._last_line = self._began
        if self.note:
            self.note(name, 0.0, total)
        with self._shown(TITLES.get(name, name), total):
            yield
            self.advance(total, "done")
        if self.note:
            self.note(name, total, total)
        if not self._quiet and not self._stream.isatty():
            took = duration(time.monotonic() - self._began)
            print(f"{TITLES.get(name, name)}: done in {took}", file=self._stream, flush=True)

    @contextmanager
    def _shown(self, title: str, total: float) -> Iterator[None]:
        if self._quiet or not self._stream.isatty():
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description:<16}"), BarColumn(24), TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[text]}"),
        )  # fmt: skip
        with Progress(*columns, console=Console(file=self._stream)) as self._bar:
            self._task = self._bar.add_task(title, total=total, text="")
            yield
        self._bar = None

    def advance(self, done: float, text: str = "") -> None:
        """The stage is at `done` of its total; `text` is what is seen now."""
        self.done = done
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=done, text=text)
        elif not self._quiet and not self._stream.isatty() and now - self._last_line > PLAIN_EVERY_S:
            self._last_line = now
            share = max(done / self._total, 1e-6)
            left_s = (now - self._began) * (1 - share) / share
            left = f"{duration(left_s)} left" if share > FIRST_GUESS else "just begun"
            print(
                f"{TITLES.get(self._stage, self._stage)}: {share:.0%}, {left}  {text}",
                file=self._stream,
                flush=True,
            )
        if self.note and now - self._last_row > ROW_EVERY_S:
            self._last_row = now
            self.note(self._stage, done, self._total)

    def expect(self, total: float, seconds: float) -> None:
        """Only now is it known how far the stage has to go, and about how long that takes."""
        self._total = total
        if self._bar is not None:
            self._bar.update(self._task, total=total, text=f"about {duration(seconds)} in all")

    def say(self, line: str) -> None:
        """A line that stays, above the bar."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        else:
            print(line, file=self._stream, flush=True)

    def check(self) -> None:
        """Raises Interrupted at a safe point if someone asked to stop."""
        if self._stop:
            kind = Terminated if self._stop == signal.SIGTERM else Interrupted
            raise kind("paused at a safe point; nothing finished is lost.")

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """The first Ctrl-C (or SIGTERM) stops at the next safe point, a second one at once."""

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            if self._stop:
                raise KeyboardInterrupt
            self._stop = number
            self.say("Pausing at the next safe point. Press Ctrl-C again to stop at once.")

        before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
