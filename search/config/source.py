"""A space file as plain values, with the place of each of them.

YAML 1.2 as its core schema says: `1e-3` is a number, `on` is text, no key twice. Values are made here from
ruamel's events and not by a constructor, so that nothing in a file can name a Python object, and so that
every key and value keeps its line and column. `${NAME}` stands for an environment variable, also unquoted in
`{...}` and `[...]`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.config.problems import Path as KeyPath
from search.config.problems import Problem, render
from search.config.yaml import Place, parse
from search.errors import ConfigError
from spaces.registry import nearest

MAX_BYTES = 1_000_000
EXAMPLE = "Start from studies/digits/space.yaml of the repository."


@dataclass(frozen=True)
class Source:
    """A file that was read: its values, and where they stand.

    `keys` and `values` map a path such as ("space", "stages", 0, "depth") to the place of the field's name
    and of what it holds. `overridden` maps a path to the text of the `-o` that replaced what the file said
    there. `problems` are those the reader could read past; whoever validates the tree adds its own and shows
    all of them at once.
    """

    name: str
    text: str
    tree: dict[str, Any]
    keys: Mapping[KeyPath, Place]
    values: Mapping[KeyPath, Place]
    problems: tuple[Problem, ...] = ()
    overridden: Mapping[KeyPath, str] = field(default_factory=dict)

    def problem(self, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """A problem placed at the value of `path`, or at its name, or at the nearest parent that has one."""
        for end in range(len(path), -1, -1):
            part = path[:end]
            if part in self.overridden:
                origin = self.overridden[part]
                start = 0 if at_key else origin.index("=") + 1
                length = origin.index("=") if at_key else len(origin) - start
                return Problem(path, message, 1, start + 1, length, hint, origin)
            inherited = end < len(path)  # a missing field is shown at the name of what should hold it
            is_empty = part in self.values and self.values[part].length == 0
            place = self.keys.get(part) if at_key or inherited or is_empty else None
            place = place or self.values.get(part)
            if place is not None and part:
                return Problem(path, message, place.line, place.column, place.length, hint)
        return Problem(path, message, hint=hint)

    def error(self, problems: tuple[Problem, ...]) -> ConfigError:
        """The exception to raise for `problems`: all of them, rendered."""
        return ConfigError(render(problems, self.text, self.name))


def read_source(file: Path, environ: Mapping[str, str] | None = None) -> Source:
    """Read a space file.

    Args:
        file: its path; error messages show it as given.
        environ: environment variables for `${NAME}`; those of this process by default.
    Raises: ConfigError, saying where and what to write instead, if there is no such file or it is not one
        YAML mapping in UTF-8 within the limits (1 MB, 32 levels, 100 aliases). Duplicate keys, tags and
        missing variables do not raise: they are in `Source.problems`.
    """
    text = _text(file)
    parsed = parse(text, os.environ if environ is None else environ)
    problems = parsed.problems
    if not parsed.fatal and not isinstance(parsed.tree, dict):
        problems = (*problems, _not_a_mapping(parsed.tree))
    if parsed.fatal or not isinstance(parsed.tree, dict):
        raise ConfigError(render(problems, text, str(file)))
    return Source(str(file), text, parsed.tree, parsed.keys, parsed.values, problems)


def _text(file: Path) -> str:
    if not file.exists():
        raise ConfigError(f"{file}: error: there is no such file.{_neighbour(file)}")
    if file.is_dir():
        inside = sorted(file.glob("*.yaml"))
        raise ConfigError(f"{file}: error: this is a folder.{f' Did you mean {str(inside[0])!r}?' if inside else ''}")
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file}: error: the file cannot be read: {error.strerror}.") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{file}: error: a space file is at most 1 MB, this one is larger. {EXAMPLE}")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = f"a space file is UTF-8 text, got the byte 0x{content[error.start]:02x} in line {line}"
        raise ConfigError(f"{file}:{line}: error: {wrong}. Save the file as UTF-8.") from error


def _neighbour(file: Path) -> str:
    """The YAML file that may have been meant: one of a similar name in the folder, or the only one there."""
    if not file.parent.is_dir():
        return f" Nor is there a folder {str(file.parent)!r}."
    known = sorted(p.name for pattern in ("*.yaml", "*.yml") for p in file.parent.glob(pattern))
    close = nearest(file.name, known) or (known[0] if len(known) == 1 else None)
    return f" Did you mean {str(file.parent / close)!r}?" if close else ""


def _not_a_mapping(tree: Any) -> Problem:
    if tree is None:
        return Problem((), f"the file is empty. {EXAMPLE}")
    kind = "a list" if isinstance(tree, list) else f"the single value {tree!r}"
    return Problem((), f"a space file is a mapping of fields such as `study:` and `space:`, got {kind}. {EXAMPLE}")
