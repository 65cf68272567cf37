"""search init: a space file for one's own data."""

import os
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.commands.develop import explained
from search.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from search.config.found import Found


def init(
    data: Annotated[
        Path, typer.Argument(help="A folder with a folder of images for each class, or a Parquet or .npz file.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; by default NAME.yaml here.", show_default=False)
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the study; by default that of the data.")] = "",
    device: Annotated[
        str, typer.Option("--device", help="What to shape the network for: a saved device, or a kind.")
    ] = "onnxruntime",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a space file for your own data, images or series. It lies in folders, Parquet or .npz; launch it then."""
    with explained():
        from search.class_counts import foreseen, too_few
        from search.config.devices import NAME, NAME_RULE
        from search.config.draft import draft
        from search.config.found import find
        from search.config.saved import write_whole
        from search.config.study import read_config
        from spaces.space import SearchSpace, size

        found = find(data.expanduser())
        name = name or _named(data)
        if not re.fullmatch(NAME, name):
            raise UsageError(f"--name {NAME_RULE}, got {name!r}.")
        out = out or Path(f"{name}.yaml")
        if out.exists() and not force:
            raise UsageError(f"{out} is there already. Name another one with `--out`, or write over it with `--force`.")
        text = draft(name, _seen_from(found, out.resolve().parent), *_device(device))
        try:
            write_whole(out, text)
        except OSError as error:
            raise ConfigError(
                f"error: {out} cannot be written: {error.strerror}. Name another with `--out`."
            ) from error
        config = read_config(out)
        space = SearchSpace(found.shape, found.classes, config.stem_width, config.stem_stride, config.stages)
        shape = " x ".join(map(str, found.shape))
        print(f"{out}   {found.examples:,} examples, {found.classes} classes, {shape}   {size(space):.1e} networks")
        if found.passed_over:
            print(f"no images in {', '.join(map(repr, found.passed_over))}: passed over", file=sys.stderr)
        if lacking := too_few(foreseen(list(found.counts.values()), config.task), list(found.counts)):
            print(f"warning: {lacking}", file=sys.stderr)
        call = f"search launch {shlex.quote(str(out))}"
        print(
            f"\n{call} --dry-run   what it will do, and how long that takes\n"
            f"{call} --quick     a first look in about four minutes\n{call}             do it",
            file=sys.stderr,
        )


def _named(data: Path) -> str:
    """A study's name from that of its data: of the folder above where that is only called train."""
    whole = data.expanduser().resolve()
    text = whole.parent.name if whole.stem in ("train", "images", "data") else whole.stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64] or "my-study"


def _device(name: str) -> tuple[str, str]:
    """(the device's name in the file, what stands behind it). Raises: NotFound, UsageError, ConfigError."""
    from search.config.devices import SAVED, device_named
    from search.config.saved import saved_names

    device_named(name)
    if name in saved_names():
        return name, SAVED
    return "here", f"{{kind: {name}, threads: 1}}" if name == "onnxruntime" else f"{{kind: {name}}}"


def _seen_from(found: "Found", folder: Path) -> "Found":
    """With paths that still hold when the file and its data are moved together: relative where they are below it."""
    fields = dict(found.fields)
    for name in ("path", "test_path"):
        if name in fields:
            whole = Path(os.path.abspath(fields[name]))
            fields[name] = str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)
    return replace(found, fields=fields)


COMMANDS = (init,)
