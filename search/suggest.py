"""Between Optuna's parameters and architectures.

Every decision of the space is a parameter of every trial, also those a trial's depth and kinds leave unused: Optuna's
samplers learn only about parameters that all trials have. The architecture drops the unused ones, so two trials that
differ only there are the same architecture.
"""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from spaces.architecture import Architecture
from spaces.space import SearchSpace, choices, decide


def decisions(space: SearchSpace) -> dict[str, tuple[Any, ...]]:
    """Every decision with more than one option: {name: options}, in a fixed order."""
    found: dict[str, tuple[Any, ...]] = {"stem.width": space.stem_width}
    for i, stage in enumerate(space.stages):
        found |= {f"stage{i}.width": stage.width, f"stage{i}.depth": stage.depth}
        for j in range(max(stage.depth)):
            name = f"stage{i}.block{j}"
            found[name] = tuple(range(len(stage.blocks)))
            for index, choice in enumerate(stage.blocks):
                found |= {f"{name}.{index}.{field}": options for field, options in choice.fields}
    return {name: options for name, options in found.items() if len(options) > 1}


def is_ordinal(name: str, options: tuple[Any, ...]) -> bool:
    """Numbers in increasing order that mean more or less of something; kinds of block and true or false do not."""
    is_kind = ".block" in name and name.count(".") == 1
    return not is_kind and all(isinstance(o, int | float) and not isinstance(o, bool) for o in options)


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Optuna's view: ordinal decisions are the index of the option in sorted order, the others are categories."""
    return {
        name: IntDistribution(0, len(options) - 1) if is_ordinal(name, options) else CategoricalDistribution(options)
        for name, options in decisions(space).items()
    }


def first_options(space: SearchSpace) -> dict[str, Any]:
    """A parameter for every decision: the least of an ordinal one, the first of the others."""
    return {name: 0 if is_ordinal(name, options) else options[0] for name, options in decisions(space).items()}


def architecture_of(space: SearchSpace, params: Mapping[str, Any]) -> Architecture:
    """The architecture that parameters mean."""

    def pick(name: str, options: tuple[Any, ...]) -> Any:
        if len(options) == 1:
            return options[0]
        return sorted(options)[params[name]] if is_ordinal(name, options) else params[name]

    return decide(space, pick)


def params_of(space: SearchSpace, arch: Architecture, unused: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that mean `arch`; those it leaves unused are taken from `unused`."""
    used = choices(space, arch)
    params = {}
    for name, options in decisions(space).items():
        if name not in used:
            params[name] = unused[name]
        else:
            params[name] = sorted(options).index(used[name]) if is_ordinal(name, options) else used[name]
    return params
