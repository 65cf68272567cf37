"""What a shipped file answers to each class, kept in the log of the study: one event a variant and part of the data."""

from collections.abc import Iterable
from typing import Any

from compress.confusion import Confusion
from search.state.ledger import Ledger
from search.state.recorded import Recorded
from search.state.records import Split

KIND = "confusion"  # of the events


def record_confusion(ledger: Ledger, study_id: int, variant_id: int, split: Split, confusion: Confusion) -> None:
    """Keep it, unless there is one already: a run that was killed does this again."""
    if split in splits_of(ledger.event_data(study_id, KIND), variant_id):
        return
    right = sum(confusion.right)
    message = f"variant {variant_id} is right on {right:,} of the {confusion.n:,} {split} examples"
    ledger.event(study_id, "info", KIND, message, {"variant": variant_id, "split": split} | confusion.tree())


def splits_of(known: Iterable[dict[str, Any]], variant_id: int) -> set[str]:
    """The parts of the data of which a variant's confusion is among the events' `known` data."""
    return {data["split"] for data in known if data["variant"] == variant_id}


def confusions_of(recorded: Recorded, variant_id: int) -> dict[str, Confusion]:
    """By the part of the data, test first; empty for studies of older versions and for what is not shipped."""
    found = {
        str(event.data["split"]): Confusion.of_tree(event.data)
        for event in recorded.events
        if event.kind == KIND and event.data["variant"] == variant_id
    }
    return {split: found[split] for split in ("test", "validation") if split in found}
