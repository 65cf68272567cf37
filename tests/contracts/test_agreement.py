"""A few draws of studies/benchmarks/agreement.py, which compares thousands of architectures of all blocks together."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "studies/benchmarks/agreement.py"


@pytest.fixture(scope="module")
def agreement() -> ModuleType:
    spec = importlib.util.spec_from_file_location("agreement", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_random_architectures_of_all_blocks_answer_the_same_extracted_and_exported(
    agreement: ModuleType, tmp_path: Path
) -> None:
    found = list(agreement.gaps(range(12), files=2, seed=1, folder=tmp_path))
    assert len({arch.id for arch, _, _ in found}) == 12
    assert max(extracted for _, extracted, _ in found) <= agreement.SUPERNET_GAP
    files = [file for _, _, file in found if file is not None]
    assert len(files) == 2 and 0 < max(files) <= agreement.FILE_GAP
