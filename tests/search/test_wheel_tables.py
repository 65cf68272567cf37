"""studies/benchmarks/wheel_tables.py: tables that Python packages carry become files that searches are compared on."""

import importlib
import itertools
import pickle
import zipfile
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "studies/benchmarks"


@pytest.fixture
def wheels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("wheel_tables")


def wheel_of(folder: Path, name: str, content: object) -> Path:
    path = folder / "package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as files:
        files.writestr(name, pickle.dumps(content))
    return path


def test_the_graph_networks_are_as_many_as_their_paper_says(wheels: ModuleType) -> None:
    every = itertools.product(wheels.LINKS, itertools.product(wheels.OPERATIONS, repeat=4))
    assert len({wheels.tree(link, ops) for link, ops in every if set(ops) != {"skip"}}) == 26206


def test_graph_networks_are_one_by_order_and_by_skips_and_no_others(wheels: ModuleType) -> None:
    chain = (0, 1, 2, 3)
    assert wheels.tree(chain, ("gcn", "skip", "fc", "gat")) == wheels.tree(chain, ("skip", "gcn", "fc", "gat"))
    assert wheels.tree(chain, ("gcn", "fc", "gat", "skip")) != wheels.tree(chain, ("skip", "fc", "gcn", "gat"))
    assert wheels.tree((0, 0, 1, 2), ("gcn", "fc", "gat", "sage")) == wheels.tree(
        (0, 0, 1, 2), ("fc", "gcn", "sage", "gat")
    )
    assert wheels.tree((0, 0, 1, 2), ("gcn", "fc", "gat", "sage")) != wheels.tree(
        (0, 0, 1, 2), ("fc", "gcn", "gat", "sage")
    )


def test_every_combination_of_a_wheels_graph_networks_finds_the_row_of_its_network(
    wheels: ModuleType, tmp_path: Path
) -> None:
    bench, worth = {}, {}
    for at, ops in itertools.product(range(len(wheels.LINKS)), itertools.product(("fc", "skip"), repeat=4)):
        tree = wheels.tree(wheels.LINKS[at], ops)
        if set(ops) != {"skip"} and tree not in worth:
            number = int("".join(str(digit) for digit in (at, *(wheels.OPERATIONS.index(op) for op in ops))))
            worth[tree] = (len(worth) + 1) / 100
            bench[number] = {"perf": worth[tree], "valid_perf": 0.5, "latency": 0.1, "para": ops.count("fc") + 1}
    wheel = wheel_of(tmp_path, "nas_bench_graph/light/cora.bench", bench)
    for file, content in wheels.tables_of(wheel):
        wheels.parquet.write_table(content, tmp_path / file)
    table = importlib.import_module("nas_tables").read_table(tmp_path, "cora")
    assert len(table.codes) == len(worth) and len(table.index) == 9 * 2**4
    for code, row in table.index.items():
        ops = tuple(("fc", "skip")[op] for op in code[1:])
        known = worth.get(wheels.tree(wheels.LINKS[code[0]], ops))
        assert set(ops) == {"skip"} if known is None else table.accuracy[row] == pytest.approx(100 * known)


def test_a_wheels_pickle_cannot_name_what_is_no_number(wheels: ModuleType, tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, "nas_bench_graph/light/cora.bench", {0: Fraction(1, 2)})
    with pytest.raises(pickle.UnpicklingError, match=r"fractions\.Fraction"):
        list(wheels.tables_of(wheel))
