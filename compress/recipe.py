"""A recipe: ordered steps, each one model to one model. A new step is one file and one decorator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from spaces.registry import Registry

if TYPE_CHECKING:
    from compress.context import Context
    from compress.variant import Variant


class Step(Protocol):
    """A frozen dataclass of settings that turns one variant into another; it never changes the one it is given."""

    def __call__(self, variant: Variant, context: Context) -> Variant:
        """The changed variant. Raises StepError if this variant cannot take the step."""
        ...


class StepError(ValueError):
    """A step that a variant cannot take; the message says which and why."""


def acts_on_file(step: Any) -> bool:
    """Whether a step (or its class) needs only the exported file: it says so by `acts_on_file = True`."""
    return bool(getattr(step, "acts_on_file", False))


def is_quantizing(step: Any) -> bool:
    """Whether a step (or its class) makes int8 files: it knows how to write one. Nothing follows it."""
    return hasattr(step, "write")


def asks_teacher(step: Any) -> bool:
    """Whether a step learns from the context's teacher: by its `asks_teacher`, else every step with epochs may."""
    return bool(getattr(step, "asks_teacher", getattr(step, "epochs", 0) > 0))


STEPS: Registry[type[Step]] = Registry("step", "lathe.steps")

import compress.distill.step  # noqa: E402  (these register themselves in STEPS)
import compress.labels  # noqa: E402
import compress.prune.channels  # noqa: E402
import compress.quantize.neural_compressor  # noqa: E402
import compress.quantize.nncf  # noqa: E402
import compress.quantize.qat  # noqa: E402
import compress.quantize.step  # noqa: E402, F401
