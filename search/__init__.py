"""Which model next, and remembering everything. `from search import launch, load_study`."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.launch import launch
    from search.state.recorded import load_study

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported; see spaces/__init__.py

__all__ = ["launch", "load_study"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: `search --help` needs no torch."""
    if name == "launch":
        from search.launch import launch

        return launch
    if name == "load_study":
        from search.state.recorded import load_study

        return load_study
    raise AttributeError(f"module 'search' has no attribute {name!r}")
