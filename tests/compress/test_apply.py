"""Which results of a step are kept, and why the others are not; and one recipe run for real."""

import copy
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.apply import Budget, Findings, apply, beats, describe_change, file_of, find, judge
from compress.context import Context
from compress.distill.step import Distill
from compress.evaluate import Quality
from compress.export.session import graph_report
from compress.measurement import Measurement
from compress.prune.channels import Prune
from compress.quantize.step import Quantize
from compress.train import Training, fit, hard_labels
from compress.variant import Variant
from spaces.architecture import Architecture, Stage
from spaces.blocks import MBConv
from spaces.counts import Counts
from spaces.network import build
from tests.toy_task import CLASSES, toy_data

IMAGES = 400
FREE = Budget(max_drop=1.0, limits={})


def findings(right: int = 380, latency_ms: float = 1.0, size_bytes: int = 100_000, params: int = 20_000) -> Findings:
    """A file that answers the first `right` of 400 images."""
    correct = np.arange(IMAGES) < right
    latency = Measurement("latency_ms", latency_ms, "ms", latency_ms, latency_ms, "measured")
    counts = Counts(params, macs=1_000_000, peak_bytes=50_000)
    quality = Quality(np.where(correct, 0.1, 3.0), correct, np.where(correct, 0, 1))
    return Findings(Path("some.onnx"), quality, latency, size_bytes, counts)


def verdict(found: Findings, *kept: Findings, budget: Budget = FREE) -> str:
    decided, reason = judge(kept or (findings(),), found, budget)
    assert len(re.findall(r"\d", reason)) >= 2, f"no numbers: {reason}"
    return f"{decided}: {reason}"


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"params": 20_500}, "params <= 20500 with 30000"),
        ({"size_bytes": 105_000}, "size_bytes <= 105000 with 120000"),
        ({"latency_ms": 1.1}, "latency_ms <= 1.1 with 2"),
    ],
)
def test_a_limit_that_a_step_breaks_rejects_it_however_good_the_rest_is(limits: dict[str, float], named: str) -> None:
    better = findings(400, 2.0, 120_000, params=30_000)
    assert verdict(better, budget=Budget(1.0, limits)).startswith(f"rejected: breaks the limit {named}")
    assert verdict(better, budget=Budget(1.0, {name: 10 * value for name, value in limits.items()})).startswith("acc")


def test_a_latency_limit_is_held_to_the_upper_end_of_the_interval() -> None:
    found = findings(400)
    wide = replace(found, latency=replace(found.latency, value=1.0, low=0.9, high=1.2))
    assert verdict(wide, budget=Budget(1.0, {"latency_ms": 1.1})).startswith("rejected: breaks the limit latency_ms")
    assert verdict(wide, budget=Budget(1.0, {"latency_ms": 1.2})).startswith("accepted")


def test_a_limit_that_was_broken_before_only_must_not_get_worse() -> None:
    too_large = Budget(1.0, {"size_bytes": 50_000})
    assert verdict(findings(390, 1.0, 100_000), budget=too_large).startswith("accepted")  # trained on, same file size
    assert verdict(findings(390, 1.0, 110_000), budget=too_large).startswith("rejected: breaks the limit size_bytes")


def test_a_latency_limit_that_only_int8_will_keep_is_worse_only_by_the_whole_interval() -> None:
    before, tight = findings(380, 1.0), Budget(1.0, {"latency_ms": 0.4})
    as_fast = replace(before.latency, value=1.01, low=0.96, high=1.08)
    assert verdict(replace(findings(390), latency=as_fast), before, budget=tight).startswith("accepted")
    slower = replace(before.latency, value=1.1, low=1.05, high=1.15)
    said = verdict(replace(findings(390), latency=slower), before, budget=tight)
    assert said.startswith("rejected: breaks the limit latency_ms <= 0.4 with 1.15")


def test_nothing_lost_is_not_told_as_a_loss() -> None:
    assert "accuracy +0.00 points [" in verdict(findings(380, latency_ms=0.5)), "not -0.00"


def test_a_drop_beyond_the_budget_rejects_however_fast_the_file_is() -> None:
    said = verdict(findings(right=340, latency_ms=0.1))
    assert said.startswith("rejected: accuracy -10.00 points [") and "budget of -1" in said and "10.00x faster" in said


def test_a_drop_that_the_images_cannot_tell_from_the_budget_says_so() -> None:
    inside = verdict(findings(right=377, latency_ms=0.5))  # -0.75 points, but its interval reaches beyond -1
    assert inside.startswith("accepted") and f"{IMAGES} examples cannot exclude" in inside
    outside = verdict(findings(right=374, latency_ms=0.5))  # -1.5 points, and its interval holds -1
    assert outside.startswith("rejected") and f"{IMAGES} examples leave it open" in outside
    assert "images" not in verdict(findings(right=380, latency_ms=0.5)) + verdict(findings(right=300, latency_ms=0.5))


def test_drops_do_not_add_up_along_the_chain() -> None:
    """Each step may lose a little of what the best so far has, not of what the last one left."""
    start, second = findings(380), findings(377, latency_ms=0.8)
    assert verdict(findings(377, latency_ms=0.6), start, second).startswith("accepted")
    assert verdict(findings(374, latency_ms=0.6), start, second).startswith("rejected: accuracy -1.50")


def test_what_is_beaten_by_anything_kept_is_rejected() -> None:
    first, second = findings(380, 1.0, 100_000), findings(380, 0.5, 60_000)
    for worse in (findings(380, 0.7, 60_000), findings(380, 0.5, 61_000), findings(379, 0.5, 60_000)):
        assert verdict(worse, second, first).startswith("rejected: no more accurate, faster or smaller")


def test_smaller_but_slower_is_kept_and_so_is_any_other_trade() -> None:
    for trade in (findings(380, 1.5, 40_000), findings(378, 0.7, 100_000), findings(385, 2.0, 200_000)):
        assert verdict(trade).startswith("accepted")
    said = verdict(findings(380, 1.5, 40_000))
    assert "1.50x slower" in said and "0.40x the size" in said


def test_an_equal_result_does_not_beat_and_is_not_beaten() -> None:
    one = findings()
    assert not beats(one, one)
    assert verdict(one, one).startswith("accepted")


def test_latencies_within_the_noise_count_as_equal() -> None:
    first = findings(380, 1.0, 100_000)
    assert not beats(findings(380, 0.99, 100_000), first) and not beats(first, findings(380, 1.01, 100_000))
    assert beats(findings(380, 0.97, 100_000), first)
    assert beats(findings(381, 1.01, 100_000), first), "1 % slower is as fast"
    assert not beats(findings(381, 1.03, 100_000), first)


@pytest.mark.parametrize("field", ["right", "latency_ms", "size_bytes"])
def test_one_thing_worse_saves_from_being_beaten(field: str) -> None:
    best = {"right": 390, "latency_ms": 0.5, "size_bytes": 50_000}
    plain = {"right": 380, "latency_ms": 1.0, "size_bytes": 100_000}
    assert beats(findings(**best), findings(**plain))
    assert not beats(findings(**{**best, field: plain[field]}), findings(**{**plain, field: best[field]}))


@pytest.mark.parametrize(
    ("latency_ms", "size_bytes", "text"),
    [
        (0.8, 31_000, "1.25x faster, 0.31x the size"),
        (1.25, 100_000, "1.25x slower, 1.00x the size"),
        (1.01, 200_000, "as fast, 2.00x the size"),
    ],
)
def test_a_change_is_told_in_factors(latency_ms: float, size_bytes: int, text: str) -> None:
    before = findings()
    latency = replace(before.latency, value=latency_ms, low=latency_ms, high=latency_ms)
    assert describe_change(before, replace(before, latency=latency, size_bytes=size_bytes)) == text


def fast_with_int8(path: Path) -> Measurement:
    """A device on which int8 convolutions take half of the time."""
    report = graph_report(path)
    latency_ms = report["float_nodes"] + 0.5 * report["int8_nodes"]
    return Measurement("latency_ms", latency_ms, "ms", latency_ms, latency_ms, "simulated")


@pytest.fixture(scope="module")
def start() -> Variant:
    arch = Architecture((1, 8, 8), CLASSES, 8, 1, (Stage(16, 2, (MBConv(expand=1),)),))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(arch)
    fit(network, toy_data(), Training(epochs=4, batch=32), hard_labels(), seed=0)
    return Variant(arch, network)


def test_a_recipe_goes_on_from_what_was_kept_and_tells_of_every_attempt(start: Variant, tmp_path: Path) -> None:
    context = Context(toy_data(), None, tmp_path)
    recipe = [
        ("prune", Prune(ratio=0.1)),  # removes nothing
        ("distill", Distill(epochs=2, lr=1e38)),  # explodes
        ("quantize", Quantize(images=32)),
        ("distill", Distill(epochs=1)),  # too late: the kept variant is int8 by now
    ]
    budget = Budget(max_drop=5.0, limits={})
    attempts = list(apply(recipe, start, [find(start, context, fast_with_int8)], context, fast_with_int8, budget))
    assert [(a.step, a.verdict) for a in attempts] == [
        ("prune", "rejected"), ("distill", "rejected"), ("quantize", "accepted"), ("distill", "rejected"),
    ]  # fmt: skip
    removed, exploded, quantized, late = attempts
    assert "removes nothing" in removed.reason and removed.variant is removed.findings is None
    assert "the loss became nan at step" in exploded.reason and exploded.config["lr"] == 1e38
    assert "before quantize" in late.reason
    assert quantized.variant is not None and quantized.findings is not None
    assert quantized.variant.precision == "int8" and quantized.variant.network is start.network
    assert quantized.findings.quality.accuracy > 0.85 and quantized.seconds > 0


def test_a_step_is_judged_by_all_that_was_kept_also_when_a_recipe_goes_on(start: Variant, tmp_path: Path) -> None:
    context = Context(toy_data(), None, tmp_path)
    here = find(start, context, fast_with_int8)
    superb = replace(here, size_bytes=1, latency=replace(here.latency, value=1e-3, low=1e-3, high=1e-3))
    recipe, budget = [("quantize", Quantize(images=32))], Budget(max_drop=5.0, limits={})
    for kept, verdict in (([here], "accepted"), ([superb, here], "rejected")):
        (attempt,) = apply(recipe, start, kept, context, fast_with_int8, budget)
        assert attempt.verdict == verdict, attempt.reason


@dataclass(frozen=True)
class Ruining:
    """A step that leaves a network whose answers are no numbers."""

    def __call__(self, variant: Variant, context: Context) -> Variant:
        network = copy.deepcopy(variant.network)
        for parameter in network.parameters():
            torch.nn.init.constant_(parameter, torch.nan)
        return replace(variant, network=network)


def test_a_step_whose_file_answers_no_numbers_is_rejected_and_the_recipe_goes_on(
    start: Variant, tmp_path: Path
) -> None:
    context = Context(toy_data(), None, tmp_path)
    recipe = [("ruin", Ruining()), ("quantize", Quantize(images=32))]
    here, budget = find(start, context, fast_with_int8), Budget(max_drop=5.0, limits={})
    ruined, quantized = apply(recipe, start, [here], context, fast_with_int8, budget)
    assert ruined.verdict == "rejected" and "not finite" in ruined.reason
    assert quantized.verdict == "accepted"


def test_a_file_is_made_once_for_a_network_and_its_settings(start: Variant, tmp_path: Path) -> None:
    context = Context(toy_data(), None, tmp_path)
    minmax, percentile = (
        replace(start, precision="int8", quantization=Quantize(images=32, method=m)) for m in ("minmax", "percentile")
    )
    files = [file_of(variant, context) for variant in (start, minmax, percentile)]
    assert [file_of(variant, context) for variant in (start, minmax, percentile)] == files
    assert len({path.read_bytes() for path in files}) == 3


def test_a_calibration_is_of_training_images_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    data = toy_data()
    one, same, other = (Context(data, None, tmp_path, seed).calibration(20) for seed in (0, 0, 1))
    assert one.shape == (20, 1, 8, 8) and one.dtype == np.float32
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    known = {image.tobytes() for image in data.train.x.numpy()}
    assert {image.tobytes() for image in one} <= known
    assert len(Context(data, None, tmp_path).calibration(10_000)) == len(data.train.y)
