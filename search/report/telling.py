"""A study told in plain text and as JSON: what the commands print. No I/O."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from search.latency.calibration import calibrate
from search.report import words
from search.report.comparison import Model, chains, models
from search.report.cuts import KIND as CUT
from search.report.cuts import cut_sentences
from search.report.guessing import comparisons, held_back, no_better_than_guessing
from search.report.per_class import class_lines, class_trees
from search.report.progress import progress_of, sentence_of, silence_of
from search.report.rungs import KIND as RUNG
from search.report.rungs import rung_sentences
from search.report.summary import Point, Summary, summarise
from search.report.telling_stitched import stitched_text, stitched_tree
from search.report.twins import KIND, twin_sentences
from search.report.without_random import without_random
from search.state.recorded import Recorded, StudyLine
from search.supernet.certificate import certificate


def status_rows(lines: list[StudyLine], now: datetime) -> list[dict[str, Any]]:
    """One row a study, newest first."""
    rows = []
    for line in lines:
        progress, silence = progress_of(line.study, line.progress), silence_of(line, now)
        rows.append(
            {
                "study": line.study.name,
                "state": line.study.state,
                "progress": progress.sentence + (f"; {silence}" if silence else ""),
                "share": round(progress.share, 3),
                "trials": sum(count for origin, count in line.trials.items() if origin != "random"),
                "failed": line.failed,
                "shipped": line.shipped,
                "created": line.study.created_at.isoformat(timespec="seconds"),
            }
        )
    return rows


def top_rows(recorded: Recorded, count: int, only_front: bool) -> list[dict[str, Any]]:
    """The best points of the search by its first objective."""
    summary = summarise(recorded)
    points = [p for p in summary.points if p.origin != "random" and (p.on_front or not only_front)]
    first = summary.objectives[0]
    points.sort(key=lambda p: first.minimised(p.values[first.name].value))
    return [_point_row(point, summary) for point in points[:count]]


def _point_row(point: Point, summary: Summary) -> dict[str, Any]:
    row: dict[str, Any] = {"trial": point.number}
    for objective in summary.objectives:
        quantity = point.values[objective.name]
        row[objective.name] = quantity.value
        if objective.device:
            row[f"{objective.name} is"] = quantity.kind
    row |= {"accuracy": point.accuracy.value if point.accuracy else None, "params": point.params, "macs": point.macs}
    return row | {"front": "yes" if point.on_front else "", "architecture": point.description}


def _found_line(point: Point, summary: Summary) -> str:
    """One network of the front of a study that develops none."""
    values = ", ".join(words.told(o.name, point.values[o.name]) for o in summary.objectives)
    return f"found    {values}   {point.description}"


def study_text(recorded: Recorded) -> str:
    """What was shipped, the steps of every chain, and how the baselines compare."""
    if "tune" in recorded.study.config:
        from search.report.telling_tuned import tuned_text  # brings torch, which other studies do not need

        return tuned_text(recorded)
    if "stitch" in recorded.study.config:
        return stitched_text(recorded)
    found = models(recorded)
    summary = held_back(summarise(recorded), recorded, found)
    lines = [f"study {recorded.study.name}: {sentence_of(recorded)}"]
    if how := words.screened(summary.precision):
        lines.append(f"networks were {how}: latencies of trials are of such files")
    shipped = [model for model in found if model.is_shipped]
    for model in shipped:
        lines += ["", f"shipped  {model.description}", f"         {_numbers(model)}"]
    lines += [f"         {doubt}"] if (doubt := no_better_than_guessing(recorded, found)) else []
    lines += class_lines(recorded, found)
    if not found and summary.front:
        lines += ["", *(_found_line(point, summary) for point in summary.front)]
    for role in ("winner", "baseline"):
        for members in chains(found, role).values():
            lines += ["", members[0].name, *(_step_line(model) for model in members)]
    raced = rung_sentences(recorded)
    lines += ["", "after a short training", *(f"  {sentence}" for sentence in raced)] if raced else []
    verdicts, unjudged = comparisons(recorded, found), without_random(recorded, summary)
    if verdicts or summary.coverage or unjudged:
        lines += ["", "against the baselines"]
        lines += [f"  {verdict.sentence}" for verdict in verdicts]
        lines += [f"  {summary.coverage.sentence}"] if summary.coverage else []
        lines += [f"  {unjudged}"] if unjudged else []
        lines += [f"  {sentence}" for sentence in twin_sentences(recorded)]
    cuts = cut_sentences(recorded)
    if cuts:
        lines += ["", "while the supernet was trained", *(f"  {sentence}" for sentence in cuts)]
    known = [(name, found) for name, pairs in summary.predictions.items() if (found := calibrate(pairs))]
    if known:
        lines += ["", "predictions", *(f"  {words.title(name)}: {found.sentence}" for name, found in known)]
    return "\n".join(lines)


def certificate_text(recorded: Recorded) -> str:
    """The rank certificate as a table, or that there is none."""
    found = certificate(recorded)
    if found is None:
        return "too few networks were trained alone to say how well the supernet ranks."
    heads = ("score", "tau over all", "best fifth", "at like MACs")
    table = [f"{a:<12}{b:<26}{c:<26}{d}".rstrip() for a, b, c, d in [heads, *found.rows()]]
    return "\n".join([*table, "", found.sentence])


def _numbers(model: Model) -> str:
    tested = f"test accuracy {words.percent(model.test_accuracy)}, " if model.test_accuracy else ""
    parts = f"{tested}validation {words.percent(model.accuracy)}, {words.latency(model.latency)}"
    return f"{parts}, {words.size(model.size_bytes)}, {words.count(model.params)} parameters, {model.precision}"


def _step_line(model: Model) -> str:
    mark = {"accepted": "+", "rejected": "-"}.get(model.verdict, " ")
    numbers = (
        f"{words.percent(model.accuracy):<24} {words.latency(model.latency):<30} {words.size(model.size_bytes):>8}"
    )
    told = "; ".join(filter(None, (words.epochs(model.epochs), model.reason)))
    return f"  {mark} {model.step:<9} {numbers}  {told}".rstrip()


def study_tree(recorded: Recorded) -> dict[str, Any]:
    """The same as JSON."""
    if "tune" in recorded.study.config:
        from search.report.telling_tuned import tuned_tree

        return tuned_tree(recorded)
    if "stitch" in recorded.study.config:
        return stitched_tree(recorded)
    found = models(recorded)
    summary = held_back(summarise(recorded), recorded, found)
    return {
        "v": 1,
        "study": recorded.study.name,
        "state": recorded.study.state,
        "models": [_model_tree(model) for model in found],
        "comparisons": [
            {"baseline": c.baseline.name, "outcome": c.outcome, "sentence": c.sentence}
            for c in comparisons(recorded, found)
        ],
        "guessing": no_better_than_guessing(recorded, found),
        "per_class": class_trees(recorded, found),
        "predictions": {
            name: vars(found) for name, pairs in summary.predictions.items() if (found := calibrate(pairs))
        },
        "coverage": vars(summary.coverage) if summary.coverage else None,
        "screen": summary.precision,
        "twins": [dict(event.data) for event in recorded.events if event.kind == KIND],
        "cuts": [dict(event.data) for event in recorded.events if event.kind == CUT],
        "rungs": [dict(event.data) for event in recorded.events if event.kind == RUNG],
        "versions": dict(recorded.study.versions),
    }


def _model_tree(model: Model) -> dict[str, Any]:
    tree: dict[str, Any] = {
        name: getattr(model, name)
        for name in (
            "id",
            "name",
            "role",
            "step",
            "precision",
            "verdict",
            "reason",
            "is_shipped",
            "size_bytes",
            "params",
            "macs",
        )
    }
    known: Mapping[str, Any] = {
        "accuracy": model.accuracy,
        "test_accuracy": model.test_accuracy,
        **dict(model.latencies.items()),
    }
    tree |= {name: vars(value) for name, value in known.items() if value is not None}
    return tree | {"architecture": model.description, "file_sha256": model.file}
