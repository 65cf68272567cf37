"""Inputs for any file: fixed numbers of the sizes and types it asks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compress.runner.engines import Call, Input, Options, Shapes, Unrunnable, engine, first_line

FED = ("float32", "float16", "float64", "bool")
FED += ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def ready_call(
    path: str, name: str = "onnxruntime", options: Options | None = None, shapes: Shapes | None = None
) -> tuple[Call, list[str]]:
    """(a function that runs the file once on fixed inputs, notes), in the engine called `name`.

    shapes: {input: sizes} for inputs that leave sizes open; where nothing is said, an open size is 1.
    Raises: Unrunnable: if the file cannot be opened, fed or run.
    """
    opened = engine(name).open_file(path, options or {})
    file = path.rpartition("/")[2]
    unknown = set(shapes or {}) - {given.name for given in opened.inputs}
    if unknown:
        known = ", ".join(repr(given.name) for given in opened.inputs)
        raise Unrunnable(f"{file} has no input {', '.join(map(repr, sorted(unknown)))}. It has {known}.")
    notes, values, generator = [], {}, np.random.default_rng(0)
    for given in opened.inputs:
        sizes, about = sizes_of(given, (shapes or {}).get(given.name), file)
        notes += about
        values[given.name] = values_for(given, sizes, generator, file)
    try:
        call = opened.bind(values)
        call()
    except Exception as error:  # engines' exceptions have no common ancestor but Exception
        raise Unrunnable(f"{file} opens but does not run: {first_line(error)} {_remedy(notes)}") from error
    return call, notes


def sizes_of(given: Input, wanted: Sequence[int] | None, file: str) -> tuple[list[int], list[str]]:
    """(the shape to feed an input with, notes about what the file leaves open)."""
    fixed = [size if isinstance(size, int) and size > 0 else None for size in given.sizes]
    if wanted is None:
        open_sizes = [str(size or "?") for size, known in zip(given.sizes, fixed, strict=True) if known is None]
        notes = [f"{given.name}: open size {', '.join(open_sizes)} set to 1"] if open_sizes else []
        return [size or 1 for size in fixed], notes
    fits = len(wanted) == len(fixed) and all(have in (None, want) for have, want in zip(fixed, wanted, strict=True))
    if not fits:
        raise Unrunnable(f"the input {given.name} of {file} is {list(given.sizes)}, which {wanted} does not fit.")
    return list(wanted), []


def values_for(given: Input, sizes: Sequence[int], generator: np.random.Generator, file: str) -> np.ndarray:
    """An array to feed an input: random numbers, and ones for wide integers, which are often indices or masks."""
    if given.kind not in FED:
        said = f"the input {given.name} of {file} is a {given.kind}"
        raise Unrunnable(f"{said}; what can be fed is a tensor of {', '.join(FED)}.")
    if given.kind.startswith("float"):
        drawn = generator.random(sizes, dtype="float32" if given.kind == "float32" else "float64")
        return drawn.astype(given.kind)
    if given.kind in ("int8", "uint8"):
        return generator.integers(0, 127, sizes).astype(given.kind)
    return np.ones(sizes, given.kind)


def _remedy(notes: Sequence[str]) -> str:
    if notes:
        return f"Give the sizes that the file leaves open ({'; '.join(notes)}), or export it with fixed ones."
    return "Export the network again."
