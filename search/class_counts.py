"""Which class has how many examples in which part, and whom that is too few of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.tasks.stratified import divided, sizes

if TYPE_CHECKING:
    from spaces.tasks import Data

NAMED = 3  # classes in a sentence; the others are counted
Counts = Mapping[str, Sequence[int]]  # {what a part is for: examples of each class}: "train", "validate", "test"


def counts_of(data: Data) -> Counts:
    """Of the parts that are known: a test part of its own is not opened for this."""
    classes = len(data.classes)
    found = {
        name: np.bincount(split.y.numpy(), minlength=classes).tolist()
        for name, split in (("train", data.train), ("validate", data.validation))
    }
    return found | ({"test": data.test_counts} if data.test_counts else {})


def foreseen(counts: Sequence[int], task: Any) -> Counts:
    """The same before anything is read but labels: as a task of one's own data will divide these."""
    is_apart = bool(getattr(task, "test_path", "") or getattr(task, "test_x", ""))
    totals = sizes(sum(counts), (task.validation, 0.0 if is_apart else task.test))
    table = divided(np.asarray(counts), totals, np.random.default_rng(task.seed))
    validation, test, train = table.T.tolist()
    return {"train": train, "validate": validation} | ({} if is_apart else {"test": test})


def lacking_in(data: Data) -> str:
    """As `too_few`, of data that are loaded."""
    return too_few(counts_of(data), data.classes)


def spread(parts: Counts, classes: Sequence[str]) -> str:
    """The rarest and the commonest class to train on, and those that a part has no example of."""
    by_count = sorted(zip(parts["train"], classes, strict=True))
    (least, rare), (most, common) = by_count[0], by_count[-1]
    said = f"from {least:,} of {rare!r} to {most:,} of {common!r} to train"
    for part, found in parts.items():
        lacking = [repr(name) for name, n in zip(classes, found, strict=True) if not n]
        said += f"; none to {part} of {_listed(lacking)}" if lacking else ""
    return said


def too_few(parts: Counts, classes: Sequence[str]) -> str:
    """Why a part has none of a class that there are examples of, and what to do; nothing if no class is too small."""
    rows = [(name, sum(found), min(found)) for name, *found in zip(classes, *parts.values(), strict=True)]
    rare = [f"{name!r} ({total})" for name, total, _ in rows if 0 < total < len(parts)]
    crowded = [repr(name) for name, total, least in rows if total >= len(parts) and not least]
    said = []
    if rare:
        said.append(
            f"too few examples of {_listed(rare)} for each of {len(parts)} parts to have one: they go to training "
            "first, and accuracy says little or nothing of them. Add some."
        )
    if crowded:
        said.append(
            f"A part has none of {_listed(crowded)}, though there are enough. Raise `validation` or `test`, so that "
            "each part has more places than there are classes, or add examples."
        )
    return " ".join(said)


def _listed(said: Sequence[str]) -> str:
    more = f" and {len(said) - NAMED} more" if len(said) > NAMED else ""
    return f"{', '.join(said[:NAMED])}{more}"
