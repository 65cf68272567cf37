"""Who teaches the winners of a study, and when nobody does."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from compress.distill.step import Distill
from compress.labels import Train
from compress.prune.channels import Prune
from compress.quantize.qat import Qat
from compress.quantize.step import Quantize
from compress.recipe import asks_teacher
from search.config.study import read_config
from search.hand_made import hand_made
from search.main_loop import launch
from search.state.ledger import Ledger
from search.state.records import Evaluation, Parent, Role, VariantRecord
from search.state.weights import weights_bytes
from search.study import Study, architecture_record, open_study
from search.supernet.shared_weights import Supernet, build_supernet
from search.supernet.teacher import HAND_MADE, choose_teacher
from search.watch import Watch
from spaces.architecture import Architecture
from spaces.network import build
from spaces.space import sample
from tests.search.finished_study import TINY


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        yield open_study(read_config(TINY), ledger, Watch(quiet=True))


@pytest.fixture
def supernet(study: Study) -> Supernet:
    return build_supernet(study.space, 0)


def trained(study: Study, role: Role, arch: Architecture, accuracy: float, step: str = "train", base: int = 0) -> int:
    """A recorded network of that accuracy; as the hand-made one where it is a baseline."""
    weights = study.ledger.add_artifact(study.id, weights_bytes(build(arch)), "safetensors")
    name = {"name": HAND_MADE} if role == "baseline" else {}
    record = VariantRecord(
        arch.id, role, step, name, "float32", "accepted" if base else "start", weights=weights,
        parents=(Parent(base),) if base else (), architecture=architecture_record(arch),
        evaluations=(Evaluation("validation", "accuracy", accuracy, accuracy - 0.02, accuracy + 0.02, 359, "alone"),),
    )  # fmt: skip
    return study.ledger.record_variant(study.id, record)


def test_who_is_more_accurate_on_validation_teaches(study: Study, supernet: Supernet) -> None:
    largest, by_hand = supernet.teachers(1, 0)[0], hand_made(study.space, study.proposer.is_feasible)
    teacher = trained(study, "teacher", largest, 0.95)
    first = trained(study, "baseline", by_hand, 0.94)
    chosen = choose_teacher(study, supernet)
    assert chosen is not None and chosen[1] == Parent(teacher, "teacher")
    after = trained(study, "baseline", by_hand, 0.97, "distill", first)
    pruned = sample(study.space, random.Random(0))
    assert pruned.id != by_hand.id
    trained(study, "baseline", pruned, 0.99, "prune", after)
    for _ in range(2):
        chosen = choose_teacher(study, supernet)
        assert chosen is not None and chosen[1] == Parent(after, "teacher"), "as large as it was made"
    assert [found["variant"] for found in study.ledger.event_data(study.id, "teacher")] == [after]


@pytest.mark.parametrize(
    ("step", "asks"),
    [
        (Distill(), True), (Distill(weight=0.0), False), (Prune(), True), (Qat(), True), (Qat(epochs=0), False),
        (Train(), False), (Quantize(), False),
    ],
)  # fmt: skip
def test_a_step_says_whether_it_learns_from_a_teacher(step: object, asks: bool) -> None:
    assert asks_teacher(step) is asks


def test_no_teacher_is_trained_where_no_step_asks_one(tmp_path: Path) -> None:
    steps = "compress.steps=[train: {epochs: 1}, quantize: {images: 16}]"
    config = read_config(TINY, ("search.trials=4", "search.calibration=4", "search.exports=4", steps))
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        study = launch(config, ledger)
        roles = {variant.role for variant in ledger.variants(study.id)}
        parents = {parent.role for variant in ledger.variants(study.id) for parent in variant.parents}
    assert roles == {"winner", "baseline"} and parents == {"base"}
