"""The space files that Lathe ships say what their pages say."""

from pathlib import Path

import pytest

from search.config.study import read_config
from spaces.space import size

ROOT = Path(__file__).parents[3]


def test_the_digits_study_searches_a_hundred_million_architectures() -> None:
    config = read_config(ROOT / "studies/digits/space.yaml")
    assert {choice.kind for stage in config.stages for choice in stage.blocks} == {"mbconv", "kan", "attention", "moe"}
    assert size(config.space(config.task.load())) >= 10**8


def test_the_cifar10_study_reads_its_data_from_the_folder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATHE_DATA", str(tmp_path))
    config = read_config(ROOT / "studies/cifar10/space.yaml")
    assert config.tree["task"]["path"] == str(tmp_path / "cifar10-train.parquet")
    assert config.limits == {"params": 3e5, "latency_ms@here": 2.0}
