"""A machine that OpenSSH reaches. There: Python with numpy and an engine, an account, a key."""

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

PERMANENT = {
    "Host key verification failed": "the key of {host} is not in {known_hosts}, or it changed. If you trust it: "
    "ssh-keyscan -p {port} {host} >> {known_hosts}, after comparing it with the machine's own.",
    "Permission denied": "{host} refuses the login. Check `user` and `identity`; only keys are tried, no passwords.",
    "Could not resolve hostname": "there is no host {host}. Check `host`.",
    "Bad configuration option": "your ssh configuration does not let ssh start; see `ssh -v {host}`.",
}


@DEVICES.register("ssh")
@dataclass(frozen=True)
class Ssh:
    """host, user, port, identity: as of ssh, whose own configuration holds too. known_hosts: the file with the host's
    key (~/.ssh/known_hosts); no other host is spoken to. python: with numpy and the engine. engine:
    `onnxruntime`, `openvino`, `executorch`, `torch`, or `auto` for the fastest of the first three that are installed
    there. precision: as of `openvino`; mode, processor: as of `torch`; threads, rounds, calls, seed: as of
    `onnxruntime`. limit_s, size_limit_mb: of one job.
    """

    host: str = ""
    user: str = ""
    port: int = 22
    identity: str = ""
    known_hosts: str = "~/.ssh/known_hosts"
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
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]*", self.host):
            raise ValueError(f"`host` must be a name or an address, got {self.host!r}. Write host: 192.168.0.7.")
        if self.user and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", self.user):
            raise ValueError(f"`user` must be a login name, got {self.user!r}.")
        if not 0 < self.port < 65536:
            raise ValueError(f"`port` must be between 1 and 65535, got {self.port}.")
        remote.check_settings(self)

    @property
    def formats(self) -> tuple[str, ...]:
        """What the engine there reads. Raises: with `auto` DeviceOffline, DeviceError."""
        return remote.formats(self)

    def fingerprint(self) -> dict[str, str]:
        """Of the machine at the other end, asked once a process. Raises: DeviceOffline, DeviceError."""
        return remote.fingerprint(self)

    def about(self) -> dict[str, Any]:
        """What runs there."""
        return remote.ask(self, {"do": "probe"}, [])

    def measure(self, files: Sequence[Path], reference: Path, name: str) -> list[Measurement]:
        """As the local device, there. Raises: DeviceOffline: if it does not answer; DeviceError."""
        return remote.measure(self, files, reference, name)

    def resources(self, file: Path, name: str) -> list[Measurement]:
        """Peak memory and energy, there."""
        return remote.resources(self, file, name)

    def send(self, folder: str, files: Sequence[tuple[Path, str]]) -> None:
        """By sftp; the runner compares each file's sha256."""
        puts = [f'put "{path}" "{folder}/{name}"' for path, name in files]
        batch = "\n".join([f"mkdir {folder}", f"chmod 700 {folder}", *puts, ""])
        code, _, errors = self._run(["sftp", "-b", "-", "-P", str(self.port)], [], batch, self.limit_s)
        if code:
            raise DeviceError(f"the files could not be sent to {self.host}: {_reason(errors)}")

    def shell(self, script: str, timeout_s: int) -> tuple[int, str, str]:
        """By ssh, without a terminal."""
        return self._run(["ssh", "-T", "-p", str(self.port)], [script], "", timeout_s)

    def _run(self, program: list[str], arguments: list[str], text: str, timeout_s: int) -> tuple[int, str, str]:
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(Path(self.known_hosts).expanduser()),
            "GlobalKnownHostsFile": "/dev/null",
            "ConnectTimeout": "10",
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "3",
            "ForwardAgent": "no",
            "ClearAllForwardings": "yes",
        }
        command = program + [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        if self.identity:
            key = Path(self.identity).expanduser()
            if not key.exists():  # ssh would try other keys, or none, and call the login refused
                raise DeviceError(f"there is no key file {key}. Check `identity` of {self.host}.")
            command += ["-i", str(key), "-o", "IdentitiesOnly=yes"]
        command += ["--", f"{self.user}@{self.host}" if self.user else self.host, *arguments]
        try:
            done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout_s)
        except FileNotFoundError as error:
            raise DeviceError(f"there is no {program[0]} here. Install the OpenSSH client.") from error
        except subprocess.TimeoutExpired as error:
            raise DeviceOffline(f"{self.host} did not answer within {timeout_s} s.") from error
        if done.returncode == 255:
            for said, remedy in PERMANENT.items():
                if said in done.stderr:
                    raise DeviceError(remedy.format(host=self.host, port=self.port, known_hosts=self.known_hosts))
            raise DeviceOffline(
                f"{self.host} cannot be reached: {_reason(done.stderr)}. Is it on, and are `host` and `port` right?"
            )
        return done.returncode, done.stdout, done.stderr


def _reason(text: str) -> str:
    """The last line; sftp ends with "Connection closed", and what ssh says of the reason stands before."""
    lines = text.strip().splitlines() or ["it said nothing"]
    return next((line for line in reversed(lines) if line.startswith("ssh: ")), lines[-1]).rstrip(".")
