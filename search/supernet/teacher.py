"""Who teaches the winners: the best of several largest networks of the supernet, trained on alone.

Inherited weights serve many networks and none of them well: a few epochs of its own make the teacher much better, and
those that it teaches a little (studies/LOG.md).
"""

from torch import nn

from compress.evaluate import evaluate
from compress.train import Training, fit, hard_labels
from search.screen import evaluations, extract_calibrated
from search.state.records import Parent, VariantRecord, is_teacher
from search.state.weights import stored_network, weights_bytes
from search.study import Study, architecture_record
from search.supernet.shared_weights import Supernet

CANDIDATES = 3


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
