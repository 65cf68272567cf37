"""Measuring at the other end of a wire: a real sshd on this machine, and a stand-in for adb that runs the job here."""

import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from compress.artifact import sha256_of
from compress.devices import DeviceError, DeviceOffline, fingerprint_of, remote
from compress.devices.adb import Adb
from compress.devices.auto import Auto
from compress.devices.executorch import ExecuTorch
from compress.devices.onnxruntime import OnnxRuntime
from compress.devices.ssh import Ssh
from compress.export.screening import export_for_screening
from compress.runner.engines import engine, installed
from tests.compress.loopback import Sshd, fake_adb, running_sshd
from tests.compress.small_networks import INPUT_SHAPE, NETWORKS, NORMALISATION


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as started:
        yield started


@pytest.fixture
def adb(tmp_path: Path) -> Iterator[Adb]:
    with fake_adb(tmp_path) as device:
        yield device


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders of the jobs that this test sends; what lies beside them may be another test's, at work."""
    sent: list[str] = []
    send = Ssh.send
    monkeypatch.setattr(Ssh, "send", lambda self, folder, files: (sent.append(folder), send(self, folder, files))[1])
    return sent


def test_the_same_machine_has_one_fingerprint_whichever_way_it_is_reached(server: Sshd, adb: Adb) -> None:
    assert fingerprint_of(server.device) == fingerprint_of(adb) == fingerprint_of(OnnxRuntime())
    assert fingerprint_of(replace(server.device, threads=2)) == fingerprint_of(OnnxRuntime(threads=2))
    assert fingerprint_of(replace(server.device, engine="auto")) == fingerprint_of(Auto())


def test_a_file_is_measured_there_and_nothing_stays_behind(
    server: Sshd, onnx_files: dict[str, Path], jobs: list[str]
) -> None:
    files = [onnx_files["attention"], onnx_files["plain"]]
    attention, plain = server.device.measure(files, onnx_files["plain"], "pi")
    assert attention.value > plain.value > 0
    assert (plain.device, plain.kind, plain.details["rounds"]) == ("pi", "measured", 10)
    (memory,) = server.device.resources(files[0], "pi")
    assert memory.metric == "resident_bytes" and memory.value > 0
    assert jobs and not [job for job in jobs if (Path.home() / job).exists()]


def test_the_fastest_of_the_engines_there_is_chosen_there(adb: Adb, onnx_files: dict[str, Path]) -> None:
    device = replace(adb, engine="auto")
    (found,) = device.measure([onnx_files["plain"]], onnx_files["attention"], "phone")
    assert found.details["engine"] in installed() and found.fingerprint == fingerprint_of(device)
    others = {name for name in installed() if engine(name).READS == ".onnx"} - {found.details["engine"]}
    assert {key.removeprefix("times_") for key in found.details if key.startswith("times_")} == others
    (memory, *_) = device.resources(onnx_files["plain"], "phone")
    assert memory.value > 0


def test_a_device_on_adb_answers_the_same_jobs(adb: Adb, onnx_files: dict[str, Path]) -> None:
    (found,) = adb.measure([onnx_files["plain"]], onnx_files["plain"], "phone")
    assert found.value > 0 and not list(Path(adb.folder).glob(f"{remote.JOBS}*"))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("executorch") is None, reason="the extra `executorch`")
def test_a_program_of_executorch_is_sent_and_measured_there(server: Sshd, jobs: list[str], tmp_path: Path) -> None:
    device = replace(server.device, engine="executorch")
    assert fingerprint_of(device) == fingerprint_of(ExecuTorch())
    files = [tmp_path / f"{name}.onnx" for name in ("attention", "plain")]
    for file in files:
        export_for_screening(NETWORKS[file.stem](), NORMALISATION, INPUT_SHAPE, file, device.formats)
    attention, plain = device.measure(files, files[1], "pi")
    assert attention.value > plain.value > 0
    assert plain.artifact == sha256_of(files[1])  # the ONNX file stands for the network
    assert plain.details["file"] == sha256_of(files[1].with_suffix(".pte"))
    (memory,) = device.resources(files[1], "pi")
    assert memory.value > 0
    assert jobs and not [job for job in jobs if (Path.home() / job).exists()]


def test_a_host_whose_key_is_not_pinned_is_not_spoken_to(server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("")
    stranger = replace(server.device, known_hosts=str(tmp_path / "known_hosts"))
    with pytest.raises(DeviceError, match="ssh-keyscan") as caught:
        stranger.fingerprint()
    assert not isinstance(caught.value, DeviceOffline)


def test_a_login_that_is_refused_is_not_called_unplugged(server: Sshd, tmp_path: Path) -> None:
    import subprocess

    key = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with pytest.raises(DeviceError, match="refuses the login") as caught:
        replace(server.device, identity=str(key)).fingerprint()
    assert not isinstance(caught.value, DeviceOffline)


def test_a_key_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="there is no key file .*/none. Check `identity`"):
        Ssh(host="127.0.0.1", identity=str(tmp_path / "none")).about()


def test_a_python_in_the_home_of_the_device_is_found_there(
    adb: Adb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an environment of its own, whose path is written with ~."""
    (tmp_path / "my env").mkdir()
    (tmp_path / "my env/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / "my env/python").chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert replace(adb, python="~/my env/python").about()["python"] == platform.python_version()


def test_what_the_device_lacks_is_said(server: Sshd, onnx_files: dict[str, Path], jobs: list[str]) -> None:
    with pytest.raises(DeviceError, match="no 'python9' on the device"):
        replace(server.device, python="python9").fingerprint()
    with pytest.raises(DeviceError, match="took more than 5 s"):
        replace(server.device, limit_s=5, rounds=10**6).measure([onnx_files["plain"]], onnx_files["plain"], "pi")
    assert jobs and not [job for job in jobs if (Path.home() / job).exists()]


def test_too_much_is_not_sent_and_weights_beside_the_file_are_not_forgotten(adb: Adb, tmp_path: Path) -> None:
    large = tmp_path / "large.onnx"
    large.write_bytes(bytes(2_100_000))
    with pytest.raises(DeviceError, match="2 MB to send, and `size_limit_mb` is 1"):
        replace(adb, size_limit_mb=1).measure([large], large, "phone")
    large.with_name("large.onnx.data").write_bytes(b"")
    with pytest.raises(DeviceError, match="keeps its weights in large.onnx.data"):
        adb.measure([large], large, "phone")


def test_an_error_there_is_the_error_here(adb: Adb, tmp_path: Path) -> None:
    damaged = tmp_path / "a b'$(touch x).onnx"
    damaged.write_bytes(b"not a model")
    with pytest.raises(DeviceError, match="cannot open a_b___touch_x_.onnx"):
        adb.measure([damaged], damaged, "phone")


def test_unplugged_is_told_from_broken_and_ends_when_it_is_back(
    server: Sshd, adb: Adb, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    files = [onnx_files["plain"]]
    server.stop()
    with pytest.raises(DeviceOffline, match="cannot be reached: ssh: .*Connection refused. Is it on"):
        server.device.measure(files, files[0], "pi")
    server.start()
    assert server.device.measure(files, files[0], "pi")
    (tmp_path / "unplugged").touch()
    with pytest.raises(DeviceOffline, match="not found"):
        adb.measure(files, files[0], "phone")
    (tmp_path / "unplugged").unlink()
    assert adb.measure(files, files[0], "phone")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Ssh(),
        lambda: Ssh(host="-oProxyCommand=x"),
        lambda: Ssh(host="a", user="-x"),
        lambda: Ssh(host="a", port=0),
        lambda: Ssh(host="a", limit_s=0),
        lambda: Adb(serial="-x"),
        lambda: Adb(folder="/data; rm -rf /"),
        lambda: Adb(threads=0),
    ],
)
def test_settings_that_a_shell_would_read_otherwise_are_refused(make) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()
