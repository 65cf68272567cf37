"""A model card in Markdown: what a model is, what it was made from, how good it is, and on what that was measured."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search.choosing import costs_of
from search.report import words
from search.report.per_class import recall, right, sentences, told_classes
from search.report.summary import evaluation_of, quantity_of
from search.state.confusions import confusions_of
from search.state.facts import Facts
from search.state.recorded import DeviceSeen, Recorded
from search.state.records import StudyRecord, VariantRecord

EXAMPLES = {
    "images": "python run.py image.png                                  # needs pillow too",
    "pixels": "python run.py image.npy                                  # raw pixels of (channels, height, width)",
    "series": "python run.py series.npy                                 # or .csv: a line a step, a column a channel",
}
RUNNING = """\
    python run.py                                            # needs onnxruntime and numpy; repeats the test input
    {example}
    cmake -S cpp -B build && cmake --build build && build/run .   # Debian 13: apt install libonnxruntime-dev cmake g++
    sha256sum -c SHA256SUMS"""
ALL_CLASSES, WORST_CLASSES = 30, 10  # up to so many classes all are told; of more so many
DEBIAN = (
    "CMake takes the ONNX Runtime of the system, else its release from GitHub; `-DONNXRUNTIME_ROOT=` names an unpacked "
    "one. Debian's own library writes `Schema error` lines to stderr when it starts; they are about operators that no "
    "model here has."
)


def model_card(recorded: Recorded, chosen: Sequence[VariantRecord], facts: Facts, card: Mapping[str, Any]) -> str:
    """The card of a study's shipped models. `card`: the tree of card.json."""
    study = recorded.study
    parts = [
        f"# {study.name}",
        f"Shipped by Lathe {study.versions.get('lathe', '')} on {study.created_at:%Y-%m-%d}. The preferred file is "
        f"`{card['shipped']}`. Every number below was taken from the file itself, in its runtime.",
        "## Run it",
        RUNNING.format(example=EXAMPLES[_kind(facts)]),
        DEBIAN,
        "## Files",
        _files(chosen, card),
        *_classes(recorded, chosen[0], card),
        "## Input and output",
        _constants(facts, card),
        "## Data",
        _data(study, facts),
        "## How it was made",
        _lineage(recorded.variants, chosen[0], "tune" in study.config),
        "## Measured on",
        "\n".join(_device(device) for device in recorded.devices) or "Nothing was measured.",
        "## Licences",
        _licences(facts),
        "",
    ]
    return "\n\n".join(parts).rstrip() + "\n"


def _kind(facts: Facts) -> str:
    """Of what `run.py` reads; no file of an image holds other channels than one or three."""
    if facts.is_series:
        return "series"
    return "images" if facts.images.shape[1] in (1, 3) else "pixels"


def _files(chosen: Sequence[VariantRecord], card: Mapping[str, Any]) -> str:
    rows = []
    for name, variant in zip(card["files"], chosen, strict=True):
        test = evaluation_of(variant.evaluations, "accuracy", "test")
        cells = [
            f"`{name}`",
            words.percent(evaluation_of(variant.evaluations, "accuracy", "validation")),
            f"{words.percent(test)} of {test.n} examples" if test else "–",
            *_costs(variant),
            variant.verdict + (f": {variant.reason}" if variant.reason else ""),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    heads = ("file", "validation accuracy", "test accuracy", "latency", "size", "parameters", "MACs", "verdict")
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *rows]) + (
        "\n\nIn brackets: 95 % intervals. The test part was read once, for these numbers."
    )


def _classes(recorded: Recorded, preferred: VariantRecord, card: Mapping[str, Any]) -> list[str]:
    """Of the preferred file, with a heading; nothing where it was not asked about the test part."""
    confusion = confusions_of(recorded, preferred.id or 0).get("test")
    if confusion is None:
        return []
    told = told_classes(confusion, ALL_CLASSES, WORST_CLASSES)
    rows = [f"| {_cell(confusion.classes[n])} | {recall(confusion, n)} | {right(confusion, n)} |" for n in told]
    few = f" The worst {len(told)} of {len(confusion.asked):,} classes:" if len(told) < len(confusion.asked) else ""
    about = f"`{card['shipped']}` on the {confusion.n:,} test examples. Recall is the share of a class's examples that "
    return [
        "## Each class",
        f"{about}are answered right; in brackets 95 % intervals.{few}",
        "\n".join(["| class | recall | right |", "|---|---|---|", *rows]),
        " ".join(sentences(confusion)),
    ]


def _cell(name: str) -> str:
    return name.replace("|", "\\|").replace("\n", " ")


def _costs(variant: VariantRecord) -> list[str]:
    known = costs_of(variant)
    latency = known.get("latency_ms")
    ms = quantity_of(latency) if latency else None
    counted = [words.count(known[name].value) if name in known else "–" for name in ("params", "macs")]
    return [words.latency(ms), words.size(known["size_bytes"].value if "size_bytes" in known else None), *counted]


def _constants(facts: Facts, card: Mapping[str, Any]) -> str:
    given = card["preprocessing"]
    numbers = (
        f"raw numbers ({given['layout']}); {given['length']}"
        if facts.is_series
        else f"{given['colour']} raw pixels from 0 to {given['white']:g}; images of other sizes are turned as their "
        f"EXIF says, then resized ({given['resize']}) and not cropped"
    )
    labels = ", ".join(facts.classes[:20]) + (", ..." if len(facts.classes) > 20 else "")
    tolerances = "; ".join(f"`{name}`: {test['tolerance']:.2g}" for name, test in card["test"]["files"].items())
    return "\n".join(
        [
            f"- Input: float32 ({', '.join(map(str, (1, *given['shape'])))}), {numbers}.",
            f"- Normalisation is inside the file: mean {_numbers(facts.mean)}, std {_numbers(facts.std)}.",
            f"- Output: float32 (1, {len(facts.classes)}) logits, the largest is the class. `labels.txt`: {labels}.",
            f"- `test/` holds {len(facts.images)} validation examples and the expected logits. Tolerance {tolerances} "
            "(twice what the answer changes when the runtime runs the file without its rewrites).",
        ]
    )


def _data(study: StudyRecord, facts: Facts) -> str:
    task = ", ".join(
        f"{key} {Path(value).name if key in ('path', 'test_path') else value}"
        for key, value in study.config["task"].items()
    )
    counts = f"{facts.train:,} examples to train, {facts.validation:,} to validate"
    return f"Task: {task}. {counts}. sha256 of the data: `{study.data_hash}`."


def _lineage(variants: Sequence[VariantRecord], shipped: VariantRecord, is_tuned: bool) -> str:
    """Every step that was tried on the shipped network's way, kept or not; of a tuned study the way alone."""
    by_id = {variant.id: variant for variant in variants}
    kept = [shipped]
    while (base := next((p.id for p in kept[-1].parents if p.role == "base"), None)) is not None:
        kept.append(by_id[base])
    ways = {variant.id for variant in kept}
    tried = [v for v in variants if v.id in ways or any(p.id in ways and p.role == "base" for p in v.parents)]
    if is_tuned:
        tried = kept[::-1]
    lines = []
    for number, variant in enumerate(tried, start=1):
        settings = json.dumps({k: v for k, v in variant.config.items() if k != "name"})
        accuracy = words.percent(evaluation_of(variant.evaluations, "accuracy", "validation"))
        verdict = variant.verdict.capitalize() + (f": {variant.reason}" if variant.reason else "")
        lines.append(f"{number}. **{variant.step}** `{settings}`, validation accuracy {accuracy}. {verdict}.")
    return "\n".join(lines)


def _device(device: DeviceSeen) -> str:
    spec = ", ".join(f"{key} {value}" for key, value in device.spec.items())
    return f"- {device.name} ({device.kind}): {spec}"


def _licences(facts: Facts) -> str:
    data = facts.licence or "not stated by the source; ask whoever gave you the data"
    return (
        f"- Data: {data}. The weights were made from them.\n"
        "- The code of this bundle: Apache-2.0.\n- ONNX Runtime, which runs it: MIT."
    )


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
