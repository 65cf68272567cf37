"""Which model next, and remembering everything. `from search import Ledger, launch, load_study, read_config`."""

from typing import TYPE_CHECKING, Any

import spaces as spaces  # before torch is imported: it says how threads wait

if TYPE_CHECKING:
    from search.config.study import read_config
    from search.main_loop import launch
    from search.state.ledger import Ledger
    from search.state.recorded import load_study

__all__ = ["Ledger", "launch", "load_study", "read_config"]

# No module of this package has the name of one of these: importing it would put it in the function's place.
_HOMES = {
    "Ledger": "search.state.ledger",
    "launch": "search.main_loop",
    "load_study": "search.state.recorded",
    "read_config": "search.config.study",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: `search --help` needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'search' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
