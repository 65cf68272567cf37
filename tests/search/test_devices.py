"""`search device`: saved once, named in every file and command, reached, and told apart from what is not there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compress.devices import fingerprint_of
from compress.devices.lock import exclusive
from compress.devices.onnxruntime import OnnxRuntime
from compress.devices.simulated import Simulated
from compress.devices.ssh import Ssh
from search.config.devices import saved_device
from search.config.saved import save_device, saved_file, saved_names
from search.config.study import config_of, read_config
from search.errors import ConfigError
from search.latency.reached import reached
from search.latency.sample_network import sample_model
from tests.compress.loopback import Sshd, running_sshd
from tests.search.command_line import Call, is_one_message
from tests.search.finished_study import TINY, Finished

HERE = ("--kind", "onnxruntime", "--set", "threads=1", "--set", "rounds=5")


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes what the person who runs the tests has saved."""
    monkeypatch.setenv("LATHE_DEVICES", str(tmp_path / "settings" / "devices.yaml"))
    monkeypatch.setenv("LATHE_DB", str(tmp_path / "none.db"))
    return saved_file()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as started:
        yield started


def save_pi(search: Call, device: Ssh) -> None:
    names = ("host", "user", "port", "identity", "known_hosts", "python", "rounds", "calls")
    settings = [part for name in names for part in ("--set", f"{name}={getattr(device, name)}")]
    assert search("device", "add", "pi", "--kind", "ssh", *settings).code == 0


def test_a_saved_device_is_what_a_file_and_a_command_mean_by_its_name(search: Call, tmp_path: Path) -> None:
    assert search("device", "add", "pi", "--kind", "simulated", "--set", "node_us=3").code == 0
    assert saved_device("pi") == Simulated(node_us=3.0)
    given = "devices={formula: {saved: pi}, fast: {saved: pi, node_us: 1.5}, pi: saved}"
    slow, fast = Simulated(node_us=3.0), Simulated(node_us=1.5)
    assert read_config(TINY, [given]).devices == {"formula": slow, "fast": fast, "pi": slow}
    model = sample_model(tmp_path / "sample.onnx")
    found = json.loads(search("measure", model, "--device", "pi", "--json").out)
    assert found["device"]["node_us"] == "3.0"
    found = json.loads(search("measure", model, "--device", "pi", "--set", "node_us=4", "--json").out)
    assert found["device"]["node_us"] == "4.0"


def test_a_study_keeps_what_the_device_was_when_it_is_forgotten(search: Call) -> None:
    search("device", "add", "pi", "--kind", "simulated", "--set", "node_us=3")
    config = read_config(TINY, ["devices={formula: {saved: pi}}"])
    assert config.tree["devices"] == {"formula": {"kind": "simulated", "node_us": 3.0}}
    assert search("device", "rm", "pi").code == 0
    assert config_of(config.tree, "tiny").devices == config.devices
    assert saved_names() == []
    assert search("device", "list").code == 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("devices={formula: {saved: pu}}", "no device 'pu' is saved"),
        ("devices={pu: saved}", "did you mean 'pi'?"),
        ("devices={formula: {saved: pi, kind: ssh}}", "a saved device has its kind"),
        ("devices={formula: {saved: pi, nod_us: 2}}", "did you mean 'node_us'?"),
        ("limits={latency_ms@pi: 3}", "it is saved: add it to `devices:`, pi: saved"),
        ("devices={here: kept}", "must be a mapping"),
    ],
)
def test_a_wrong_use_in_a_file_is_said_where_it_stands(override: str, message: str) -> None:
    save_device("pi", {"kind": "simulated"})
    with pytest.raises(ConfigError) as caught:
        read_config(TINY, [override])
    assert message in str(caught.value) and "-o " in str(caught.value)


def test_comments_and_variables_of_the_user_survive_an_addition(own_file: Path, monkeypatch) -> None:
    own_file.parent.mkdir()
    own_file.write_text("# mine\nlab: {kind: ssh, host: '${LAB}'}  # in the cellar\n")
    monkeypatch.setenv("LAB", "10.0.0.1")
    save_device("pi", {"kind": "simulated", "node_us": 2.0})
    assert "# mine" in own_file.read_text() and "${LAB}" in own_file.read_text() and "cellar" in own_file.read_text()
    assert saved_device("lab") == Ssh(host="10.0.0.1")
    assert saved_names() == ["lab", "pi"]


ADD = ("device", "add")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((*ADD, "p", "--kind", "shh"), 4, "did you mean 'ssh'?"),
        ((*ADD, "p", "--kind", "ssh"), 2, "`host` must be a name"),
        ((*ADD, "p", "--kind", "ssh", "--set", "hots=a"), 2, "'ssh' has no setting 'hots'; did you mean 'host'?"),
        ((*ADD, "p", "--kind", "ssh", "--set", "host=a", "--set", "port=x"), 2, "`port` must be a whole number"),
        ((*ADD, "p", "--kind", "ssh", "--set", "host"), 2, "got 'host'. Write host=VALUE."),
        ((*ADD, "a b", "--kind", "simulated"), 2, "must be a name of at most 64 letters"),
        ((*ADD, "ssh", "--kind", "simulated"), 2, "is a kind of device"),
        ((*ADD, "pi", "--kind", "simulated"), 4, "is saved already. Add --replace"),
        (("device", "show", "pj"), 4, "did you mean 'pi'?"),
        (("device", "probe", "pj"), 4, "did you mean 'pi'?"),
        (("device", "rm", "pj"), 4, "did you mean 'pi'?"),
        (("measure", str(TINY), "--device", "pj"), 4, "did you mean 'pi'?"),
        (("device", "probe", "away"), 6, "there is no host nowhere.invalid"),
    ],
)
def test_what_cannot_be_is_one_message(search: Call, arguments: tuple[str, ...], code: int, words: str) -> None:
    save_device("pi", {"kind": "simulated"})
    save_device("away", {"kind": "ssh", "host": "nowhere.invalid"})
    is_one_message(search(*arguments), code, words)
    assert saved_names() == ["away", "pi"]


def test_a_file_that_was_broken_by_hand_is_shown_and_not_written_over(search: Call, own_file: Path) -> None:
    own_file.parent.mkdir()
    own_file.write_text("pi: {kind: simulated, nodes_us: 2}\nlab: [\n")
    is_one_message(search("device", "list"), 3, "devices.yaml:")
    is_one_message(search(*ADD, "p", "--kind", "simulated"), 3, "devices.yaml:")
    own_file.write_text("pi: {kind: simulated, nodes_us: 2}\n")
    is_one_message(search("device", "show", "pi"), 3, "devices.yaml:1:", "did you mean 'node_us'?")
    assert search("device", "rm", "pi").code == 0  # so that it can be repaired without an editor


def test_a_probe_says_what_is_there_and_the_list_remembers_it(search: Call, finished: Finished) -> None:
    search("device", "add", "box", *HERE)
    (before,) = json.loads(search("device", "list", "--json").out)["devices"]
    assert (before["last_reached"], before["measurements"]) == (None, None)
    said = search("device", "probe", "box", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["network"]["low"] <= found["network"]["value"] <= found["network"]["high"]
    assert found["about"]["engines"]["onnxruntime"] == found["spec"]["runtime_version"]
    assert found["fingerprint"] == fingerprint_of(OnnxRuntime(rounds=5))
    shown = json.loads(search("device", "show", "box", "--json", "--db", finished.db).out)
    assert shown["fingerprints"] == [found["fingerprint"]] and shown["last_reached"].startswith("20")
    assert "box" in search("device", "list").out
    assert search("device", "add", "box", *HERE, "--replace").code == 0
    assert reached("box").fingerprints == ()


def test_measurements_of_a_study_are_counted_for_the_device(search: Call, finished: Finished) -> None:
    save_device("tiny", finished.config.tree["devices"]["formula"])
    assert saved_device("tiny") == finished.config.devices["formula"]
    assert search("device", "probe", "tiny").code == 0
    shown = json.loads(search("device", "show", "tiny", "--json", "--db", finished.db).out)
    assert shown["measurements"] > 0


def test_a_device_in_use_is_waited_for_and_then_said_to_be(search: Call) -> None:
    save_device("box", {"kind": "onnxruntime", "rounds": 5})
    with exclusive("cpu"):
        said = search("device", "probe", "box", "--wait", "0")
    assert said.code == 4
    assert said.err.count("error: ") == 1 and "box is in use" in said.err
    assert "not timed" in said.out and "in use by others" in said.out


def test_a_machine_behind_ssh_is_probed_and_measured_by_its_name(search: Call, server: Sshd, tmp_path: Path) -> None:
    save_pi(search, server.device)
    found = json.loads(search("device", "probe", "pi", "--json").out)
    assert found["fingerprint"] == fingerprint_of(OnnxRuntime()) and found["network"]["value"] > 0
    said = search("measure", sample_model(tmp_path / "sample.onnx"), "--device", "pi", "--json")
    assert json.loads(said.out)["device"]["name"] == "pi"
    server.stop()
    try:
        is_one_message(search("device", "probe", "pi"), 6, "127.0.0.1 cannot be reached", "Connection refused")
    finally:
        server.start()
