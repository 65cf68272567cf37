"""The main loop: a space, a supernet, a search, a measured front, and the files to ship."""

from collections.abc import Sequence

from compress.memory import keep_freed_memory
from search import choosing, fronts
from search.baselines import random_baseline, tell_used_up
from search.choosing import ship
from search.config.study import StudyConfig
from search.errors import Infeasible, TooManyFailures, UsedUp
from search.fidelities.race import finalists
from search.fidelities.short import steps_to_take
from search.fronts import measured_front, spread
from search.latency.measuring import SCREENING, SHIPPING
from search.narrowing import keeps_feasible, record_cuts, record_preferred
from search.screen import Worth, by_shared_weights, by_table, screen
from search.stages import stage, state_on_leaving
from search.state.ledger import Ledger
from search.state.records import TrialRecord
from search.study import Study, open_study, proposer_of
from search.supernet import ranks
from search.supernet.checkpoint import load_weights
from search.supernet.shared_weights import Supernet, build_supernet
from search.supernet.teacher import choose_teacher
from search.supernet.training import train_supernet
from search.twins import race_twins
from search.watch import Watch
from search.winners import develop_hand_made, develop_winner


def launch(config: StudyConfig, ledger: Ledger, watch: Watch | None = None) -> Study:
    """Run a study to its end, or go on with it: what is recorded is never repeated.

    Raises: LatheError with its exit code; Interrupted leaves the study paused.
    """
    keep_freed_memory()
    study = open_study(config, ledger, watch or Watch(quiet=True))
    with state_on_leaving(study), study.watch.interruptible():
        if study.record.state == "done":
            return study
        supernet = None
        if study.data.scores is None:
            with stage(study, "supernet"):
                supernet = trained_supernet(study)
        worth = worth_of(study, supernet)
        with stage(study, "search", config.search.trials):
            try_networks(study, worth)
        with stage(study, "baseline", config.search.trials):
            random_baseline(study, worth)
        left = max(2, config.search.exports - study.exports)
        with stage(study, "front", left):
            front, random_front = measured_fronts(study, left)
        if supernet is not None:
            develop(study, supernet, front, random_front)
        study.ledger.set_state(study.id, "done")
    return study


def worth_of(study: Study, supernet: Supernet | None) -> Worth:
    """How the study finds out what a network is worth: by its shared weights, or by the table it has instead."""
    if study.data.scores is not None:
        return by_table(study.data.scores, study)
    assert supernet is not None
    return by_shared_weights(supernet, study)


def try_networks(study: Study, worth: Worth) -> None:
    """Propose, screen and record until the study's trials are used up, or the space."""
    while study.has_budget():
        study.watch.check()
        try:
            proposal = study.proposer.propose(len(study.of("search")))
        except UsedUp:
            return tell_used_up(study)
        trial = screen(proposal, worth, study)
        study.add(trial)  # our rows first, then Optuna's memory
        study.proposer.tell(proposal, trial.values if trial.state == "done" else None)
        _after(study)


def measured_fronts(study: Study, left: int) -> tuple[list[TrialRecord], list[TrialRecord]]:
    """The fronts of the search and of the random networks, with at most `left` measurements; of a resumed study those
    that it had: more measurements could change who is developed. Raises: Infeasible."""
    known = fronts.recorded_fronts(study)
    if known is not None:
        return known
    front = measured_front(study, "search", SHIPPING, left - left // 3)  # nothing enters the front unmeasured
    if not front:
        raise Infeasible(fronts.nearest_miss(study))
    random_front = measured_front(study, "random", SCREENING, left // 3)
    fronts.record_fronts(study, front, random_front)
    return front, random_front


def develop(
    study: Study, supernet: Supernet, front: Sequence[TrialRecord], random_front: Sequence[TrialRecord]
) -> None:
    """Train, compress and export the best of the front, with the baselines beside them. Raises: Infeasible."""
    config = study.config
    with stage(study, "winners", steps_to_take(config)):
        develop_hand_made(study)  # first: it may be the one to teach
        teacher, chosen = choose_teacher(study, supernet), list[TrialRecord]()
        for trial in finalists(study, supernet, teacher[0] if teacher else None, front):
            develop_winner(trial, supernet, teacher, study)
            chosen.append(trial)
        for trial in spread(study, random_front, 1):
            develop_winner(trial, supernet, teacher, study, role="baseline")
        shipped = ship(study)
    if shipped is None:
        raise Infeasible(
            f"no network that was developed meets every limit. {choosing.nearest_miss(study)} "
            "Raise the limit, or `search.trials`."
        )
    race_twins(study, chosen)


def trained_supernet(study: Study) -> Supernet:
    """The study's supernet: from its last checkpoint where there is one, trained to the end of its budget."""
    config, ledger = study.config, study.ledger
    supernet = build_supernet(study.space, config.search.seed)
    finished = ledger.load_checkpoint(study.id, "supernet")
    if finished is not None:
        load_weights(supernet, finished)
        return supernet

    def save(epoch: int, checkpoint: bytes) -> None:
        ledger.save_checkpoint(study.id, "supernet-training", checkpoint)
        study.event("supernet", f"epoch {epoch} of {config.supernet.epochs}", {"epoch": epoch})

    start = ranks.told(ledger.load_checkpoint(study.id, "supernet-training") or b"")  # those who help wait for it
    course = train_supernet(
        supernet,
        study.data,
        config.supernet,
        config.search.seed,
        start=start or None,
        save=save,
        progress=study.watch.advance,
        before_step=study.watch.check,
        allows=keeps_feasible(study.space, config.limits, study.proposer.weight_bytes),
    )
    record_cuts(study, course)
    record_preferred(study, course)
    study.proposer = proposer_of(config, ledger, study.id, supernet.space)
    study.proposer.replay(study.trials)
    ledger.save_checkpoint(study.id, "supernet", ledger.load_checkpoint(study.id, "supernet-training") or b"")
    return supernet


def _after(study: Study) -> None:
    """After each trial: teach the predictors while measurements come in, show progress, stop a failing study."""
    trials = study.of("search")
    for device in study.devices:
        if (trials[-1].architecture_id, device) in study.measured:
            study.refit(device)
    failures = [trial for trial in trials if trial.state == "failed"]
    if failures and failures[-1] is trials[-1]:
        study.event("failed_trial", failures[-1].error, {"number": failures[-1].number}, "warning")
    if len(trials) >= 10 and len(failures) > len(trials) / 2:
        raise TooManyFailures(f"{len(failures)} of {len(trials)} trials failed, the last with: {failures[-1].error}")
    study.watch.advance(len(trials), f"{len(trials)} trials, {study.exports} measured")
