"""Devices saved once and named everywhere: device add, list, show, probe, calibrate, rm."""

import json
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.commands.calibrate import calibrate
from search.commands.develop import explained
from search.commands.look import table
from search.commands.options import DEFAULT_DB, Db, Json
from search.errors import Conflict, DeviceBusy, UsageError

if TYPE_CHECKING:
    from compress.devices import Device

device = typer.Typer(help="Devices saved once, named everywhere.", no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(help="Name of a saved device.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting, e.g. host=192.168.0.7 (repeatable)."),
]


@device.command()
def add(
    name: Annotated[str, typer.Argument(help="A name of yours.")],
    kind: Annotated[str, typer.Option("--kind", help="A kind of device, see docs/reference.md.")],
    setting: Settings = None,
    replace: Annotated[bool, typer.Option("--replace", help="Instead of the device of that name.")] = False,
) -> None:
    """Save a device, so that space files (`devices: {NAME: saved}`) and commands (`--device NAME`) know it."""
    from compress.devices import DEVICES
    from search.config.devices import NAME, NAME_RULE, device_of_kind
    from search.config.saved import save_device, saved_names
    from search.latency.reached import forget_reached
    from search.report.telling_devices import changed, settings

    if not re.fullmatch(NAME, name):
        raise UsageError(f"a device {NAME_RULE}, got {name!r}.")
    if name in DEVICES.names():
        raise UsageError(f"{name!r} is a kind of device, so `--device {name}` means that. Choose another name.")
    made = device_of_kind(kind, setting or [])
    if name in saved_names() and not replace:
        raise Conflict(f"a device {name!r} is saved already. Add --replace, or look: search device show {name}")
    file = save_device(name, {"kind": kind, **{field: settings(made)[field] for field in changed(made)}})
    forget_reached(name)
    print(f"{name} is saved in {file}")
    print(f"Does it answer?  search device probe {name}", file=sys.stderr)


@device.command("list")
def list_devices(db: Db = DEFAULT_DB, as_json: Json = False) -> None:
    """The saved devices, when each last answered and how many measurements the database holds of it."""
    from search.config.saved import saved_file, saved_names
    from search.report.telling_devices import device_row

    trees = [_tree(name, db) for name in saved_names()]
    if as_json:
        print(json.dumps({"v": 1, "file": str(saved_file()), "devices": trees}))
    elif not trees:
        print("no devices are saved. Save one:  search device add pi --kind ssh --set host=pi.local")
    else:
        rows = [device_row(tree) for tree in trees]
        table(list(rows[0]), [[str(value) for value in row.values()] for row in rows])


@device.command()
def show(name: Name, db: Db = DEFAULT_DB, as_json: Json = False) -> None:
    """One saved device: its settings, when it last answered, what the database holds of it."""
    from search.report.telling_devices import device_text

    tree = _tree(name, db)
    print(json.dumps({"v": 1, **tree}) if as_json else device_text(tree, db))


@device.command("probe")
def probe_device(
    name: Annotated[str, typer.Argument(help="A saved device or a kind.")],
    setting: Settings = None,
    wait: Annotated[int, typer.Option("--wait", min=0, help="Seconds to wait while others measure there.")] = 60,
    db: Db = DEFAULT_DB,
    as_json: Json = False,
) -> None:
    """Reach a device, say what it is and what runs there, and time a small network on it."""
    with explained():
        from search.config.devices import device_named, kind_of
        from search.latency.probing import SESSIONS, probe
        from search.latency.reached import note_reached
        from search.report.telling_devices import probe_text, probe_tree
        from search.state.devices import held_of
        from search.watch import Watch

        chosen, watch = device_named(name, setting or []), Watch()
        with watch.stage("Probing", SESSIONS):
            in_use = f"{name} is in use: others measure there. Waiting up to {wait} s ..."
            found = probe(chosen, name, wait, lambda: watch.say(in_use), watch.advance)
        note_reached(chosen, found.fingerprint)
        tree = probe_tree(name, kind_of(chosen), found, held_of(db, [found.fingerprint]))
        print(json.dumps({"v": 1, **tree}) if as_json else probe_text(tree, db))
        if found.network is None:
            raise DeviceBusy(f"{name} is in use: others measured there for {wait} s. Try later, or wait: --wait 600")


device.command()(calibrate)


@device.command()
def rm(name: Name) -> None:
    """Forget a saved device. Studies that use it keep what it was, and the database its measurements."""
    from search.config.devices import saved_fields
    from search.config.saved import forget_device, saved_file
    from search.latency.reached import forget_reached

    saved_fields(name)
    forget_device(name)
    forget_reached(name)
    print(f"{name} is removed from {saved_file()}; studies and measurements stay as they are.")


def _tree(name: str, db: str) -> dict[str, Any]:
    from search.config.devices import kind_of, saved_device
    from search.latency.reached import reached
    from search.report.telling_devices import device_tree
    from search.state.devices import held_of

    saved: Device = saved_device(name)
    seen = reached(name)
    return device_tree(name, kind_of(saved), saved, seen, held_of(db, seen.fingerprints))
