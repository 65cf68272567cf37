"""What changed between two configurations, by dotted path."""

from collections.abc import Iterator, Mapping
from typing import Any

from search.state.records import StudyRecord

_ABSENT = object()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line a difference, such as `space.stages[1].width: [8, 16] -> [8, 24]`, sorted by path."""
    before, after = dict(_leaves("", old)), dict(_leaves("", new))
    paths = sorted(before.keys() | after.keys())
    changed = [(path, before.get(path, _ABSENT), after.get(path, _ABSENT)) for path in paths]
    return [f"{path}: {_shown(a)} -> {_shown(b)}" for path, a, b in changed if a != b]


OLDER = (
    " If the examples are the same, an older Lathe drew its parts of them otherwise: only that one can go on with it."
)


def refusal(study: StudyRecord, config: Mapping[str, Any], data_hash: str) -> str:
    """Why a study is not resumed with another config or other data, what differs, and what to do."""
    lines = differences(study.config, config)
    older = "" if lines else OLDER
    if study.data_hash != data_hash:
        lines.append(f"data: sha256 {study.data_hash[:12]} -> {data_hash[:12]}")
    listed = "\n  ".join(lines)
    return (
        f"study {study.name!r} was started with another configuration, and is never mixed with a second:\n"
        f"  {listed}\nUndo the change to resume it, or launch it under another name "
        f"with `-o study=NAME`.{older}"
    )


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _leaves(f"{path}.{key}" if path else str(key), value[key])
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(f"{path}[{index}]", item)
    else:
        yield path, list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    return "(not set)" if value is _ABSENT else repr(value)
