"""YAML text -> plain values and their places, within limits.

The events of ruamel's parser are read one by one (its parser keeps no stack of its own, its composer
recurses), so a hostile file is stopped at the limit and not by the interpreter.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent
from ruamel.yaml.reader import ReaderError

from search.config.problems import Path, Problem, dotted

MAX_DEPTH = 32
MAX_ALIASES = 100
MAX_VALUES = 100_000  # after aliases are written out: ten nested aliases of ten values each would be 10^10

# Braces end an unquoted value inside {...}: while YAML is parsed, those of ${NAME} are two other characters.
OPEN, CLOSE = "\ue000", "\ue001"
VARIABLE = re.compile(r"\$\{([^{}\n]*)\}")
HIDDEN = re.compile(rf"(\$?)\${OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")
INTEGER = re.compile(r"[-+]?[0-9](_?[0-9])*")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9](_?[0-9])*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
WORDS |= {word.capitalize(): WORDS[word] for word in ("null", "true", "false")}
WORDS |= {word.upper(): WORDS[word] for word in ("null", "true", "false")}


@dataclass(frozen=True)
class Place:
    """Where something stands; line and column count from 1, `length` in characters on that line, 0 where nothing is
    written."""

    line: int
    column: int
    length: int


@dataclass(frozen=True)
class Parsed:
    """Values, places and problems of one text. `fatal`: reading stopped, `tree` says nothing."""

    tree: Any
    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]
    problems: tuple[Problem, ...]
    fatal: bool = False


class _Stop(Exception):
    """Reading cannot go on after this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse(text: str, environ: Mapping[str, str]) -> Parsed:
    """Read one YAML document. Raises nothing: what is wrong is in `problems`."""
    reader = _Reader(text, environ)
    try:
        tree = reader.document()
    except _Stop as stop:
        return Parsed(None, {}, {}, (*reader.problems, stop.problem), fatal=True)
    except ReaderError as error:
        return Parsed(None, {}, {}, (_unreadable(error, text),), fatal=True)
    except MarkedYAMLError as error:
        return Parsed(None, {}, {}, (*reader.problems, _syntax(error)), fatal=True)
    except YAMLError as error:
        return Parsed(None, {}, {}, (*reader.problems, Problem((), f"not YAML: {error}")), fatal=True)
    return Parsed(tree, reader.keys, reader.values, tuple(reader.problems))


def scalar(text: str) -> Any:
    """The value of an unquoted word by YAML 1.2's core schema: null, true, 20, 0x1f, 1e-3, .inf or text."""
    if len(text) > 100:  # no number anyone means, and int() refuses 4,300 digits
        return text
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if re.fullmatch(r"0o[0-7]+|0x[0-9a-fA-F]+", text):
        return int(text, 0)
    if FLOAT.fullmatch(text):
        return float(text)
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        return float(text.replace(".", ""))
    return text


class _Reader:
    """Walks the events of one document and keeps what it learns: places, anchors, problems."""

    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self.lines = text.split("\n")
        self.environ = environ
        hidden = VARIABLE.sub(lambda match: f"${OPEN}{match[1]}{CLOSE}", text)
        self.events: Iterator[Any] = YAML(typ="safe", pure=True).parse(hidden)
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[Any, int]] = {}  # value, and how many values it holds
        self.aliases = 0

    def document(self) -> Any:
        tree: Any = None
        documents = 0
        for event in self.events:
            if event.__class__.__name__ == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise _Stop(self._problem((), event, "a space file is one document, here a second one starts"))
            elif isinstance(event, AliasEvent | ScalarEvent | SequenceStartEvent | MappingStartEvent):
                tree, _ = self._value(event, (), 1)
        return tree

    def _value(self, event: Any, path: Path, depth: int) -> tuple[Any, int]:
        """The value that starts with `event`, and the number of values in it."""
        self.values[path] = self._place(event)
        if depth > MAX_DEPTH:
            raise _Stop(self._problem(path, event, f"at most {MAX_DEPTH} levels may be nested, here is one more"))
        if isinstance(event, AliasEvent):
            return self._alias(event, path)
        if event.tag is not None and event.tag != "!":
            message = f"tags are not allowed, got {event.tag!r}"
            self.problems.append(self._problem(path, event, message, "write the plain value"))
        if isinstance(event, ScalarEvent):
            value, size = self._scalar(event, path), 1
        elif isinstance(event, SequenceStartEvent):
            value, size = self._list(event, path, depth)
        else:
            value, size = self._mapping(event, path, depth)
        if size > MAX_VALUES:
            raise _Stop(self._problem(path, event, f"a space file holds at most {MAX_VALUES} values"))
        if event.anchor is not None:
            self.anchors[event.anchor] = value, size
        return value, size

    def _list(self, start: Any, path: Path, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        total = 1
        while (event := next(self.events)).__class__.__name__ != "SequenceEndEvent":
            value, size = self._value(event, (*path, len(found)), depth + 1)
            found.append(value)
            total += size
        self._close(start, event, path)
        return found, total

    def _mapping(self, start: Any, path: Path, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        total = 1
        while (event := next(self.events)).__class__.__name__ != "MappingEndEvent":
            key = self._key(event, path)
            twice = key in found
            if twice:
                first = self.keys[(*path, key)]
                message = f"the field {key!r} stands here twice, first in line {first.line}"
                self.problems.append(self._problem((*path, key), event, message, "keep one of them"))
            else:
                self.keys[(*path, key)] = self._place(event)
            value, size = self._value(next(self.events), (*path, key), depth + 1)
            if not twice:
                found[key] = value
            total += size
        self._close(start, event, path)
        return found, total

    def _key(self, event: Any, path: Path) -> str:
        if not isinstance(event, ScalarEvent):
            raise _Stop(self._problem(path, event, "the name of a field must be text"))
        if event.value == "<<" and event.style is None:
            hint = "write the fields out, or use *name as the whole value"
            raise _Stop(self._problem(path, event, "YAML 1.2 has no merge key '<<'", hint))
        return self._expand(event, path)

    def _scalar(self, event: Any, path: Path) -> Any:
        text = self._expand(event, path)
        plain = event.implicit[0] and OPEN not in event.value
        return scalar(text) if plain else text

    def _alias(self, event: Any, path: Path) -> tuple[Any, int]:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise _Stop(self._problem(path, event, f"at most {MAX_ALIASES} aliases are allowed, here is one more"))
        if event.anchor not in self.anchors:  # also an alias inside its own anchor
            raise _Stop(self._problem(path, event, f"the alias *{event.anchor} names no anchor before it"))
        return self.anchors[event.anchor]

    def _expand(self, event: Any, path: Path) -> str:
        """The text of a scalar with its variables filled in; `$${NAME}` gives the characters ${NAME}."""

        def fill(match: re.Match[str]) -> str:
            escaped, name = match.groups()
            if escaped:
                return f"${{{name}}}"
            if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
                message = f"${{...}} must hold the name of an environment variable, got {name!r}"
                self.problems.append(self._at_variable(event, path, name, message, "write $${...} for the characters"))
            elif not self.environ.get(name):
                state = "is empty" if name in self.environ else "is not set"
                message = f"the environment variable {name} {state}; {dotted(path) or 'the file'} needs it"
                self.problems.append(self._at_variable(event, path, name, message, f"export {name}=..."))
            return self.environ.get(name, "")

        return HIDDEN.sub(fill, event.value)

    def _at_variable(self, event: Any, path: Path, name: str, message: str, hint: str) -> Problem:
        """A problem that underlines ${NAME} itself: its first occurrence from the start of the scalar on."""
        written = f"${{{name}}}"
        first, last = event.start_mark.line, min(event.end_mark.line, len(self.lines) - 1)
        for number in range(first, last + 1):
            column = self.lines[number].find(written, event.start_mark.column if number == first else 0)
            if column >= 0:
                return Problem(path, message, number + 1, column + 1, len(written), hint)
        return self._problem(path, event, message, hint)

    def _close(self, start: Any, end: Any, path: Path) -> None:
        """A collection in brackets on one line is underlined whole, any other to its first line's end."""
        if start.flow_style and start.start_mark.line == end.end_mark.line:
            place = self.values[path]
            self.values[path] = Place(place.line, place.column, end.end_mark.column - start.start_mark.column)

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        line = self.lines[start.line] if start.line < len(self.lines) else ""
        collection = isinstance(event, SequenceStartEvent | MappingStartEvent)
        if isinstance(event, ScalarEvent) and event.value == "" and event.style is None:
            return Place(start.line + 1, start.column + 1, 0)  # the mark is that of what comes next
        if end.line == start.line and end.column > start.column and not collection:
            length = end.column - start.column
        else:
            length = len(line.rstrip()) - start.column
        return Place(start.line + 1, start.column + 1, max(length, 1))

    def _problem(self, path: Path, event: Any, message: str, hint: str = "") -> Problem:
        place = self._place(event)
        return Problem(path, message, place.line, place.column, place.length, hint)


def _syntax(error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = f"not YAML: {error.problem or error.context}"
    if error.context and error.problem:
        message += f" {error.context}" if error.context.startswith("while") else ""
    hint = "indent with blanks" if "'\\t'" in message else ""
    return Problem((), message, *((mark.line + 1, mark.column + 1) if mark else (0, 0)), hint=hint)


def _unreadable(error: ReaderError, text: str) -> Problem:
    before = text[: text.find(chr(error.character))] if isinstance(error.character, int) else ""
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    code = f"U+{error.character:04X}" if isinstance(error.character, int) else repr(error.character)
    return Problem((), f"a space file is text, got the control character {code}", line, column, hint="remove it")
