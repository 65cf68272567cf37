"""What runs a file: one module an engine, imported when it is asked for, because a machine may have only one of them.

Every module has INSTALL, READS, `version()`, `load()`, `options_text(options)` and `open_file(path, options)`: see
`Engine`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol, cast

import numpy as np

ENGINES = ("onnxruntime", "openvino", "executorch", "torch")  # the first is the one that others must beat

Call = Callable[[], object]
Options = Mapping[str, Any]  # threads: how many; processor: cpu or cuda; and what an engine knows beside
Shapes = Mapping[str, Sequence[int]]


class Unrunnable(Exception):
    """A file or a job that cannot be run; the message is for the user."""


@dataclass(frozen=True)
class Input:
    """What a file asks for. sizes: numbers, and whatever else the file says where it leaves a size open. kind: the
    name of a numpy type, or how the file calls what is none."""

    name: str
    sizes: tuple[Any, ...]
    kind: str


@dataclass(frozen=True)
class Opened:
    """A file that an engine has read. bind: from an array for each input to a function that runs the file once."""

    inputs: tuple[Input, ...]
    bind: Callable[[Mapping[str, np.ndarray]], Call]


class Engine(Protocol):
    """A module of this folder."""

    INSTALL: str  # what `pip install` brings it
    READS: str  # the suffix of the files that it runs

    def version(self) -> str:
        """Of the package; "" where it is not installed. Imports nothing."""
        ...

    def load(self) -> None:
        """Import it and let it load what it loads late. Raises: ImportError."""
        ...

    def options_text(self, options: Options) -> str:
        """How a file is opened, for the fingerprint."""
        ...

    def open_file(self, path: str, options: Options) -> Opened:
        """Raises: Unrunnable, ImportError."""
        ...


def engine(name: str) -> Engine:
    """The engine of that name. Raises: Unrunnable: if this runner knows none."""
    if name not in ENGINES:
        raise Unrunnable(f"no engine {name!r}. There are: {', '.join(ENGINES)}.")
    return cast(Engine, importlib.import_module(f"compress.runner.engines.{name}"))


def installed() -> dict[str, str]:
    """{engine: version} of those that are here, in the order of ENGINES."""
    return {name: version for name in ENGINES if (version := engine(name).version())}


def on_cuda(options: Options) -> bool:
    """Whether a CUDA device is asked for."""
    return options.get("processor", "cpu") == "cuda"


def version_of(*packages: str) -> str:
    """The version of the first of these packages that is installed, or ""."""
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return ""


def first_line(error: Exception) -> str:
    """What an error says first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
