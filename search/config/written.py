"""The config of a recorded study as the YAML file that starts it again."""

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from search.config.recipe import KEYS, file_tree, is_recipe
from search.config.study import SECTIONS
from search.config.yaml import VARIABLE
from search.stitching.config import is_stitched

WIDTH = 120


def written(tree: Mapping[str, Any]) -> str:
    """A space file or recipe that reads as `tree`, under a comment that says which command takes it.

    A stitched study is begun from another study and not from a file: its comment says that.
    """
    own, order = (file_tree(tree), KEYS) if is_recipe(tree) else (dict(tree), SECTIONS)
    ranks = {key: number for number, key in enumerate(order)}
    own = {key: _literal(own[key]) for key in sorted(own, key=lambda key: ranks.get(key, len(ranks)))}
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style = None  # what holds nothing nested stands on one line
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = WIDTH
    yaml.dump(own, text)
    return f"# {_command(tree)}\n{text.getvalue()}"


def _command(tree: Mapping[str, Any]) -> str:
    if is_stitched(tree):
        return "made by `search stitch`, which takes a study and no file"
    if is_recipe(tree):
        return f"search {'tune' if 'tune' in tree else 'compress'} --recipe FILE"
    return "search launch FILE"


def _literal(value: Any) -> Any:
    """The value with ${NAME} in its texts written as $${NAME}: variables were filled in when the study began."""
    if isinstance(value, dict):
        return {_literal(key): _literal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_literal(item) for item in value]
    return VARIABLE.sub(lambda found: f"${found[0]}", value) if isinstance(value, str) else value
