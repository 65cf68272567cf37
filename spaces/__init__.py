"""What can be built: blocks, search spaces, architectures, their networks and costs, and the tasks they learn.

How threads of OpenMP wait for each other must be said before torch is imported. With the default they spin until their
time slice is over, which made a training step up to 17 times slower on a loaded two-core machine; where they sleep at
once, two threads were slower than one even on a quiet one. So they spin for some microseconds and then sleep (`python
studies/benchmarks/threads.py`).
"""

import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from spaces.architecture import Architecture
    from spaces.counts import count
    from spaces.network import build
    from spaces.space import SearchSpace, sample

__all__ = ["Architecture", "SearchSpace", "build", "count", "sample"]

_HOMES = {
    "Architecture": "spaces.architecture",
    "SearchSpace": "spaces.space",
    "build": "spaces.network",
    "count": "spaces.counts",
    "sample": "spaces.space",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that importing the package does not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'spaces' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
