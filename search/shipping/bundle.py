"""A folder that a device engineer can use without Lathe: models, runners, a test with its answer, a card, and sums."""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from compress.artifact import sha256_of
from compress.export.session import logits
from search.shipping.model_card import model_card
from search.state.facts import Facts
from search.state.recorded import Recorded
from search.state.records import VariantRecord

LEAST_TOLERANCE = 1e-4  # of the largest logit: float arithmetic in another order


def write_bundle(recorded: Recorded, chosen: Sequence[VariantRecord], facts: Facts, folder: Path) -> None:
    """Add to a `folder` that holds card.json and the models:

    labels.txt; run.py; cpp/ (run.cpp, model.h, CMakeLists.txt); test/ (input and expected outputs, little-endian
    float32); MODEL_CARD.md; SHA256SUMS, which `sha256sum -c` reads. Cost: a few evaluations of each model.
    """
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["test"] = _write_test(folder, list(card["files"]), facts)
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in facts.classes), encoding="utf-8")
    runners = resources.files("search.shipping.runners")
    (folder / "run.py").write_text(runners.joinpath("run.py").read_text(encoding="utf-8"), encoding="utf-8")
    cpp = folder / "cpp"
    cpp.mkdir()
    cmake = runners.joinpath("CMakeLists.txt").read_text(encoding="utf-8")
    version = str(recorded.study.versions.get("onnxruntime", ""))
    (cpp / "CMakeLists.txt").write_text(cmake.replace("@ONNXRUNTIME_VERSION@", version), encoding="utf-8")
    (cpp / "run.cpp").write_text(runners.joinpath("run.cpp").read_text(encoding="utf-8"), encoding="utf-8")
    (cpp / "model.h").write_text(model_header(card), encoding="utf-8")
    (folder / "MODEL_CARD.md").write_text(model_card(recorded, chosen, facts, card), encoding="utf-8")
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    sums = "".join(f"{sha256_of(folder / name)}  {name}\n" for name in files)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")


def _write_test(folder: Path, models: Sequence[str], facts: Facts) -> dict[str, Any]:
    """A few validation examples, what each model answers, and how far another machine's answer may be from that.

    The tolerance is measured: twice what the same file's answer changes when ONNX Runtime runs it without any rewrite
    (int8 then runs in float arithmetic), so it stands for other kernels, and is not too tight for int8.
    """
    import onnxruntime

    (folder / "test").mkdir()
    (folder / "test/input.f32").write_bytes(facts.images.astype("<f4").tobytes())
    files = {}
    for name in models:
        answer = logits(folder / name, facts.images)
        plain = logits(folder / name, facts.images, rewritten=False)
        expected = f"test/{Path(name).stem}.expected.f32"
        (folder / expected).write_bytes(answer.astype("<f4").tobytes())
        least = LEAST_TOLERANCE * float(np.abs(answer).max())
        files[name] = {"expected": expected, "tolerance": max(2 * float(np.abs(answer - plain).max()), least)}
    made_with = f"onnxruntime {onnxruntime.__version__}"
    return {"input": "test/input.f32", "labels": facts.labels.tolist(), "made_with": made_with, "files": files}


def model_header(card: dict[str, Any]) -> str:
    """The constants of card.json for run.cpp."""
    quoted = json.dumps  # a C++ string literal for text without control characters
    labels = card["labels"]
    tested = [
        f"    {{{quoted(name)}, {quoted(test['expected'])}, {test['tolerance']:.8e}f}},"
        for name, test in card["test"]["files"].items()
    ]
    given = card["preprocessing"]
    shape = ", ".join(map(str, given["shape"]))
    white = (
        [f"constexpr float kWhite = {given['white']:.9g};  // raw value of a full pixel"] if "white" in given else []
    )
    return "\n".join(
        [
            "// Constants of this bundle's models.",
            "#pragma once",
            "#include <cstddef>",
            "#include <cstdint>",
            "",
            "struct TestedFile {",
            "  const char* model;",
            "  const char* expected;",
            "  float tolerance;",
            "};",
            f"constexpr int64_t kShape[] = {{{shape}}};  // {given['layout']}",
            f"constexpr size_t kClasses = {len(labels)};",
            *white,
            f"constexpr const char* kShipped = {quoted(card['shipped'])};",
            f"constexpr const char* kMadeWith = {quoted(card['test']['made_with'])};",
            f"constexpr const char* kTestInput = {quoted(card['test']['input'])};",
            "constexpr const char* kLabels[] = {",
            *(f"    {quoted(label, ensure_ascii=False)}," for label in labels),
            "};",
            "constexpr TestedFile kTestedFiles[] = {",
            *tested,
            "};",
            "",
        ]
    )
