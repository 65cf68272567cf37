"""What leaves the house: the shipped network's files with the numbers that belong to them."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from search.errors import NotFound
from search.ledger import Ledger
from search.records import VariantRecord
from search.winners import siblings


def write_export(ledger: Ledger, name: str, out: Path) -> list[Path]:
    """Copy the shipped model and its sibling of the other precision to `out`, with a model card in JSON.

    The sibling is there also where the study rejected it, with that verdict in the card: the user may decide otherwise.

    Each file is complete or absent: it is written under another name first. Raises: NotFound: if nothing was shipped.
    """
    study = ledger.study(name)
    variants = ledger.variants(study.id)
    shipped = next((v for v in variants if v.is_shipped), None)
    if shipped is None:
        raise NotFound(
            f"study {name!r} has shipped nothing yet; it is {study.state}. Go on with:  search resume {name}"
            if study.state != "done"
            else f"study {name!r} shipped nothing: no network met every limit."
        )
    chosen = [shipped, *siblings([v for v in variants if v.model], shipped)]
    out.mkdir(parents=True, exist_ok=True)
    card: dict[str, Any] = {"study": name, "shipped": file_name(name, shipped), "files": {}}
    written = []
    for variant in chosen:
        assert variant.model is not None
        target = out / file_name(name, variant)
        partial = target.with_suffix(".partial")
        shutil.copyfile(ledger.store.path(variant.model), partial)
        os.replace(partial, target)
        card["files"][target.name] = card_of(variant)
        written.append(target)
    task = study.config["task"]
    card |= {"task": task, "input": "float32 raw pixels, (1, C, H, W); normalisation is inside the graph"}
    path = out / "card.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(card, indent=2) + "\n")
    os.replace(partial, path)
    return [*written, path]


def file_name(study: str, variant: VariantRecord) -> str:
    """For example digits-cpu.int8.onnx."""
    return f"{study}.{variant.precision}.onnx"


def card_of(variant: VariantRecord) -> dict[str, Any]:
    """The numbers of one file: quality with intervals, costs, and how it was made."""
    qualities = {
        f"{e.split} {e.metric}": {"value": e.value, "low": e.low, "high": e.high, "images": e.n}
        for e in variant.evaluations
    }
    costs = {
        m.metric: {"value": m.value, "low": m.low, "high": m.high, "unit": m.unit, "kind": m.kind}
        for m in variant.measurements
    }
    assert variant.architecture is not None
    made = {"step": variant.step, "config": dict(variant.config), "verdict": variant.verdict, "reason": variant.reason}
    return {
        "sha256": variant.model,
        "precision": variant.precision,
        "quality": qualities,
        "costs": costs,
        "made_by": made,
        "architecture": json.loads(variant.architecture.json),
    }
