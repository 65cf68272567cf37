"""Who teaches the winners: the best of several largest networks of the supernet, trained on alone, or the hand-made
network where that is more accurate.

Inherited weights serve many networks and none of them well: a few epochs of its own make the teacher much better, and
those that it teaches a little (studies/LOG.md). In a short study even that is overtaken by the hand-made network, which
is trained anyway (docs/decisions/0046).
"""

import math
from collections.abc import Sequence

from torch import nn

from compress.evaluate import evaluate
from compress.recipe import asks_teacher
from compress.train import Training, fit, hard_labels
from search.report.summary import evaluation_of
from search.screen import evaluations, extract_calibrated
from search.state.records import Parent, VariantRecord, is_teacher
from search.state.weights import stored_network, weights_bytes
from search.study import Study, architecture_record
from search.supernet.shared_weights import Supernet

CANDIDATES = 3
HAND_MADE = "hand-made"  # the name of the baseline's chain


def choose_teacher(study: Study, supernet: Supernet) -> tuple[nn.Module, Parent] | None:
    """The teacher of all winners and its row; None, and nothing is trained, where no step of the recipe asks one.

    The hand-made network is to be developed before: a resumed study then chooses the same teacher.
    """
    if not any(asks_teacher(step) for _, step in study.config.steps):
        return None
    network, parent = train_teacher(study, supernet)
    variants = study.ledger.variants(study.id)
    trained = next(v for v in variants if v.id == parent.id)
    best = max([trained, *_hand_made(variants)], key=_merit)  # of equals the first
    if best is trained:
        return network, parent
    if not study.ledger.event_data(study.id, "teacher"):
        shares = f"{_merit(best)[0]:.1%} on validation, the trained largest network {_merit(trained)[0]:.1%}"
        study.event("teacher", f"the hand-made network teaches the winners: {shares}", {"variant": best.id})
    return stored_network(study.ledger.store, best), Parent(best.id or 0, "teacher")


def _hand_made(variants: Sequence[VariantRecord]) -> list[VariantRecord]:
    """The hand-made network as it was trained, and behind every step that kept its size."""
    chain = [v for v in variants if v.role == "baseline" and v.config.get("name") == HAND_MADE and v.weights]
    kept = [v for v in chain if v.precision == "float32" and v.verdict != "rejected"]
    return [v for v in kept if v.architecture_id == chain[0].architecture_id]


def _merit(variant: VariantRecord) -> tuple[float, float]:
    """Validation accuracy, and among equals the loss."""
    found = [evaluation_of(variant.evaluations, metric, "validation") for metric in ("accuracy", "loss")]
    accuracy, loss = (each.value if each else math.nan for each in found)
    return accuracy, -loss


def train_teacher(study: Study, supernet: Supernet) -> tuple[nn.Module, Parent]:
    """The teacher and its row; from the record if an earlier run has trained it.

    Cost: `compress.teacher_epochs` epochs of a largest network.
    """
    recorded = [variant for variant in study.ledger.variants(study.id) if is_teacher(variant)]
    if recorded:
        return stored_network(study.ledger.store, recorded[-1]), Parent(recorded[-1].id or 0, "teacher")
    candidates = supernet.teachers(CANDIDATES, study.config.search.seed)
    networks = [extract_calibrated(supernet, arch, study) for arch in candidates]
    losses = [evaluate(network, study.data, study.data.validation).loss for network in networks]
    best = losses.index(min(losses))
    arch, network, epochs = candidates[best], networks[best], study.config.compress.teacher_epochs
    if epochs:
        settings = study.config.supernet
        training = Training(epochs, batch=settings.batch, lr=settings.lr)
        before_step = study.watch.check
        fit(network, study.data, training, hard_labels(), study.config.search.seed, before_step=before_step)
    quality = evaluate(network, study.data, study.data.validation)
    record = VariantRecord(
        arch.id, "teacher", "train" if epochs else "inherit", {"epochs": epochs}, "float32", "start",
        reason=f"least validation loss of {len(candidates)} largest networks",
        weights=study.ledger.add_artifact(study.id, weights_bytes(network), "safetensors", "teacher"),
        architecture=architecture_record(arch),
        evaluations=evaluations(quality, "validation", "alone" if epochs else "supernet"),
    )  # fmt: skip
    return network, Parent(study.ledger.record_variant(study.id, record), "teacher")
