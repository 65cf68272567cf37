"""Which architectures share a training step: one file a rule, each a frozen dataclass whose fields are its settings.

The contract: `members` depends on the step alone, so that a resumed training, or another rank, draws the same; all of a
space is trained in the course of a training.
"""

from __future__ import annotations

from collections.abc import Callable

from search.supernet.rules.step import Rule, Step
from spaces.registry import Registry

RULES: Registry[Callable[..., Rule]] = Registry("rule", "lathe.rules")

import search.supernet.rules.attentive  # noqa: E402  (these register themselves in RULES)
import search.supernet.rules.fair  # noqa: E402
import search.supernet.rules.growing  # noqa: E402
import search.supernet.rules.relaxed  # noqa: E402
import search.supernet.rules.sandwich  # noqa: E402
import search.supernet.rules.shrinking  # noqa: E402
import search.supernet.rules.uniform  # noqa: E402, F401

__all__ = ["RULES", "Rule", "Step"]
