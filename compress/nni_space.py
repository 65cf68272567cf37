"""Networks out of model spaces of NNI 3, the archived project: its users' spaces live on here as networks.

A space is frozen to one of its networks by NNI itself; what comes out is a plain module, which is trained, compressed,
measured and exported like any other. NNI 3.0 needs an environment of its own (`lathe[nni]`, see docs/reference.md).
"""

import sys
from collections.abc import Mapping
from typing import Any

from torch import nn

from spaces.registry import nearest


class ChoiceError(ValueError):
    """Choices that do not make one network of a space; the message lists what there is to choose."""


def is_model_space(network: nn.Module) -> bool:
    """Whether it is NNI's. Cost: nothing is imported: who has such a space has imported NNI."""
    module = sys.modules.get("nni.nas.nn.pytorch")
    return module is not None and isinstance(network, module.ModelSpace)


def frozen(space: Any, choose: Mapping[str, Any], name: str) -> nn.Module:
    """The one network of a model space that `choose`, label -> value, describes. Raises: ChoiceError."""
    options = {label: list(getattr(found, "values", [])) for label, found in space.simplify().items()}
    unknown = [label for label in choose if label not in options]
    if unknown:
        close = nearest(unknown[0], list(options))
        raise ChoiceError(
            f"{name} has nothing to choose called {unknown[0]!r}. "
            + (f"Did you mean {close!r}?" if close else f"It has: {_listed(options)}.")
        )
    missing = [label for label in options if label not in choose]
    if missing:
        example = ", ".join(f"{label}: {values[0] if values else '...'}" for label, values in options.items())
        raise ChoiceError(
            f"{name} is a model space of NNI, and {', '.join(missing)} is not chosen. It has: {_listed(options)}. "
            f"Write which network: `choose: {{{example}}}`, or --choose {missing[0]}=VALUE."
        )
    for label, value in choose.items():
        if options[label] and value not in options[label]:
            raise ChoiceError(f"`{label}` of {name} is one of {_values(options[label])}, got {value!r}.")
    try:
        return space.freeze(dict(choose))
    except Exception as error:  # whatever NNI or the user's space raises
        raise ChoiceError(f"NNI cannot freeze {name}: {type(error).__name__}: {error}") from error


def _listed(options: Mapping[str, list[Any]]) -> str:
    return "; ".join(f"{label} ({_values(values)})" for label, values in options.items())


def _values(values: list[Any]) -> str:
    return ", ".join(map(str, values)) or "any value"
