"""The command line: exit codes, one message for what is wrong, data on stdout, nothing else there."""

import json
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from search.commands.app import app
from search.config.study import read_config
from search.errors import Interrupted
from tests.search.command_line import Call, is_one_message, process
from tests.search.finished_study import TINY, Finished

GROUP = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)  # type: ignore[attr-defined]
READING = ("status", "top", "show", "report", "export")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_options(search: Call, command: str) -> None:
    said = search(command, "--help")
    assert said.code == 0
    assert f"search {command}" in said.out
    for parameter in GROUP.commands[command].params:  # type: ignore[attr-defined]
        if parameter.param_type_name == "option" and not parameter.hidden:
            assert parameter.help, f"{parameter.name} says nothing"
            assert any(name in said.out for name in parameter.opts)


def test_the_list_of_commands_says_what_each_does_without_cutting_it_short(search: Call) -> None:
    said = search("--help").out
    assert "..." not in said[said.index("Commands:") :]


def test_ctrl_c_leaves_with_130_and_one_line(search: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("search.latency.files.measure_files", interrupted)
    (tmp_path / "some.onnx").touch()
    said = search("measure", tmp_path / "some.onnx")
    assert said.code == 130 and said.out == ""
    assert said.err == "stopped. Nothing is half written; the same command begins again.\n"


def test_a_study_that_pauses_says_how_to_go_on_and_not_to_begin_again(
    search: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paused(*_: object, **__: object) -> None:
        raise Interrupted("study 'tiny' is paused. Go on with:  search resume tiny")

    monkeypatch.setattr("search.latency.files.measure_files", paused)
    (tmp_path / "some.onnx").touch()
    said = search("measure", tmp_path / "some.onnx")
    assert said.code == 130 and said.out == ""
    assert said.err == "study 'tiny' is paused. Go on with:  search resume tiny\n"


def test_ctrl_c_while_the_commands_are_being_loaded_leaves_with_130_and_one_line(
    search: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "search.commands.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "search.commands.app")
    monkeypatch.setattr(sys, "meta_path", [Interrupting, *sys.meta_path])
    said = search("status")
    assert said.code == 130 and said.out == ""
    assert said.err == "stopped. Nothing is half written; the same command begins again.\n"


def test_version_is_the_installed_one() -> None:
    said = process("--version")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("lathe ")


def test_an_unknown_command_or_option_is_a_usage_error(search: Call) -> None:
    assert search("lanch", TINY).code == 2
    assert search("status", "--jsn").code == 2
    assert search("top", "-n", "0").code == 2


def test_a_bad_space_file_is_one_message_and_exit_code_3(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(TINY.read_text().replace("kernel:", "kernal:"))
    said = process("launch", file, "--db", tmp_path / "lathe.db")
    is_one_message(said, 3, "space.yaml:", "unknown field 'kernal' for block 'mbconv'", "did you mean 'kernel'?")
    assert not (tmp_path / "lathe.db").exists()


def test_a_missing_space_file_and_a_bad_override_leave_with_3(search: Call, tmp_path: Path) -> None:
    is_one_message(search("validate", tmp_path / "none.yaml"), 3, "there is no such file")
    is_one_message(search("launch", TINY, "-o", "search.trails=3"), 3, "-o search.trails=3: error:", "mean 'trials'?")


def test_data_that_is_not_there_leaves_with_3(search: Call, tmp_path: Path) -> None:
    said = search("validate", TINY, "-o", f"task={{kind: parquet, path: {tmp_path}/none.parquet}}")
    is_one_message(said, 3, "no data file")


def test_a_command_that_cannot_begin_leaves_no_database_behind(search: Call, tmp_path: Path) -> None:
    db, recipe = tmp_path / "runs" / "lathe.db", tmp_path / "recipe.yaml"
    recipe.write_text("task: {kind: digits}\nsteps: [quantize]\n")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    none = f"task={{kind: parquet, path: {tmp_path}/none.parquet}}"
    is_one_message(search("launch", TINY, "-o", none, "--db", db), 3, "no data file")
    is_one_message(search("launch", TINY, "-o", "limits={params: 1}", "--db", db), 5, "limit")
    for model in (tmp_path / "bad.onnx", tmp_path / "none.onnx"):
        said = search("compress", "--model", model, "--recipe", recipe, "--db", db)
        assert said.code != 0 and "Traceback" not in said.err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.onnx", "recipe.yaml"]


def test_validate_says_what_the_space_holds(search: Call) -> None:
    said = search("validate", TINY)
    assert said.code == 0
    assert "1,079 to train, 359 to validate" in said.out and "architectures" in said.out


def test_a_dry_run_prints_the_plan_and_writes_nothing(search: Call, tmp_path: Path) -> None:
    said = search("launch", TINY, "--dry-run", "--db", tmp_path / "runs/lathe.db")
    assert said.code == 0
    for word in ("architectures", "1 supernet", "2 search", "3 winners", "estimate", "12 trials with "):
        assert word in said.out
    assert list(tmp_path.iterdir()) == []


def test_an_infeasible_space_is_refused_before_anything_is_written_down(search: Call, tmp_path: Path) -> None:
    db = tmp_path / "lathe.db"
    said = search("launch", TINY, "-q", "-o", "limits.params=1k", "--db", db)
    is_one_message(said, 5, "The nearest found is", "params is 3,", "limit 1,000", "Raise these limits")
    assert not db.exists()


def test_an_unknown_study_is_answered_with_the_nearest(search: Call, finished: Finished) -> None:
    is_one_message(process("resume", "tinny", "--db", finished.db), 4, "no study 'tinny'", "Did you mean 'tiny'?")
    for command in READING:
        said = search(command, "tinny", "--db", finished.db)
        is_one_message(said, 4, "no study 'tinny'", "Did you mean 'tiny'?")


def truncated(file: Path, finished: Finished) -> None:
    with sqlite3.connect(finished.db) as source, sqlite3.connect(file) as copy:
        source.backup(copy)
    file.write_bytes(file.read_bytes()[:-20_000])


BROKEN: dict[str, Callable[[Path, Finished], object]] = {
    "random bytes": lambda file, _: file.write_bytes(os.urandom(5000)),
    "a truncated file": truncated,
    "an empty file that was left": lambda file, _: (file.touch(), os.utime(file, (0, 0))),
    "a folder": lambda file, _: file.mkdir(),
    "another program's database": lambda file, _: sqlite3.connect(file).execute("create table a (b)"),
    "nothing": lambda file, _: None,
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_database_that_cannot_be_read_is_one_message_and_exit_code_7(
    search: Call, what: str, finished: Finished, tmp_path: Path
) -> None:
    db = tmp_path / "lathe.db"
    BROKEN[what](db, finished)
    for command in READING:
        is_one_message(search(command, "--db", db), 7, str(db))
    is_one_message(search("resume", "tiny", "--db", db), 7, str(db))
    if what != "a truncated file":  # whose damage `db check` lists
        is_one_message(search("db", "check", "--db", db), 7, str(db))


def test_a_folder_without_studies_says_how_to_start_one(
    search: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LATHE_DB", raising=False)
    for command in (*((name,) for name in READING), ("db", "check"), ("db", "upgrade"), ("db", "clean")):
        is_one_message(search(*command), 7, "there is no study database", "`search launch` makes one")
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_versioned_document(search: Call, finished: Finished) -> None:
    for command, key in (("status", "studies"), ("top", "trials"), ("show", "models"), ("doctor", "findings")):
        said = search(command, "--json", "--db", finished.db)
        assert (said.code, said.err) == (0, "")
        tree = json.loads(said.out)
        assert tree["v"] == 1 and tree[key]


def test_show_config_is_a_space_file_that_launches_the_same_study(
    search: Call, finished: Finished, tmp_path: Path
) -> None:
    file = tmp_path / "again.yaml"
    file.write_text(search("show", "--config", "--db", finished.db).out)
    assert file.read_text().startswith("# search launch FILE\nstudy: tiny\ntask:")
    assert read_config(file).tree == finished.config.tree
    assert search("validate", file).code == 0
    assert "nothing is repeated" in search("launch", file, "--db", finished.db).err
    said = search("show", "--config", "--json", "--db", finished.db)
    assert json.loads(said.out) == finished.config.tree


def test_a_pipe_gets_plain_text(finished: Finished) -> None:
    for command in ("status", "show"):
        said = process(command, "--db", finished.db)
        assert said.code == 0
        assert "tiny" in said.out or "mbconv" in said.out
        assert "\x1b" not in said.out + said.err
    assert said.out == process(command, "--db", finished.db, NO_COLOR="1").out


def test_status_and_top_are_columns_for_other_programs(search: Call, finished: Finished) -> None:
    header, row = (line.split("\t") for line in search("status", "--db", finished.db).out.splitlines())
    assert dict(zip(header, row, strict=True))["state"] == "done"
    lines = [line.split("\t") for line in search("top", "-n", "3", "--db", finished.db).out.splitlines()]
    assert len(lines) == 4
    losses = [float(line[lines[0].index("loss")]) for line in lines[1:]]
    assert losses == sorted(losses)


def test_a_report_that_cannot_be_written_is_one_message(search: Call, finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    said = search("report", "--db", finished.db, "--out", tmp_path)
    is_one_message(said, 2, "--out is a file, and", "is a folder")
    said = search("report", "--db", finished.db, "--out", tmp_path / "file" / "tiny.html")
    is_one_message(said, 1, "cannot write", "Name another file with `--out`")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_step_says_for_how_long_it_trained(search: Call, finished: Finished, tmp_path: Path) -> None:
    told = [line for line in search("show", "--db", finished.db).out.splitlines() if " distill " in line]
    winner, by_hand = "3 epochs; ", "1 epoch; "  # those of the supernet, which the hand-made network has before
    assert [winner in line for line in told] == [by_hand not in line for line in told]
    assert any(winner in line for line in told) and any(by_hand in line for line in told)
    page = Path(search("report", "--db", finished.db, "--out", tmp_path / "tiny.html").out.strip()).read_text()
    assert "float32, 3 epochs" in page and "float32, 1 epoch<" in page


def test_report_and_export_print_the_files_they_wrote(search: Call, finished: Finished, tmp_path: Path) -> None:
    said = search("report", "--db", finished.db)
    assert said.out == f"{Path(finished.db).parent / 'tiny.html'}\n", "beside the database"
    said = search("report", "--db", finished.db, "--out", tmp_path / "a" / "tiny.html")
    assert said.code == 0 and Path(said.out.strip()).is_file()
    said = search("export", "--db", finished.db, "--out", tmp_path / "out")
    assert said.code == 0
    assert {Path(line).name for line in said.out.splitlines()} == {p.name for p in (tmp_path / "out").iterdir()}


def test_launching_a_finished_study_again_changes_nothing_and_tells_it_again(finished: Finished, search: Call) -> None:
    said = search("resume", "tiny", "--db", finished.db)
    assert "This study is done; nothing is repeated." in said.err
    assert said.code == 0
    assert "shipped" in said.out and "against the baselines" in said.out
    assert f"search report tiny --db {finished.db}" in said.err


def test_resuming_a_done_study_without_facts_adds_them(finished: Finished, search: Call, tmp_path: Path) -> None:
    db = tmp_path / "old.db"
    with sqlite3.connect(finished.db) as source, sqlite3.connect(db) as copy:
        source.backup(copy)
        copy.execute("delete from lathe_checkpoint where name = 'facts'")
    shutil.copytree(f"{finished.db}.artifacts", f"{db}.artifacts")
    assert search("export", "tiny", "--db", db, "--out", tmp_path / "out", "--bundle").code == 1
    assert search("resume", "tiny", "--db", db).code == 0
    assert search("export", "tiny", "--db", db, "--out", tmp_path / "out", "--bundle").code == 0


def test_the_doctor_finds_this_machine_ready(search: Call, tmp_path: Path) -> None:
    said = search("doctor", "--db", tmp_path / "none.db")
    assert said.code == 0, said.out
    assert "none yet, made by the first launch" in said.out
    assert "FIX" not in said.out


def test_the_doctor_says_what_to_do_about_a_broken_database(search: Call, tmp_path: Path) -> None:
    db = tmp_path / "lathe.db"
    db.write_bytes(os.urandom(5000))
    said = search("doctor", "--db", db)
    assert said.code == 1
    assert "not a database" in said.out and "point --db or LATHE_DB" in said.out


def test_an_export_into_a_file_is_refused_before_anything_is_read(search: Call, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    is_one_message(search("export", "--out", tmp_path / "notes.txt"), 2, "--out is a folder", "notes.txt is a file")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_address_where_no_dashboard_can_listen_is_said_before_it_starts(search: Call, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        is_one_message(search("dashboard", "--db", tmp_path / "x.db", "--port", port), 2, port, "in use", "--port")
    is_one_message(search("dashboard", "--db", tmp_path / "x.db", "--host", "no.such.host.invalid"), 2, "--host")
    assert search("dashboard", "--port", "99999").code == 2


def test_the_dashboard_without_streamlit_names_the_extra(
    search: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    is_one_message(search("dashboard", "--db", tmp_path / "x.db"), 4, "pip install 'lathe[dashboard]'")


def test_networks_too_large_for_the_memory_are_one_message(search: Call) -> None:
    wide = "space.stages.0.width=[99999999]"
    is_one_message(search("validate", TINY, "-o", wide), 1, "too little memory", "Lower the largest `width`")


def test_a_seed_that_no_generator_takes_is_refused_at_once(search: Call) -> None:
    is_one_message(search("validate", TINY, "-o", "search.seed=4294967296"), 3, "`seed` must be at most 4,294,967,295")
