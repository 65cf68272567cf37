"""`search stitch`: two trained networks of a study become a space of networks, and the best of it become files."""

import copy
from functools import partial

from compress.evaluate import evaluate
from compress.memory import keep_freed_memory
from compress.recalibrate import IMAGES, recalibrate
from compress.train import Training
from compress.variant import Variant
from search.choosing import accuracy_of, cost_of, mark_shipped, nearest_miss, within_limits
from search.errors import ConfigError, Infeasible, UsageError
from search.fronts import is_within_limits, spread
from search.latency.measuring import measure_architecture
from search.latency.reach import when_reachable
from search.limits import FLOAT_BYTES, total_excess
from search.objectives import front
from search.screen import evaluations
from search.stages import stage, state_on_leaving
from search.state.ledger import Ledger
from search.state.records import Parent, TrialRecord
from search.stitching.anchors import given_variant
from search.stitching.config import StitchConfig
from search.stitching.training import train_stitched
from search.stitching.weights import Stitched
from search.study import Study, architecture_record, exact_limits, open_study
from search.watch import Watch
from search.winners import Chain
from spaces.architecture import Architecture
from spaces.stitch import LARGE, SMALL, Member, StitchSpace, stitch_space

ORIGIN = "stitch"  # of the trials
WEIGHTS = "stitched"  # the checkpoint
Given = dict[str, Variant]  # the two networks, by `small` and `large`


def stitch(config: StitchConfig, ledger: Ledger, watch: Watch) -> None:
    """Fit, train, screen and ship the networks between two; what is recorded is not repeated.

    Nothing is written before it is known that they can be stitched. Raises: LatheError with its exit code; Interrupted
    leaves the study paused.
    """
    keep_freed_memory()
    settings = config.stitching
    sources = {SMALL: settings.small, LARGE: settings.large}
    given = {whose: given_variant(ledger, settings.of, id) for whose, id in sources.items()}
    space = _space(given)
    data = config.base.task.load()
    if data.digest != ledger.study(settings.of).data_hash:
        raise ConfigError(
            f"error: the data of study {settings.of!r} have changed since its networks were trained, or an older Lathe "
            "drew its parts otherwise. Bring them back, or stitch networks of a new study."
        )
    study = open_study(config.base, ledger, watch, data)
    with state_on_leaving(study), watch.interruptible():
        if study.record.state == "done":
            return
        study.foresight.clear()  # stitched networks are measured, all of them
        with stage(study, "anchors", len(given)):
            origins = [
                _record_given(study, whose, given[whose], f"{settings.of}:{id}") for whose, id in sources.items()
            ]
        with stage(study, "stitch"):
            stitched = trained(study, space, given, config)
        with stage(study, "members", len(space.members)):
            _screen_all(study, stitched)
        with stage(study, "winners", settings.keep):
            _develop(study, stitched, origins, settings.keep)
            _ship(study)
        ledger.set_state(study.id, "done")


def trained(study: Study, space: StitchSpace, given: Given, config: StitchConfig) -> Stitched:
    """The common weights: from the last checkpoint where there is one, trained to the end."""
    ledger, data = study.ledger, study.data
    small, large = (copy.deepcopy(given[whose].network) for whose in (SMALL, LARGE))
    stitched = Stitched(space, small, large, data.normalise(data.train.x[:IMAGES]))
    training = Training(config.stitching.epochs, batch=study.config.supernet.batch, lr=config.stitching.lr)

    def save(epoch: int, content: bytes) -> None:
        ledger.save_checkpoint(study.id, WEIGHTS, content)
        study.event("stitch", f"epoch {epoch} of {training.epochs}", {"epoch": epoch})

    start = ledger.load_checkpoint(study.id, WEIGHTS)
    train_stitched(stitched, data, training, study.seed, start, save, study.watch.advance, study.watch.check)
    return stitched


def network_of(stitched: Stitched, arch: Architecture, study: Study) -> Variant:
    """A member standing alone, with BatchNorm statistics of its own."""
    network = stitched.extract(arch)
    recalibrate(network, study.data.normalise(study.data.train.x[:IMAGES]))
    return Variant(arch, network)


def _space(given: Given) -> StitchSpace:
    small, large = given[SMALL].arch, given[LARGE].arch
    assert isinstance(small, Architecture) and isinstance(large, Architecture)
    try:
        return stitch_space(small, large)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _record_given(study: Study, whose: str, variant: Variant, source: str) -> Parent:
    """One of the two networks as it was, measured anew: what the stitched ones are made of and compared with."""
    name = {"name": f"{whose}-given"}  # whose weights differ from the member's of that name
    Chain(study, "baseline", name, None, None).run("given", lambda: variant, {"variant": source}, ())
    study.watch.advance(study.watch.done + 1, whose)
    known = study.ledger.variants(study.id)
    return Parent(next(v.id for v in known if v.config.get("name") == name["name"]) or 0)


def _screen_all(study: Study, stitched: Stitched) -> None:
    """Every member evaluated on validation and measured on every device; a trial each."""
    known = {trial.architecture_id for trial in study.trials}
    for number, member in enumerate(stitched.space.members.values()):
        if member.arch.id not in known:
            study.watch.check()
            study.add(_screened(study, stitched, member, number))
        study.watch.advance(number + 1, member.name)


def _screened(study: Study, stitched: Stitched, member: Member, number: int) -> TrialRecord:
    arch = member.arch
    quality = evaluate(network_of(stitched, arch, study).network, study.data, study.data.validation)
    values = {"accuracy": quality.accuracy, "loss": quality.loss}
    kinds = dict.fromkeys(values, "exact")
    for device in study.devices:
        found = when_reachable(study, device, partial(measure_architecture, arch, device, study))
        values[f"latency_ms@{device}"], kinds[f"latency_ms@{device}"] = found.value, found.kind
    return TrialRecord(
        number, arch.id, {"member": member.name}, {}, values, kinds, origin=ORIGIN,  # type: ignore[arg-type]
        architecture=architecture_record(arch), evaluations=evaluations(quality, "validation", "supernet"),
    )  # fmt: skip


def _develop(study: Study, stitched: Stitched, origins: list[Parent], keep: int) -> None:
    """The best of the measured front as files, each evaluated and measured as what ships is."""
    limits, _ = exact_limits(study.config)
    able = [
        trial
        for trial in study.of(ORIGIN)
        if is_within_limits(study, trial) and not total_excess(_arch(trial), limits, FLOAT_BYTES)
    ]
    best = [able[i] for i in front([study.point(trial) for trial in able])]
    for done, trial in enumerate(spread(study, best, keep)):
        study.watch.check()
        name = {"name": trial.params["member"]}
        chain = Chain(study, "winner", name, trial.id, None, origins=origins)
        chain.run("stitch", partial(network_of, stitched, _arch(trial), study), {}, ())
        study.watch.advance(done + 1, str(trial.params["member"]))


def _arch(trial: TrialRecord) -> Architecture:
    assert trial.architecture is not None
    return Architecture.from_json(trial.architecture.json)


def _ship(study: Study) -> None:
    """Mark the files that no other beats as what the user gets, the two networks as they were among them where nothing
    made of them is better; read the test part for them and for those two. Raises: Infeasible.
    """
    recorded = study.ledger.variants(study.id)
    able = [v for v in recorded if within_limits(study, v)]
    if not able:
        raise Infeasible(f"no network of the stitched space meets every limit. {nearest_miss(study)} Raise the limit.")
    best = [able[i] for i in front([(cost_of(v, "latency_ms"), -accuracy_of(v)) for v in able])]
    mark_shipped(study, best, [v for v in recorded if v.role == "baseline" and v not in best])
