"""What a search must beat: as many random networks, screened alike. The hand-made one is in hand_made.py."""

from search.errors import UsedUp
from search.propose import Proposal
from search.screen import Worth, screen
from search.study import Study
from search.suggest import first_options, params_of


def random_baseline(study: Study, worth: Worth) -> None:
    """Screen as many random feasible architectures as the search tried, by the same rules, and record them; fewer where
    the space has no more."""
    target = len(study.of("search"))
    first = study.config.search.trials
    while len(study.of("random")) < target:
        study.watch.check()
        number = first + len(study.of("random"))
        try:
            arch = study.proposer.random_architecture(number)
        except UsedUp:
            return tell_used_up(study)
        space = study.proposer.space
        proposal = Proposal(number, arch, params_of(space, arch, first_options(space)), {})
        trial = screen(proposal, worth, study, origin="random")
        study.add(trial)
        study.proposer.seen.add(arch.id)
        study.watch.advance(len(study.of("random")), f"{len(study.of('random'))} of {target}")


def tell_used_up(study: Study) -> None:
    """Say once that a small space has no further network, which is no failure."""
    if not study.ledger.event_data(study.id, "used_up"):
        counts = {origin: len(study.of(origin)) for origin in ("search", "random")}
        message = (
            f"The space is used up: the search has tried {counts['search']} networks of it and {counts['random']} were "
            "drawn at random, so that the random baseline is smaller than the search, or empty. Lower `search.trials`, "
            "or widen the space, to compare alike."
        )
        study.event("used_up", message, counts, "warning")
        study.watch.say(message)
