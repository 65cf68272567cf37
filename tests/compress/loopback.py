"""The other end of a wire on this machine: a real sshd on loopback, and a stand-in for adb."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compress.devices import DEVICES, Device
from compress.devices.adb import Adb
from compress.devices.ssh import Ssh
from compress.runner.engines import ENGINES, installed

QUICK = {"torch": {"mode": "eager"}, "auto": {"engines": "onnxruntime, openvino"}}  # of the slow, tests have their own
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
FAKE_ADB = """#!{python}
# Stands for adb: a "device" is a folder of this machine, and it is gone when the file `unplugged` is there.
import os, subprocess, sys
root, arguments = {root!r}, sys.argv[1:]
if arguments[:1] == ["-s"]:
    arguments = arguments[2:]
if os.path.exists(os.path.join(root, "unplugged")):
    sys.exit("error: device 'fake' not found")
if arguments[0] == "push":
    sys.exit(subprocess.run(["cp", "-r", *arguments[1:]]).returncode)
if arguments[0] == "shell":
    sys.exit(subprocess.run(["sh", "-c", arguments[1]]).returncode)
sys.exit("adb: unknown command " + arguments[0])
"""


@dataclass
class Sshd:
    """A server that can be stopped and started again; it knows one key, and `device` holds the other half."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def device(self) -> Ssh:
        return Ssh(
            host="127.0.0.1",
            user=getpass.getuser(),
            port=self.port,
            identity=str(self.folder / "login"),
            known_hosts=str(self.folder / "known_hosts"),
            python=sys.executable,
            rounds=10,
            calls=3,
        )

    def start(self) -> None:
        command = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        pytest.fail("sshd did not start: " + (self.folder / "sshd.log").read_text())

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """A server with keys of its own on a free port; a skip where there is none to start."""
    if not Path(SSHD).exists() or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server is installed (apt-get install openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it when it is started by root
    for name in ("host", "login"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (folder / "authorized").write_bytes((folder / "login.pub").read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host_key = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "PasswordAuthentication": "no",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "prohibit-password",
        "Subsystem": "sftp internal-sftp",
        "SetEnv": f"LATHE_LOCK_DIR={folder}",  # what others measure on this machine is not waited for
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    server = Sshd(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def fake_adb(folder: Path) -> Iterator[Adb]:
    """`adb` on the PATH is a program that runs everything here; the file `unplugged` in the folder unplugs it."""
    bin_folder, device = folder / "bin", folder / "device"
    for each in (bin_folder, device):
        each.mkdir()
    program = bin_folder / "adb"
    program.write_text(FAKE_ADB.format(python=sys.executable, root=str(folder)))
    program.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{bin_folder}:{before}"
    try:
        yield Adb(serial="fake", folder=str(device), python=sys.executable, rounds=10, calls=3)
    finally:
        os.environ["PATH"] = before


@contextlib.contextmanager
def device_of_kind(kind: str, folders: pytest.TempPathFactory) -> Iterator[Device]:
    """A device of a registered kind that can be measured on here."""
    if kind == "ssh":
        with running_sshd(folders.mktemp("ssh")) as server:
            yield server.device
    elif kind == "adb":
        with fake_adb(folders.mktemp("adb")) as device:
            yield device
    elif kind in set(ENGINES) - set(installed()):
        pytest.skip(f"the engine {kind} is not installed: pip install 'lathe[{kind}]'")
    else:
        make: Any = DEVICES.get(kind)
        yield make(**QUICK.get(kind, {}))
