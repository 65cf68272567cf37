"""A stitched study in plain text and as JSON: every network of it, and the files to choose from. No I/O."""

from collections.abc import Sequence
from typing import Any

from search.report import words
from search.report.comparison import Model, models
from search.report.per_class import class_lines, class_trees
from search.report.progress import sentence_of
from search.report.summary import Point, shares, summarise
from search.state.recorded import Recorded


def stitched_text(recorded: Recorded) -> str:
    """The members as they were screened, the files, the two networks as they were, and what the stitches add."""
    settings, found = recorded.study.config["stitch"], models(recorded)
    lines = [
        f"study {recorded.study.name}: {sentence_of(recorded)}",
        f"between {settings['of']}:{settings['small']} (small) and {settings['of']}:{settings['large']} (large)",
    ]
    points = members(recorded)
    if points:
        lines += ["", "all networks, with the common weights"]
        lines += [_line("*" if point.on_front else " ", name, _screened(point)) for name, point in points]
    for title, chosen in (("files", files(found)), ("as they were", given(found))):
        if chosen:
            lines += ["", title, *(_line(" ", model.name, _numbers(model)) for model in chosen)]
    lines += class_lines(recorded, found)
    gain = added(found)
    return "\n".join([*lines, *(["", gain] if gain else [])])


def stitched_tree(recorded: Recorded) -> dict[str, Any]:
    """The same as JSON."""
    found = models(recorded)
    screened = [
        {
            "name": name,
            "trial": point.number,
            "architecture": point.description,
            "params": point.params,
            "macs": point.macs,
            "front": point.on_front,
            **{metric: vars(value) for metric, value in point.values.items()},
        }
        for name, point in members(recorded)
    ]
    return {
        "v": 1,
        "study": recorded.study.name,
        "state": recorded.study.state,
        "stitch": dict(recorded.study.config["stitch"]),
        "networks": screened,
        "files": [_tree(model) for model in files(found)],
        "given": [_tree(model) for model in given(found)],
        "covered": covered(found),
        "per_class": class_trees(recorded, found),
        "versions": dict(recorded.study.versions),
    }


def members(recorded: Recorded) -> list[tuple[str, Point]]:
    """(name, point) of every network that was screened, the fastest first."""
    names = {trial.number: str(trial.params.get("member", trial.number)) for trial in recorded.trials}
    summary = summarise(recorded)
    points = sorted(summary.points, key=lambda point: point.values[summary.objectives[1].name].value)
    return [(names[point.number], point) for point in points]


def files(found: Sequence[Model]) -> list[Model]:
    """What ships, the fastest first."""
    return sorted((model for model in found if model.is_shipped), key=_latency_ms)


def given(found: Sequence[Model]) -> list[Model]:
    """The two networks as they were, the fastest first."""
    return sorted((model for model in found if model.role == "baseline"), key=_latency_ms)


def covered(found: Sequence[Model]) -> dict[str, float] | None:
    """Shares of the box of accuracy and latency that the two networks dominate alone, and together with the files.

    The box is spanned by all of them, and a tenth more at the worst end. None where it has no extent.
    """
    alone = [(_latency_ms(m), -_accuracy(m)) for m in given(found)]
    together = [*alone, *((_latency_ms(m), -_accuracy(m)) for m in files(found))]
    boxed = shares([alone, together]) if len(alone) > 1 and len(together) > len(alone) else None
    return dict(zip(("two networks", "with the files"), boxed[2], strict=True)) if boxed else None


def added(found: Sequence[Model]) -> str:
    """What the stitches add, in words."""
    shares = covered(found)
    if shares is None:
        return ""
    alone, together = shares.values()
    return (
        f"The two networks cover {alone:.3f} of the box of accuracy and latency that all span, with these files "
        f"{together:.3f} (validation; one seed gives no interval)."
    )


def _line(mark: str, name: str, numbers: str) -> str:
    return f"{mark} {name:<16} {numbers}".rstrip()


def _screened(point: Point) -> str:
    latencies = " ".join(f"{words.latency(v):<28}" for n, v in point.values.items() if n.startswith("latency"))
    broken = f"  over the limit: {', '.join(point.limits_broken)}" if point.limits_broken else ""
    return f"{words.percent(point.accuracy):<24} {latencies} {words.count(point.params):>7} parameters{broken}"


def _numbers(model: Model) -> str:
    tested = f"  test {words.percent(model.test_accuracy)}" if model.test_accuracy else ""
    latencies = " ".join(f"{words.latency(value):<28}" for value in model.latencies.values())
    return f"{words.percent(model.accuracy):<24} {latencies} {words.size(model.size_bytes):>8}{tested}"


def _tree(model: Model) -> dict[str, Any]:
    known = {"accuracy": model.accuracy, "test_accuracy": model.test_accuracy, **model.latencies}
    tree: dict[str, Any] = {name: getattr(model, name) for name in ("id", "name", "size_bytes", "params", "macs")}
    tree |= {name: vars(value) for name, value in known.items() if value is not None}
    return tree | {"architecture": model.description, "file_sha256": model.file}


def _latency_ms(model: Model) -> float:
    return model.latency.value if model.latency else 0.0


def _accuracy(model: Model) -> float:
    return model.accuracy.value if model.accuracy else 0.0
