"""Formats beside ONNX come with a study's export, checked, and described in card.json."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from compress.export import EXPORTERS
from compress.export.session import logits
from search.commands.app import app
from search.errors import LatheError, UsageError
from search.shipping.export import write_export
from search.state.ledger import Ledger
from tests.search.finished_study import Finished


def test_a_format_is_written_checked_and_described(finished: Finished, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Ledger.open(finished.db, create=False) as ledger:
        written = write_export(ledger, "tiny", out, formats=["onnx", "pt2"])
    assert out / "tiny.float32.pt2" in written
    card = json.loads((out / "card.json").read_text())
    entry = card["formats"]["tiny.float32.pt2"]
    assert entry["format"] == "pt2" and entry["size_bytes"] == (out / "tiny.float32.pt2").stat().st_size
    assert entry["agreement"]["images"] == 8 and entry["agreement"]["largest difference"] < 1e-4
    x = np.random.default_rng(0).random((3, 1, 8, 8), np.float32) * 16
    answers = EXPORTERS.get("pt2").answers(out / "tiny.float32.pt2", x)
    if (out / "tiny.float32.onnx").exists():
        np.testing.assert_allclose(answers, logits(out / "tiny.float32.onnx", x), rtol=1e-3, atol=1e-3)


def test_without_formats_only_onnx_is_written(finished: Finished, tmp_path: Path) -> None:
    with Ledger.open(finished.db, create=False) as ledger:
        written = write_export(ledger, "tiny", tmp_path / "out")
    assert {path.suffix for path in written} == {".onnx", ".json"}


def test_a_format_whose_library_is_missing_leaves_nothing(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    refused = pytest.raises(LatheError, match=r"format openvino: .*pip install 'lathe\[openvino\]'")
    with Ledger.open(finished.db, create=False) as ledger, refused:
        write_export(ledger, "tiny", tmp_path / "out", formats=["openvino"])
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_refused_with_the_nearest(finished: Finished) -> None:
    result = CliRunner().invoke(app, ["export", "tiny", "--db", str(finished.db), "--format", "openvin"])
    assert isinstance(result.exception, UsageError)
    assert "did you mean 'openvino'?" in str(result.exception)
