"""Which blocks the contract runs over: each registered one, the example of docs/blocks.md, and all in one space."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spaces.blocks import BLOCKS
from tests.contracts.small_spaces import INPUT, SERIES

PAGE = Path(__file__).parents[2] / "docs/blocks.md"
EXAMPLE, ALL = "docs/blocks.md", "all in one space"


@pytest.fixture(scope="module", params=[*BLOCKS.names(), EXAMPLE, ALL])
def kinds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """Names of the kinds of block that a space is made of; the page's example is registered only meanwhile."""
    if request.param == ALL:
        yield tuple(BLOCKS.names())
    elif request.param == EXAMPLE:
        before = set(BLOCKS.names())
        run_example(tmp_path_factory.mktemp("example") / "example_block.py")
        added = set(BLOCKS.names()) - before
        yield tuple(added)
        for name in added:
            del BLOCKS._entries[name]
    else:
        yield (request.param,)


@pytest.fixture(
    scope="module",
    params=[pytest.param(INPUT, id="images"), pytest.param(SERIES, id="series", marks=pytest.mark.slow)],
)
def shape(request: pytest.FixtureRequest) -> tuple[int, ...]:
    """Of one example. The quick tests of series are in test_series.py."""
    return request.param


def run_example(file: Path) -> None:
    """Write the page's only Python code block to a file and import it, as an author would."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    file.write_text(code)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
