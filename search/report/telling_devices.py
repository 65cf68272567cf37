"""Saved devices and what they answer, as rows, trees and plain text. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from compress.devices import Device
from search.latency.probing import Probe
from search.latency.reached import Reached
from search.state.devices import Held

MACHINE = ("cpu", "cpu_cache", "machine", "cores", "governor", "system", "kernel")


def device_tree(name: str, kind: str, device: Device, seen: Reached, held: Held | None) -> dict[str, Any]:
    """A saved device for other programs. measurements is null where there is no database."""
    newest = max(filter(None, [seen.at, held.newest if held else None]), default=None)
    return {
        "name": name,
        "kind": kind,
        "settings": settings(device),
        "changed": sorted(changed(device)),
        "last_reached": _when(newest),
        "fingerprints": list(seen.fingerprints),
        "measurements": held.measurements if held else None,
    }


def device_row(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A line of `search device list`: of the settings those that are not the default."""
    given = " ".join(f"{name}={tree['settings'][name]}" for name in tree["changed"])
    held = tree["measurements"]
    return {
        "name": tree["name"],
        "kind": tree["kind"],
        "settings": given or "-",
        "last_reached": tree["last_reached"] or "never",
        "measurements": "-" if held is None else held,
    }


def device_text(tree: Mapping[str, Any], db: str) -> str:
    """One saved device: its settings, when it answered, what the database holds of it, how to use it."""
    name = tree["name"]
    held = "no database yet" if tree["measurements"] is None else f"{tree['measurements']:,} in {db}"
    prints = ", ".join(text[:12] for text in tree["fingerprints"]) or f"none yet: search device probe {name}"
    lines = [
        f"{name}   {tree['kind']}",
        f"  last reached   {tree['last_reached'] or 'never'}",
        f"  fingerprints   {prints}",
        f"  measurements   {held}",
        "  settings       " + " ".join(f"{k}={v}" for k, v in tree["settings"].items() if v != ""),
        f"  in a file      devices: {{{name}: saved}}",
        f"  alone          search measure FILE.onnx --device {name}",
    ]
    return "\n".join(lines)


def probe_tree(name: str, kind: str, found: Probe, held: Held | None) -> dict[str, Any]:
    """What a probe found, for other programs."""
    network, told = found.network, ("value", "low", "high", "unit", "kind")
    return {
        "name": name,
        "kind": kind,
        "reached_s": found.reached_s,
        "fingerprint": found.fingerprint,
        "spec": found.spec,
        "about": found.about,
        "network": {key: getattr(network, key) for key in told} if network else None,
        "measurements": held.measurements if held else None,
    }


def probe_text(tree: Mapping[str, Any], db: str) -> str:
    """The same for people."""
    spec, about, network = tree["spec"], tree["about"], tree["network"]
    lines = [f"{tree['name']}   {tree['kind']}   answered in {tree['reached_s']:.2f} s"]
    machine = ", ".join(_part(key, spec[key]) for key in MACHINE if spec.get(key))
    if machine:
        lines.append(f"  machine        {machine}")
    if about:
        fast = [name for name, there in about["fast"].items() if there]
        engines = ", ".join(f"{name} {version}" for name, version in about["engines"].items())
        lines.append(f"  engines        {engines}   (Python {about['python']})")
        lines.append(f"  instructions   {', '.join(fast) or 'none'} beside float32")
        lines.append(f"  load           {about['load']:.1f}" + ("   in use by others" if about["busy"] else ""))
    lines.append(
        f"  options        {spec.get('runtime', '')} {spec.get('runtime_version', '')} {spec.get('options', '')}"
    )
    if network is None:
        lines.append("  network        not timed")
    else:
        interval = f" [{network['low']:.4g}, {network['high']:.4g}]" if network["low"] < network["high"] else ""
        note = "" if network["kind"] == "measured" else f" ({network['kind']})"
        lines.append(f"  network        {network['value']:.4g} ms{interval}{note} for 9 convolutions of 48 channels")
    lines.append(f"  fingerprint    {tree['fingerprint']}")
    if tree["measurements"] is not None:
        lines.append(f"  measurements   {tree['measurements']:,} in {db}")
    return "\n".join(lines)


def settings(device: Any) -> dict[str, Any]:
    """All fields of a device and their values."""
    return {each.name: getattr(device, each.name) for each in fields(device)}


def changed(device: Any) -> Sequence[str]:
    """The fields that are not the default."""
    return [each.name for each in fields(device) if getattr(device, each.name) != each.default]


def _part(key: str, value: str) -> str:
    return {"cores": f"{value} cores", "governor": f"governor {value}", "cpu_cache": f"{value} cache"}.get(key, value)


def _when(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else None
