"""The recipe of what was shipped as a file that `search compress` takes, every setting written down."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search.report.page import config_yaml
from search.report.summary import evaluation_of
from search.report.words import percent, size
from search.state.ledger import Ledger
from search.state.records import VariantRecord
from search.tuning.seen import step_of
from search.tuning.space import settings_of

KEPT = ("choose", "task", "input", "teacher", "limits", "devices", "max_drop", "seed")


def recipe_tree(config: Mapping[str, Any], variants: Sequence[VariantRecord], shipped: VariantRecord) -> dict[str, Any]:
    """The recipe that makes the shipped variant again from the network it was made of. No steps: that is the best."""
    by_id = {variant.id: variant for variant in variants}
    way = [shipped]
    while (base := next((p.id for p in way[-1].parents if p.role == "base"), None)) in by_id:
        way.append(by_id[base])
    start, *made = reversed(way)
    named = {"variant": start.config["source"]} if "variant" in config else {"model": config["model"]}
    steps = [
        {variant.step: {key: value for key, value in settings_of(step_of(variant)).items() if value is not None}}
        for variant in made
    ]
    tree = {"study": f"{config['study']}-recipe"[:64], **named, **{key: config[key] for key in KEPT if key in config}}
    return tree | {"judge": "end", "steps": steps}


def write_recipe(ledger: Ledger, study: str, path: Path) -> Path | None:
    """Write the recipe of what a tuned study shipped; None, and no file, where the network as given is the best."""
    record = ledger.study(study)
    variants = ledger.variants(record.id)
    shipped = next(variant for variant in variants if variant.is_shipped)
    tree = recipe_tree(record.config, variants, shipped)
    if not tree["steps"]:
        return None
    costs = {m.metric: m for m in shipped.measurements}
    told = percent(evaluation_of(shipped.evaluations, "accuracy", "validation"))
    head = (
        f"# Found by `search tune`, study {study}. Run it:  search compress --recipe {path.name}\n"
        f"# It made: validation accuracy {told}, {size(costs['size_bytes'].value)}, {shipped.precision}.\n"
    )
    path.write_text(head + config_yaml(tree), encoding="utf-8")
    return path
