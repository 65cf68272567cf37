"""What leaves the house: the shipped network's files with the numbers that belong to them."""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compress.export.formats import beside
from search.choosing import accuracy_of, costs_of, file_that_ran, siblings
from search.errors import LatheError, NotFound, going_on
from search.report.comparison import models
from search.shipping.budget import Budget, best_within
from search.shipping.bundle import write_bundle
from search.shipping.formats import write_formats
from search.state.facts import Facts, recorded_facts
from search.state.ledger import Ledger
from search.state.recorded import load_study
from search.state.records import StudyRecord, VariantRecord

CARD = "card.json"
COLOURS = {1: "grey", 3: "RGB"}  # by the number of channels


def write_export(
    ledger: Ledger,
    name: str,
    out: Path,
    bundle: bool = False,
    archive: bool = False,
    formats: Sequence[str] = (),
    budget: Budget | None = None,
) -> list[Path]:
    """Write the shipped model, its sibling of the other precision and card.json to `out`; returns what was written. Of
    a stitched study, all that it ships.

    The sibling is there also where the study rejected it, with that verdict in the card: the user may decide otherwise.
    budget: in place of the shipped model the most accurate one that keeps it.
    formats: also the float network in these exporters' formats; () means those of the study's `export`.
    bundle: also all that is needed to run them without Lathe. archive: one file `out`.zip instead of
    a folder.

    Everything is made beside `out` first, so that a failure leaves nothing there, and each file is replaced in one
    move. Raises: NotFound: if nothing was shipped. LatheError: if a bundle cannot be made, or `out` cannot be written.
    """
    study = ledger.study(name)
    chosen = _chosen(ledger, study, budget)
    facts = recorded_facts(ledger, study.id)
    if bundle and facts is None:
        raise LatheError(
            f"study {name!r} was recorded before studies kept what a bundle needs. Add it with:  search resume {name}"
        )
    target = out.with_name(f"{out.name}.zip") if archive else out
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".lathe-", dir=out.parent) as made:
            folder = Path(made) / "export"
            folder.mkdir()
            formats = formats or study.config.get("export", ["onnx"])
            others = write_formats(ledger, name, chosen[0], facts, formats, folder)
            _write_models(ledger, study, chosen, facts, folder, others)
            if bundle and facts is not None:
                write_bundle(load_study(name, ledger.url), chosen, facts, folder)
            return _pack(folder, target) if archive else _move(folder, target)
    except OSError as error:
        raise LatheError(f"cannot write {target}: {error.strerror}. Check the folder and the free space.") from error


def _chosen(ledger: Ledger, study: StudyRecord, budget: Budget | None) -> list[VariantRecord]:
    """What is written, the model that is asked for first."""
    variants = ledger.variants(study.id)
    shipped = [v for v in variants if v.is_shipped]
    if not shipped:
        raise NotFound(
            f"study {study.name!r} has shipped nothing yet. {going_on(study.name, study.state)}"
            if study.state != "done"
            else f"study {study.name!r} shipped nothing: no network met every limit."
        )
    if budget is not None:
        best = best_within(models(load_study(study.name, ledger.url)), budget)
        shipped = [v for v in variants if v.id == best.id]
    if len(shipped) > 1:
        return sorted(shipped, key=accuracy_of, reverse=True)
    return [*shipped, *siblings([v for v in variants if v.model], shipped[0])]


def _write_models(
    ledger: Ledger,
    study: StudyRecord,
    chosen: list[VariantRecord],
    facts: Facts | None,
    folder: Path,
    others: dict[str, Any],
) -> None:
    card: dict[str, Any] = {"study": study.name, "shipped": file_name(study.name, chosen[0]), "files": {}}
    for variant in chosen:
        assert variant.model is not None
        target = folder / file_name(study.name, variant)
        shutil.copyfile(ledger.store.path(variant.model), target)
        card["files"][target.name] = card_of(variant)
        ran, name = file_that_ran(variant)
        if ran != variant.model:  # an engine that reads no ONNX: its numbers are of this file
            own = beside(target, name)
            shutil.copyfile(ledger.store.path(ran), own)
            card["files"][target.name] |= {"numbers are of": own.name}
    card |= {
        "task": study.config["task"],
        "input": f"float32 raw {_numbers(facts)}; normalisation is inside the graph",
    }
    if others:
        card |= {"formats": others}
    if facts is not None:
        card |= {"labels": list(facts.classes), "preprocessing": preprocessing_of(facts)}
    write_json(folder / CARD, card)


def _numbers(facts: Facts | None) -> str:
    return "numbers, (1, C, L)" if facts is not None and facts.is_series else "pixels, (1, C, H, W)"


def preprocessing_of(facts: Facts) -> dict[str, Any]:
    """What a program must do to an image or a series before the model sees it."""
    constants = {"shape": list(facts.images.shape[1:]), "mean": list(facts.mean), "std": list(facts.std)}
    if facts.is_series:
        return constants | {
            "layout": "channels, steps",
            "length": "longer series are cut, shorter ones filled with zeros, both at the end",
            "normalisation": "inside the file: (number - mean) / std",
        }
    channels = constants["shape"][0]
    return constants | {
        "layout": "channels, height, width",
        "colour": COLOURS.get(channels, f"{channels}-channel"),
        "resize": "bilinear",
        "white": facts.white,
        "normalisation": "inside the file: (pixel - mean) / std",
    }


def _move(folder: Path, out: Path) -> list[Path]:
    """Every file of the folder into `out`, the deepest first, so that card.json and the sums come last."""
    moved = []
    for file in sorted((f for f in folder.rglob("*") if f.is_file()), key=lambda f: (-len(f.parts), f.name != CARD, f)):
        target = out / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)
        moved.append(target)
    return sorted(moved, key=lambda path: (path.suffix != ".onnx", path))


def _pack(folder: Path, target: Path) -> list[Path]:
    """The folder as one .zip, equal bytes for equal files."""
    packed = folder.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(f for f in folder.rglob("*") if f.is_file()):
            name = f"{target.stem}/{file.relative_to(folder)}"
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), file.read_bytes(), zipfile.ZIP_DEFLATED)
    os.replace(packed, target)
    return [target]


def write_json(path: Path, tree: dict[str, Any]) -> None:
    """Indented, with a newline at the end."""
    path.write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")


def file_name(study: str, variant: VariantRecord) -> str:
    """For example digits-cpu.int8.onnx; of a stitched study, which ships several, with the network's name."""
    is_one_of_several = variant.step == "stitch" or "variant" in variant.config
    name = f".{variant.config['name']}" if is_one_of_several else ""
    return f"{study}{name}.{variant.precision}.onnx"


def card_of(variant: VariantRecord) -> dict[str, Any]:
    """The numbers of one file: quality with intervals, costs, and how it was made."""
    qualities = {
        f"{e.split} {e.metric}": {"value": e.value, "low": e.low, "high": e.high, "images": e.n}
        for e in variant.evaluations
    }
    costs = {
        m.metric: {"value": m.value, "low": m.low, "high": m.high, "unit": m.unit, "kind": m.kind}
        | ({"engine": m.details["engine"]} if "engine" in m.details else {})
        for m in costs_of(variant).values()
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
