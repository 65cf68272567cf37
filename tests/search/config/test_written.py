from pathlib import Path

from search.config.recipe import read_recipe, recipe_of
from search.config.written import written
from search.config.yaml import parse

RECIPE = """
task: {kind: digits}
devices: {there: {kind: simulated}, here: {kind: simulated}}
steps: [quantize]
"""


def test_texts_that_look_like_something_else_are_read_as_they_were() -> None:
    texts = ["1e-3", "0x1f", "null", "True", "", "~", "1_000", "a: b", "# no", "${HOME}", "$${HOME}", "é", "<<"]
    tree = {"study": "odd", "task": {"kind": "folder", **{f"at{n}": text for n, text in enumerate(texts)}}}
    tree |= {"supernet": {"lr": 1e-05, "epochs": 3, "minutes": None, "list": [[1, 2.5, True], texts], "${X}": {}}}
    assert parse(written(tree), {}).tree == tree
    assert not parse(written(tree), {}).problems


def test_a_recorded_recipe_is_a_file_whose_first_device_judges(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE)
    config = read_recipe(tmp_path / "r.yaml", model="some.module:net")
    assert config.device == "there"
    recorded = dict(sorted(config.tree.items())) | {"objectives": {"accuracy": "max", "latency_ms@there": "min"}}
    recorded["devices"] = dict(sorted(recorded["devices"].items()))
    (tmp_path / "again.yaml").write_text(written(recorded))
    again = read_recipe(tmp_path / "again.yaml")
    assert again.tree == config.tree and again.device == "there" == recipe_of(recorded, "r").device
    assert (tmp_path / "again.yaml").read_text().startswith("# search compress --recipe FILE\nstudy:")
