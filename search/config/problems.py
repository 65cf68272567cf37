"""What is wrong with a space file or an override, shown where it stands.

`render` prints blocks like a compiler's:

    space.yaml:5:22: error: unknown field 'kernal' for block 'mbconv'
       |
     5 |       - {op: mbconv, kernal: [3, 5], expand: [3, 6]}
       |                      ^^^^^^ did you mean 'kernel'?
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

Path = tuple[str | int, ...]

MAX_WIDTH = 120  # columns of a source line that are shown


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and how to put it right.

    `line` and `column` count from 1; line 0 means that there is no place to show. `length` is the number of
    characters to underline. `origin` is the text of a command-line override ("search.trials=ten") when the
    problem lies there and not in the file; `line` is then 1 and `column` counts in that text.
    """

    path: Path
    message: str
    line: int = 0
    column: int = 0
    length: int = 1
    hint: str = ""
    origin: str = ""


def render(problems: Sequence[Problem], text: str, file_name: str) -> str:
    """All problems as blocks in the order of the file, then their number. `text` is what the file holds."""
    lines = text.split("\n")
    ordered = sorted(problems, key=lambda p: (p.origin, p.line, p.column))
    blocks = [_block(p, [p.origin] if p.origin else lines, file_name) for p in ordered]
    count = "1 error" if len(blocks) == 1 else f"{len(blocks)} errors"
    return "\n".join([*blocks, count])


def dotted(path: Path) -> str:
    """The path as an override writes it: ("stages", 0, "depth") is "stages.0.depth"."""
    return ".".join(str(part) for part in path)


def _block(problem: Problem, lines: list[str], file_name: str) -> str:
    if not 1 <= problem.line <= len(lines):
        return f"{file_name}: error: {problem.message}" + (f"\n  {problem.hint}" if problem.hint else "")
    if problem.origin:
        head = f"-o {_visible(problem.origin)}: error: {problem.message}"
    else:
        head = f"{file_name}:{problem.line}:{problem.column}: error: {problem.message}"
    line, start, end = _excerpt(lines[problem.line - 1], problem.column - 1, max(problem.length, 1))
    number = str(problem.line)
    gutter = " " * len(number)
    carets = " " * cell_len(line[:start]) + "^" * max(cell_len(line[start:end]), 1)
    mark = f"{carets} {problem.hint}" if problem.hint else carets
    return f"{head}\n {gutter} |\n {number} | {line}\n {gutter} | {mark}"


def _excerpt(line: str, start: int, length: int) -> tuple[str, int, int]:
    """At most MAX_WIDTH characters of `line` around the underlined ones, and where these lie in them."""
    line = _visible(line.rstrip())
    start = min(start, len(line))
    end = min(max(start + length, start + 1), max(len(line), start + 1))
    if len(line) <= MAX_WIDTH:
        return line, start, end
    first = max(0, min(start - MAX_WIDTH // 3, len(line) - MAX_WIDTH))
    return line[first : first + MAX_WIDTH], start - first, min(end - first, MAX_WIDTH)


def _visible(line: str) -> str:
    """One column a character: tabs and control characters (a terminal would obey them) become blanks."""
    return "".join(c if c.isprintable() else " " for c in line)
