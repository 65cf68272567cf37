"""Measuring on another machine by a runner that is sent along: nothing of Lathe is installed there, nothing listens.

A job is a folder of its own with the runner and the files, one process that answers it, and no folder any more. The
runner takes the measuring lock of its machine, so several users of one machine wait for each other.
"""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from compress.artifact import sha256_of
from compress.devices import DeviceError, digest
from compress.devices.answers import resources_of
from compress.devices.engines import (
    AUTO,
    PRECISIONS,
    PROCESSORS,
    Setup,
    chosen_engines,
    described,
    measure_in,
    read_by,
)
from compress.devices.jobs import ARCHIVE, file_entry, packed_runner, read_answer
from compress.devices.protocol import Sampling
from compress.measurement import Measurement
from compress.runner.engines import ENGINES
from compress.runner.engines.torch import MODES

WAIT_S = 600  # for the lock of a machine that others measure on
JOBS = ".lathe-"  # the folders of jobs


class Remote(Protocol):
    """What every remote device has. Its settings are those of the local engine, and how to get there."""

    @property
    def engine(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def processor(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def rounds(self) -> int: ...
    @property
    def calls(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def python(self) -> str: ...
    @property
    def limit_s(self) -> int: ...
    @property
    def size_limit_mb(self) -> int: ...

    def send(self, folder: str, files: Sequence[tuple[Path, str]]) -> None:
        """Make `folder` and copy files into it, (here, the name there). Raises: DeviceOffline, DeviceError."""
        ...

    def shell(self, script: str, timeout_s: int) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of a shell script. Raises: DeviceOffline."""
        ...


_known: dict[Remote, tuple[dict[str, str], dict[str, str]]] = {}  # (machine, engines) when each last answered


def check_settings(device: Remote) -> None:
    """Raises: ValueError: if the settings that all remote devices share are impossible."""
    Sampling(device.rounds, device.calls, device.seed)
    for name in ("threads", "limit_s", "size_limit_mb"):
        if getattr(device, name) < 1:
            raise ValueError(f"`{name}` must be at least 1, got {getattr(device, name)}.")
    known_values = {"engine": (*ENGINES, AUTO), "precision": PRECISIONS, "mode": MODES, "processor": PROCESSORS}
    for name, known in known_values.items():
        if getattr(device, name) not in known:
            raise ValueError(f"`{name}` must be one of {', '.join(known)}, got {getattr(device, name)!r}.")


def fingerprint(device: Remote) -> dict[str, str]:
    """What the device is: asked once a process and with every job. Raises: DeviceOffline, DeviceError."""
    if device not in _known:
        ask(device, {"do": "probe"}, [])
    return described(*_known[device], setup_of(device))


def setup_of(device: Remote) -> Setup:
    """The engines that are there. Raises: DeviceOffline; DeviceError: if the one that is asked for is not."""
    if device not in _known:
        ask(device, {"do": "probe"}, [])
    engines = chosen_engines(device.engine, _known[device][1], "the device")
    setup = Setup(engines, device.threads, device.precision, choose=device.engine == AUTO)
    return replace(setup, mode=device.mode, processor=device.processor)


def formats(device: Remote) -> tuple[str, ...]:
    """What the engines that are used there read; `auto` has to ask. Raises: DeviceOffline, DeviceError."""
    if device.engine == AUTO:
        return setup_of(device).formats
    return Setup((device.engine,), device.threads).formats


def measure(device: Remote, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
    """The latency of each file beside `reference`, under the fingerprint of the machine that answered."""
    sampling = Sampling(device.rounds, device.calls, device.seed)

    def there(job: dict[str, Any], sent: Sequence[Path]) -> dict[str, Any]:
        return ask(device, {"do": "measure", **job}, sent)

    return measure_in(setup_of(device), sampling, files, reference, name, there, lambda: digest(fingerprint(device)))


def resources(device: Remote, file: Path, name: str) -> list[Measurement]:
    """Peak memory and energy of a file on the device, in the engine that runs it the fastest there."""
    setup = setup_of(device)
    engine = setup.engines[0]
    if len(setup.engines) > 1:
        engine = str(measure(device, [file], file, name)[0].details["engine"])
    ran = read_by(engine, file)
    job = {"do": "memory", "file": {**file_entry(ran), "engine": engine}, "options": setup.options}
    return resources_of(ask(device, job, [ran]), file, engine, name, digest(fingerprint(device)))


def ask(device: Remote, job: dict[str, Any], files: Sequence[Path]) -> dict[str, Any]:
    """One job and its answer. Raises: DeviceOffline, DeviceError. Cost: three connections."""
    folder, sent = f"{JOBS}{uuid.uuid4().hex}", _renamed(files)
    _check_sizes(list(sent.values()), device.size_limit_mb)
    there = {sha256_of(path): name for name, path in sent.items()}
    job = {**job, "limit_s": device.limit_s, "alone": job["do"] != "probe"}
    if "files" in job:
        job["files"] = [{**entry, "path": there[entry["sha256"]]} for entry in job["files"]]
    if "file" in job:
        job["file"] = {**job["file"], "path": there[job["file"]["sha256"]]}
    with packed_runner() as program:
        device.send(folder, [(program, ARCHIVE), *((path, name) for name, path in sent.items())])
    code, text, errors = device.shell(_script(folder, device.python, job), device.limit_s + WAIT_S)
    if code == 127:
        raise DeviceError(f"there is no {device.python!r} on the device. Name its Python with the setting `python`.")
    answer = read_answer(text, errors, code, device.limit_s)
    try:
        _known[device] = dict(answer["machine"]), dict(answer["engines"])
    except (KeyError, TypeError, ValueError) as error:
        raise DeviceError("the device's answer does not say what it is. Is that another runner?") from error
    return answer


def _script(folder: str, python: str, job: dict[str, Any]) -> str:
    """Answer the job, and leave nothing behind; what a broken connection left a day ago goes too."""
    sweep = f"find . -maxdepth 1 -name '{JOBS}*' -mmin +1440 -exec rm -rf {{}} + 2>/dev/null"
    home, inside = ("~/", python[2:]) if python.startswith("~/") else ("", python)  # quoted, ~ would be a folder's name
    answer = f"printf %s {shlex.quote(json.dumps(job))} | {home}{shlex.quote(inside)} -I {ARCHIVE}"
    return f"{sweep}; trap 'cd ..; rm -rf {folder}' EXIT HUP INT TERM; cd {folder} && {answer}"


def _renamed(files: Sequence[Path]) -> dict[str, Path]:
    """{name there: file}, each content once, under a name that no shell reads otherwise."""
    contents = {file_entry(path)["sha256"]: path for path in reversed(files)}
    found: dict[str, Path] = {}
    for path in contents.values():
        name = re.sub(r"[^A-Za-z0-9._-]", "_", path.name).lstrip("-.") or "model"
        while name in found or name == ARCHIVE:
            name = f"other-{name}"
        found[name] = path
    return found


def _check_sizes(files: Sequence[Path], limit_mb: int) -> None:
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    if size_mb > limit_mb:
        raise DeviceError(f"{size_mb:.0f} MB to send, and `size_limit_mb` is {limit_mb}. Raise it or send fewer files.")
    for path in files:
        beside = path.with_name(path.name + ".data")
        if beside.exists():
            raise DeviceError(f"{path.name} keeps its weights in {beside.name}. Save it as one file to send it.")
