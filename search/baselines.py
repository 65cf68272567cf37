"""What a search must beat: as many random networks, screened alike. The hand-made one is in hand_made.py."""

from search.propose import Proposal
from search.screen import Worth, screen
from search.study import Study
from search.suggest import first_options, params_of


def random_baseline(study: Study, worth: Worth) -> None:
    """Screen as many random feasible architectures as the search tried, by the same rules, and record them."""
    target = len(study.of("search"))
    first = study.config.search.trials
    while len(study.of("random")) < target:
        study.watch.check()
        number = first + len(study.of("random"))
        arch = study.proposer.random_architecture(number)
        space = study.proposer.space
        proposal = Proposal(number, arch, params_of(space, arch, first_options(space)), {})
        trial = screen(proposal, worth, study, origin="random")
        study.add(trial)
        study.proposer.seen.add(arch.id)
        study.watch.advance(len(study.of("random")), f"{len(study.of('random'))} of {target}")
