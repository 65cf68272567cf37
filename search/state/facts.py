"""What a shipped file must say about the data it was made with, kept with the study so that an export needs no data."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.state.ledger import Ledger
from search.state.records import COMMONEST
from spaces.tasks import Data

CHECKPOINT = "facts"
SAMPLES = 8


@dataclass(frozen=True)
class Facts:
    """Constants of the data, and a few validation examples to try a file with.

    images: (8, C, H, W) float32 raw pixels, or series (8, C, L). labels: (8,). white: the raw value of a full pixel.
    train, validation: how many examples there are. licence: of the examples, "" if unknown.
    """

    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    white: float
    licence: str
    train: int
    validation: int
    images: np.ndarray
    labels: np.ndarray

    @property
    def is_series(self) -> bool:
        """Whether the examples are series and no images."""
        return self.images.ndim == 3

    def to_bytes(self) -> bytes:
        """An .npz archive without pickles, equal bytes for equal facts."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(self).items()}
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    @staticmethod
    def from_bytes(content: bytes) -> "Facts":
        """The inverse of `to_bytes`."""
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            read: dict[str, Any] = {name: found[name] for name in found.files}
        plain = {name: value.tolist() for name, value in read.items() if name not in ("images", "labels")}
        lists = {name: tuple(plain.pop(name)) for name in ("classes", "mean", "std")}
        return Facts(**lists, **plain, images=read["images"], labels=read["labels"])


def facts_of(data: Data) -> Facts:
    """The facts of loaded data; the examples are drawn from the validation part, the same ones every time."""
    rows = np.sort(np.random.default_rng(0).permutation(len(data.validation.y))[:SAMPLES])
    return Facts(
        classes=data.classes,
        mean=data.mean,
        std=data.std,
        white=data.white,
        licence=data.licence,
        train=len(data.train.y),
        validation=len(data.validation.y),
        images=data.validation.x[rows].float().numpy(),
        labels=data.validation.y[rows].numpy(),
    )


def record_facts(ledger: Ledger, study_id: int, data: Data) -> None:
    """Keep the facts with the study, once, and what guessing is worth."""
    if ledger.load_checkpoint(study_id, CHECKPOINT) is not None:
        return
    ledger.save_checkpoint(study_id, CHECKPOINT, facts_of(data).to_bytes())
    if len(data.train.y) and len(data.validation.y):
        ledger.event(study_id, "info", COMMONEST, *_guess(data))


def _guess(data: Data) -> tuple[str, dict[str, Any]]:
    """How often the commonest class of the training part is the right answer in the validation part."""
    commonest = int(np.bincount(data.train.y.numpy()).argmax())
    share = float((data.validation.y == commonest).double().mean())
    known = {"class": data.classes[commonest], "share": share, "n": len(data.validation.y)}
    return f"{known['class']!r} is the commonest class: {100 * share:.1f} % of the validation examples", known


def recorded_facts(ledger: Ledger, study_id: int) -> Facts | None:
    """What `record_facts` kept; None for a study of an older version."""
    content = ledger.load_checkpoint(study_id, CHECKPOINT)
    return None if content is None else Facts.from_bytes(content)
