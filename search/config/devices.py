"""Devices as the user names them: in a file's section `devices:`, saved ones, and kinds on the command line."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from compress.devices import DEVICES, Device
from search.config.fields import NAMES, Reading, field_kinds, shown, suggestion
from search.config.problems import Path as KeyPath
from search.config.saved import saved_names, saved_source
from search.errors import NotFound, UsageError

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
NAME_RULE = "must be a name of at most 64 letters, digits, '.', '_' and '-' that begins with a letter or digit"
DEFAULT_DEVICES: dict[str, Any] = {"here": {"kind": "onnxruntime"}}
SAVED = "saved"  # `pi: saved`, or `fast: {saved: pi, threads: 4}` for another name and other settings
SAVE_ONE = "search device add NAME --kind KIND saves one"


def read_devices(reading: Reading, value: Any) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    """(all names that `devices` gives, the devices that are right, the section with saved devices written out)."""
    listed = reading.mapping(("devices",), value, "`devices`")
    named = listed if listed else DEFAULT_DEVICES
    devices, whole = {}, {}
    for name, fields in named.items():
        path = ("devices", name)
        if not re.fullmatch(NAME, str(name)):
            reading.wrong(path, f"a device {NAME_RULE}, got {name!r}", at_key=True)
        if fields == SAVED:
            fields = {SAVED: name}
        tree = reading.mapping(path, fields, f"device {name!r}")
        if tree is not None and SAVED in tree:
            tree = _written_out(reading, path, tree)
        if tree is None:
            continue
        whole[name] = dict(tree)
        device = _read_device(reading, path, tree, f"device {name!r}")
        if device is not None:
            devices[name] = device
    return list(named), devices, whole


def _read_device(reading: Reading, path: tuple[str, ...], tree: Mapping[str, Any], noun: str) -> Any:
    """The device of a mapping with `kind` and its fields, or None."""
    fields = dict(tree)
    if "kind" not in fields:
        reading.wrong(path, f"{noun} needs a `kind`", f"one of {', '.join(DEVICES.names())}")
        return None
    make = reading.registered((*path, "kind"), fields.pop("kind"), DEVICES)
    return reading.instance(path, fields, make, noun) if make else None


def _written_out(reading: Reading, path: tuple[str, ...], tree: Mapping[str, Any]) -> dict[str, Any] | None:
    """A saved device's fields with those given beside it instead; None if there is none of that name."""
    known, name = saved_source().tree, tree[SAVED]
    if name not in known or not isinstance(known[name], dict):
        hint = suggestion(str(name), sorted(known)) if known else SAVE_ONE
        reading.wrong(path, f"no device {shown(name)} is saved", hint)
        return None
    if "kind" in tree:
        reading.wrong((*path, "kind"), "a saved device has its kind", "leave `kind` or `saved` away", at_key=True)
        return None
    return {**known[name], **{key: value for key, value in tree.items() if key != SAVED}}


def saved_device(name: str) -> Device:
    """A saved device. Raises: NotFound; ConfigError: if what is saved of it is not right, with its place."""
    fields = saved_fields(name)
    reading = Reading(saved_source())
    tree = reading.mapping((name,), fields, f"device {name!r}")
    device = _read_device(reading, (name,), tree, f"device {name!r}") if tree is not None else None
    if device is None:
        raise reading.source.error(tuple(reading.problems))
    return device


def saved_fields(name: str) -> Any:
    """What the file says of a saved device, right or wrong. Raises: NotFound, ConfigError."""
    tree = saved_source().tree
    if name not in tree:
        hint = f"; {suggestion(name, sorted(tree))}" if tree else f". {SAVE_ONE}."
        raise NotFound(f"no device {name!r} is saved{hint}")
    return tree[name]


def device_named(name: str, given: Sequence[str] = ()) -> Device:
    """A saved device or one of a kind, with settings as `name=value`. Raises: NotFound, UsageError, ConfigError."""
    if name in DEVICES.names():
        return device_of_kind(name, given)
    saved = saved_names()
    if name not in saved:
        raise NotFound(f"no device {name!r}; {suggestion(name, [*saved, *DEVICES.names()])}")
    device = saved_device(name)
    kept = {field: getattr(device, field) for field in field_kinds(type(device))}
    return _made(type(device), kept | settings_of(type(device), given, name), name)


def device_of_kind(kind: str, given: Sequence[str] = ()) -> Device:
    """A device of this kind, with settings as `name=value`. Raises: NotFound, UsageError."""
    if kind not in DEVICES.names():
        raise NotFound(f"no kind of device {kind!r}; {suggestion(kind, DEVICES.names())}")
    make: Any = DEVICES.get(kind)
    return _made(make, settings_of(make, given, kind), kind)


def settings_of(make: Any, given: Sequence[str], noun: str) -> dict[str, Any]:
    """`name=value` texts as fields of a device class. Raises: UsageError, naming the nearest field."""
    kinds = field_kinds(make)
    settings: dict[str, Any] = {}
    for part in given:
        name, equals, value = part.partition("=")
        if not equals and name in kinds:
            raise UsageError(f"a setting of {noun!r} is name=value, got {part!r}. Write {name}=VALUE.")
        if name not in kinds:
            rule = "" if equals else f" A setting is name=value, got {part!r}."
            raise UsageError(f"{noun!r} has no setting {name!r}; {suggestion(name, list(kinds))}{rule}")
        try:
            settings[name] = {"true": True, "false": False}[value] if kinds[name] is bool else kinds[name](value)
        except (ValueError, KeyError) as error:
            raise UsageError(f"`{name}` must be {NAMES[kinds[name]]}, got {value!r}.") from error
    return settings


def check_engine(reading: Reading, path: KeyPath, step: str, made: Any, name: str, device: Any) -> None:
    """A step that makes files for one engine needs a device that runs them in it. made: the step or its class.
    device: None if something is wrong with it."""
    wanted = getattr(made, "engine", "")
    if not wanted or device is None:
        return
    runs_in = getattr(device, "engine", kind_of(device))
    if runs_in not in (wanted, "simulated"):
        reading.wrong(
            path, f"{step} makes files for {wanted}, and {name} runs them in {runs_in}",
            f"write devices: {{{name}: {{kind: {wanted}}}}}, or `quantize` in its place",
            at_key=isinstance(path[-1], str),
        )  # fmt: skip


def kind_of(device: Any) -> str:
    """The name under which the device's class is registered."""
    return next(name for name, entry in DEVICES.items() if type(device) is entry)


def _made(make: Any, settings: Mapping[str, Any], noun: str) -> Device:
    try:
        return make(**settings)
    except ValueError as error:
        raise UsageError(f"device {noun!r}: {error}") from error
