"""`-o search.trials=20`: values given on the command line replace those of the file."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from search.config.problems import Path, Problem, dotted
from search.config.source import Source
from search.config.yaml import parse


def apply_overrides(source: Source, assignments: Sequence[str], environ: Mapping[str, str] | None = None) -> Source:
    """The source with every `path=value` applied, in order; it is not changed itself.

    A path is dotted, with list positions from 0 ("space.stages.0.depth"); a value is YAML ("20", "[1, 2]").
    Fields the file does not have are added: whether they exist is for the validation of the tree to say. What
    cannot be applied is in the result's `problems`.
    """
    for assignment in assignments:
        source = _apply(source, assignment, os.environ if environ is None else environ)
    return source


def path_of(assignment: str) -> Path:
    """The parts of an override's path, positions in lists still text; `steps[0]` is `steps.0`."""
    return tuple(re.sub(r"\[(\d+)\]", r".\1", assignment.partition("=")[0]).split("."))


def _apply(source: Source, assignment: str, environ: Mapping[str, str]) -> Source:
    name, equals, written = assignment.partition("=")
    if not equals or not name or "" in path_of(assignment):
        message = f"an override is written path=value, got {assignment!r}"
        problem = Problem((), message, 1, 1, len(assignment), "for example search.trials=20", assignment)
        return replace(source, problems=(*source.problems, problem))
    parsed = parse(written, environ)
    path, problems = _path(source.tree, list(path_of(assignment)), assignment)
    for found in parsed.problems:
        column = found.column + len(name) + 1 if found.line == 1 else len(name) + 2
        problems.append(replace(found, path=path, line=1, column=column, origin=assignment))
    if problems:
        return replace(source, problems=(*source.problems, *problems))
    below = {p: text for p, text in source.overridden.items() if p[: len(path)] != path}
    problems_left = tuple(p for p in source.problems if p.path[: len(path)] != path)  # about what is replaced now
    tree = _replaced(source.tree, path, parsed.tree)
    keys, values = ({p: at for p, at in old.items() if p[: len(path)] != path} for old in (source.keys, source.values))
    overridden = {**below, path: assignment}
    return replace(source, tree=tree, keys=keys, values=values, overridden=overridden, problems=problems_left)


def _path(tree: Any, parts: list[Any], assignment: str) -> tuple[Path, list[Problem]]:
    """The path that `parts` name in `tree`, and what is wrong with it."""
    path: list[str | int] = []
    here = tree
    for index, part in enumerate(parts):
        last = index == len(parts) - 1

        def problem(message: str, hint: str = "", part: str = part, before: int = index) -> list[Problem]:
            column = 0
            for earlier in parts[:before]:  # found, not counted: a position may stand in brackets
                column = assignment.index(earlier, column) + len(earlier)
            column = assignment.index(part, column) + 1
            return [Problem(tuple(path), message, 1, column, len(part), hint, assignment)]

        where = dotted(tuple(path))
        if isinstance(here, dict):
            close = get_close_matches(part, list(here), n=1, cutoff=0.75)
            if part not in here and close and not last:
                message = f"there is no {part!r} in {where or 'the file'}"
                return tuple(path), problem(message, f"did you mean {close[0]!r}?")
            path.append(part)
            here = here.get(part, {})
        elif isinstance(here, list):
            if not part.isdecimal() or int(part) >= len(here):
                rule = f"`{where}` has the positions 0 to {len(here) - 1}, got {part!r}"
                return tuple(path), problem(rule if here else f"`{where}` is an empty list, got position {part!r}")
            path.append(int(part))
            here = here[int(part)]
        else:
            return tuple(path), problem(f"`{where}` is the single value {here!r}, it has no field {part!r}")
    return tuple(path), []


def _replaced(tree: Any, path: Path, value: Any) -> Any:
    """A copy of `tree` with `value` at `path`. What lies on the way is copied: aliased parts are shared."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(tree, list):
        return [_replaced(item, rest, value) if i == head else item for i, item in enumerate(tree)]
    return {**tree, head: _replaced(tree.get(head, {}), rest, value)}
