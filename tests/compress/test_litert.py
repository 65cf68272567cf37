"""LiteRT is another Python's: what is said where there is none, or one without it. The contract test converts."""

import sys
from pathlib import Path

import numpy as np
import pytest

from compress.export import ExportError
from compress.export.litert import VARIABLE, answers, latency_ms


def test_without_the_variable_it_says_how_to_make_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ExportError, match=r"pip install litert-torch==0.10.0; export LATHE_LITERT_PYTHON="):
        latency_ms(tmp_path / "some.tflite")


def test_a_python_that_lacks_it_or_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.zeros((1, 1, 8, 8), np.float32)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    with pytest.raises(ExportError, match=f"{VARIABLE} is {tmp_path}/none, which does not answer"):
        answers(tmp_path / "some.tflite", x)
    try:
        import ai_edge_litert  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        monkeypatch.setenv(VARIABLE, sys.executable)
        with pytest.raises(ExportError, match=f"{sys.executable} lacks ai_edge_litert"):
            answers(tmp_path / "some.tflite", x)
