"""An Android device over adb. There: a Python with numpy and an engine, such as Termux has."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.devices import DEVICES, DeviceError, DeviceOffline, remote
from compress.devices.engines import PRECISIONS, PROCESSORS
from compress.measurement import Measurement
from compress.runner.engines.torch import MODES
from compress.scratch import scratch_folder

GONE = ("no devices", "not found", "device offline", "unauthorized", "cannot connect", "closed", "daemon not running")


@DEVICES.register("adb")
@dataclass(frozen=True)
class Adb:
    """serial: as `adb devices` lists it; empty where there is only one. folder: there, writable by the shell. The rest
    as of `ssh`. Tested with a stand-in for adb that runs the job on this machine, not with a telephone.
    """

    serial: str = ""
    folder: str = "/data/local/tmp"
    python: str = "python3"
    engine: str = "onnxruntime"
    precision: str = PRECISIONS[0]
    mode: str = MODES[0]
    processor: str = PROCESSORS[0]
    threads: int = 1
    rounds: int = 30
    calls: int = 5
    seed: int = 0
    limit_s: int = 120
    size_limit_mb: int = 200

    def __post_init__(self) -> None:
        if self.serial and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]*", self.serial):
            raise ValueError(f"`serial` must be one that `adb devices` lists, got {self.serial!r}.")
        if not re.fullmatch(r"/[A-Za-z0-9_./-]+", self.folder):
            raise ValueError(f"`folder` must be an absolute path without blanks, got {self.folder!r}.")
        remote.check_settings(self)

    @property
    def formats(self) -> tuple[str, ...]:
        """What the engine there reads. Raises: with `auto` DeviceOffline, DeviceError."""
        return remote.formats(self)

    def fingerprint(self) -> dict[str, str]:
        """Of the device, asked once a process. Raises: DeviceOffline, DeviceError."""
        return remote.fingerprint(self)

    def about(self) -> dict[str, Any]:
        """What runs there."""
        return remote.ask(self, {"do": "probe"}, [])

    def measure(self, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        """As the local device, there. Raises: DeviceOffline: if it does not answer; DeviceError."""
        return remote.measure(self, files, reference, name)

    def resources(self, file: Path, name: str) -> list[Measurement]:
        """Peak memory, there."""
        return remote.resources(self, file, name)

    def send(self, folder: str, files: Sequence[tuple[Path, str]]) -> None:
        """By one `adb push` of a folder."""
        with scratch_folder() as scratch:
            whole = scratch / folder
            whole.mkdir(mode=0o700)
            for path, name in files:
                (whole / name).write_bytes(path.read_bytes())
            code, _, errors = self._run(["push", str(whole), f"{self.folder}/{folder}"], self.limit_s)
        if code:
            raise DeviceError(f"the files could not be sent by adb: {errors.strip()}")

    def shell(self, script: str, timeout_s: int) -> tuple[int, str, str]:
        """By `adb shell`, in the folder of this device's settings."""
        return self._run(["shell", f"cd {self.folder} && {script}"], timeout_s)

    def _run(self, arguments: Sequence[str], timeout_s: int) -> tuple[int, str, str]:
        command = ["adb", *(["-s", self.serial] if self.serial else []), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise DeviceError("there is no adb here. Install Android's platform tools.") from error
        except subprocess.TimeoutExpired as error:
            raise DeviceOffline(f"adb did not answer within {timeout_s} s.") from error
        said = done.stderr.strip()
        if done.returncode and said.startswith(("error:", "adb:")) and any(words in said for words in GONE):
            raise DeviceOffline(f"the device cannot be reached: {said.splitlines()[0]}")
        return done.returncode, done.stdout, done.stderr
