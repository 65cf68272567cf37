"""A tuned study in plain text and as JSON: the front of its recipes, and the one that was chosen. No I/O."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from search.report import words
from search.report.comparison import models
from search.report.per_class import class_lines, class_trees
from search.report.progress import sentence_of
from search.report.summary import Quantity, evaluation_of, limits_of
from search.state.recorded import Recorded
from search.state.records import VariantRecord
from search.tuning.seen import DROP, Seen, front_of, latency_of, recipes_of, seen_of
from search.tuning.written import recipe_tree

BEYOND = 3  # the front is shown up to so many times the budget: what a larger one would buy


def tuned_text(recorded: Recorded) -> str:
    """What was made, what nothing beats, and the recipe of what is shipped."""
    config = recorded.study.config
    starts, front, counts = _found(recorded)
    lines = [f"study {recorded.study.name}: {sentence_of(recorded)}"]
    lines += [f"{_counted(counts)}; at most {_budget(config):g} points may be lost", ""]
    by_id = {variant.id: variant for variant in recorded.variants}
    many = len(starts) > 1
    for title, members in (("as given", starts), ("the front", front)):
        if members:
            lines += [title, *(_line(one, by_id[one.id], config, many) for one in members), ""]
    shipped = next((variant for variant in recorded.variants if variant.is_shipped), None)
    if shipped is not None:
        lines += [*_shipped(recorded, shipped, counts), *class_lines(recorded, models(recorded))]
    return "\n".join(lines).rstrip()


def tuned_tree(recorded: Recorded) -> dict[str, Any]:
    """The same as JSON."""
    starts, front, counts = _found(recorded)
    by_id = {variant.id: variant for variant in recorded.variants}
    shipped = next((variant for variant in recorded.variants if variant.is_shipped), None)
    return {
        "v": 1,
        "study": recorded.study.name,
        "state": recorded.study.state,
        "variants": counts,
        "starts": [_tree(one, by_id[one.id]) for one in starts],
        "front": [_tree(one, by_id[one.id]) for one in front],
        "shipped": shipped.id if shipped else None,
        "per_class": class_trees(recorded, models(recorded)),
        "recipe": recipe_tree(recorded.study.config, recorded.variants, shipped) if shipped else None,
        "versions": dict(recorded.study.versions),
    }


def _found(recorded: Recorded) -> tuple[list[Seen], list[Seen], dict[str, int]]:
    """The starts, the front without them, and how many variants of each sort there are."""
    config = recorded.study.config
    limits = {name.partition("@")[0]: most for name, most in limits_of(config).items()}
    seen = seen_of(recorded.variants, judge_of(recorded), lambda variant: _is_within(variant, limits))
    starts = [one for one in seen if not one.candidate.steps]
    made = [one for one in seen if one.candidate.steps]
    front = [one for one in front_of(seen, BEYOND * _budget(config)) if one.candidate.steps]
    whole = [one for one in made if not one.is_look]
    counts = {
        "whole": sum(one.numbers is not None for one in whole),
        "looks": sum(one.is_look and one.numbers is not None for one in made),
        "refused": sum(one.numbers is None for one in made),
    }
    return starts, front, counts


def judge_of(recorded: Recorded) -> str:
    """Fingerprint of the device that judges: the one that measured the first start first."""
    for variant, _ in recipes_of(recorded.variants):
        for measurement in variant.measurements:
            if measurement.metric == "latency_ms":
                return measurement.fingerprint
    return ""


def _budget(config: Mapping[str, Any]) -> float:
    return float(config.get("max_drop", 1.0))


def told_of(config: Mapping[str, Any]) -> dict[str, set[str]]:
    """By step the settings that recipes differ in: those with several values; all that are given, where a step is
    listed twice."""
    listed = [({entry: {}} if isinstance(entry, str) else entry) for entry in config["tune"]["steps"]]
    names = [next(iter(entry)) for entry in listed]
    told: dict[str, set[str]] = {name: set() for name in names}
    for name, entry in zip(names, listed, strict=True):
        several = {field for field, value in (entry[name] or {}).items() if isinstance(value, list) and len(value) > 1}
        told[name] |= several if names.count(name) == 1 else set(entry[name] or {})
    return told


def _is_within(variant: VariantRecord, limits: Mapping[str, float]) -> bool:
    return all(m.value <= limits.get(m.metric, math.inf) for m in variant.measurements)


def _counted(counts: dict[str, int]) -> str:
    said = [f"{counts['whole']} variants were made"]
    said += [f"{counts['looks']} more looked at in short"] if counts["looks"] else []
    said += [f"{counts['refused']} refused"] if counts["refused"] else []
    return ", ".join(said)


def _line(one: Seen, variant: VariantRecord, config: Mapping[str, Any], many: bool) -> str:
    accuracy = evaluation_of(variant.evaluations, "accuracy", "validation")
    ms, size = _latency(variant), one.numbers.size_bytes if one.numbers else None
    mark = "*" if variant.is_shipped else " "
    name = str(variant.config.get("name", "")) if many or not one.candidate.steps else ""
    name += ": " if name and one.candidate.steps else ""
    told, lost = (one.candidate.describe(told_of(config)), _lost(variant)) if one.candidate.steps else ("", "")
    if one.numbers and one.candidate.steps and one.numbers.drop > _budget(config):
        told += "   (over the budget)"
    numbers = f"{words.percent(accuracy):<22} {lost:<22} {words.latency(ms):<28} {words.size(size):>8}"
    return f"{mark} {numbers}  {name}{told}".rstrip()


def _lost(variant: VariantRecord) -> str:
    """Points against the reference: -0.28 [-0.84, +0.28]."""
    drop = evaluation_of(variant.evaluations, DROP, "validation")
    return f"{-drop.value:+.2f} [{-drop.high:+.2f}, {-drop.low:+.2f}]" if drop else "-"


def _latency(variant: VariantRecord) -> Quantity | None:
    first = next((m.fingerprint for m in variant.measurements if m.metric == "latency_ms"), "")
    found = latency_of(variant, first)
    return Quantity(found.value, found.low, found.high, found.kind) if found else None


def _shipped(recorded: Recorded, shipped: VariantRecord, counts: dict[str, int]) -> Sequence[str]:
    test = evaluation_of(shipped.evaluations, "accuracy", "test")
    recipe = recipe_tree(recorded.study.config, recorded.variants, shipped)
    candidate = next(candidate for variant, candidate in recipes_of(recorded.variants) if variant.id == shipped.id)
    tested = f"   test accuracy {words.percent(test)}" if test else ""
    if not recipe["steps"]:
        return [f"shipped  the network as it was given: nothing made of it is better within the budget{tested}"]
    drop = evaluation_of(shipped.evaluations, DROP, "validation")
    budget = _budget(recorded.study.config)
    unsure = ""
    if drop is not None and drop.high > budget:
        unsure = f"\n         {drop.n} images cannot exclude a loss above the budget of {budget:g} points"
    return [f"shipped  {candidate.describe(told_of(recorded.study.config))}{tested}{unsure}"]


def _tree(one: Seen, variant: VariantRecord) -> dict[str, Any]:
    numbers = vars(one.numbers) if one.numbers else {}
    return {
        "id": one.id,
        "name": variant.config.get("name"),
        "recipe": one.candidate.describe(),
        "steps": [[name, vars(step)] for name, step in one.candidate.steps],
        "precision": variant.precision,
        **{key: value for key, value in numbers.items() if key != "broken"},
    }
