"""A user's model by name."""

from pathlib import Path

import pytest

from compress.given import GivenError, load_given


def test_a_folder_is_answered_with_the_model_in_it(tmp_path: Path) -> None:
    (tmp_path / "net.float32.onnx").touch()
    with pytest.raises(GivenError, match=r"got '.*'\. Did you mean '.*net\.float32\.onnx'\?"):
        load_given(str(tmp_path))
