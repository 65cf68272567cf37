"""What may be shipped."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compress.devices import fingerprint_of
from compress.measurement import Measurement, exact
from search.choosing import ends_of, mark_shipped, offered, preferred, within_limits
from search.config.study import read_config
from search.state.confusions import KIND
from search.state.ledger import Ledger
from search.state.records import Evaluation, VariantRecord
from spaces.tasks.data import Split
from tests.search.finished_study import TINY
from tests.search.ledger_samples import begin, variant
from tests.toy_task import toy_data

DEVICES = "devices={formula: {kind: simulated}, slow: {kind: simulated, macs_per_us: 100}}"


@pytest.mark.parametrize(
    ("limits", "holds"),
    [
        ("latency_ms@formula: 2", True),
        ("latency_ms@slow: 2", False),
        ("latency_ms@slow: 6, latency_ms@formula: 2, params: 100", True),
        ("latency_ms@formula: 1.4", False),
        ("latency_ms@formula: 2, params: 99", False),
    ],
)
def test_a_limit_is_held_to_the_upper_end_of_the_latency_on_the_device_it_names(limits: str, holds: bool) -> None:
    config = read_config(TINY, [DEVICES, f"limits={{{limits}}}"])
    latencies = [
        # the database calls a device as the first study did
        Measurement("latency_ms", ms, "ms", ms, ms + 0.5, "simulated", device="x", fingerprint=fingerprint_of(device))
        for ms, device in zip((1.0, 5.0), config.devices.values(), strict=True)
    ]
    measurements = (*latencies, exact("params", 100, ""))
    record = VariantRecord("a" * 64, "winner", "train", {}, "float32", "start", measurements=measurements)
    assert within_limits(SimpleNamespace(config=config), record) is holds  # type: ignore[arg-type]


def test_of_several_recipes_judged_at_their_ends_the_best_end_is_shipped() -> None:
    """Whichever network came last, and though what the recipe began with is faster."""
    made = {}
    for id, (trial_id, step, ms) in enumerate([(1, "inherit", 1.0), (1, "quantize", 2.0), (2, "inherit", 1.0)], 1):
        accuracy = Evaluation("validation", "accuracy", 0.9, 0.9, 0.9, 9, "exported")
        costs = Measurement("latency_ms", ms, "ms", ms, ms, "simulated"), exact("size_bytes", 5, "B")
        made[id] = variant(step=step, id=id, trial_id=trial_id, evaluations=(accuracy,), measurements=costs)
    made[4] = replace(made[2], id=4, trial_id=2, measurements=(replace(made[2].measurements[0], value=3.0, high=3.0),))
    made[5] = replace(made[4], id=5, role="baseline")
    ends = ends_of(list(made.values()), [made[id] for id in (1, 2, 3, 4)])
    assert [v.id for v in ends] == [2, 4] and preferred(ends, 1.0) is made[2]


def test_a_baseline_judged_at_its_end_may_not_choose_a_step_on_the_way() -> None:
    """Unless its end was rejected, as of a winner."""
    steps = [
        replace(variant(step=step, id=id), role="baseline", config={"name": "hand-made"})
        for id, step in enumerate(("train", "prune", "quantize"), 1)
    ]
    later = replace(steps[0], id=9, role="winner")
    assert [v.id for v in offered([*steps, later], steps, "end")] == [3]
    assert [v.id for v in offered([*steps, later], steps[:2], "end")] == [1, 2]
    assert [v.id for v in offered([*steps, later], steps, "each")] == [1, 2, 3]


def test_a_run_killed_while_the_test_part_was_read_reads_what_is_left(ledger: Ledger, tmp_path: Path) -> None:
    """Every network gets its numbers, those that have them keep them, and the log says once that it was read."""
    study = begin(ledger)
    file = ledger.add_artifact(study.id, classifier(tmp_path / "x.onnx").read_bytes(), "model")
    for number in range(3):
        ledger.record_variant(study.id, variant(number, model=file))

    def event(kind: str, message: str) -> None:
        ledger.event(study.id, "info", kind, message)

    data = toy_data()
    reads = 0

    def read_test() -> Split:
        nonlocal reads
        reads += 1
        return data.read_test()

    def ship(record: Callable[..., None]) -> None:
        writing = SimpleNamespace(
            store=ledger.store,
            event=ledger.event,
            event_data=ledger.event_data,
            mark_shipped=ledger.mark_shipped,
            record_evaluations=record,
        )
        place: Any = SimpleNamespace(id=study.id, data=replace(data, read_test=read_test), ledger=writing, event=event)
        shipped, *beside = ledger.variants(study.id)
        mark_shipped(place, [shipped], beside)

    def killed(study_id: int, of: VariantRecord, evaluations: Any) -> None:
        if of.id != ledger.variants(study.id)[0].id:
            raise KeyboardInterrupt
        ledger.record_evaluations(study_id, of, evaluations)

    with pytest.raises(KeyboardInterrupt):
        ship(killed)
    assert [len(v.evaluations) for v in ledger.variants(study.id)] == [2, 0, 0]
    for _ in range(2):  # what is resumed, and what is only repeated
        ship(ledger.record_evaluations)
    assert [len(v.evaluations) for v in ledger.variants(study.id)] == [2, 2, 2]
    assert len(ledger.event_data(study.id, "test_read")) == 1 and reads == 2
    counted = ledger.event_data(study.id, KIND)
    assert sorted((each["split"], each["variant"]) for each in counted) == [
        ("test", 1), ("test", 2), ("test", 3), ("validation", 1)
    ]  # fmt: skip
    assert {sum(each["examples"]) for each in counted} == {64}


def classifier(path: Path) -> Path:
    """A file that gives every 8 x 8 image four logits."""
    weight = numpy_helper.from_array(np.ones((64, 4), np.float32), "w")
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, 8])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    graph = helper.make_graph(nodes, "g", [given], [made], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path
