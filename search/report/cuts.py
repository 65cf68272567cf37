"""What the training of the shared weights did to the space, told. No I/O."""

from search.state.recorded import Recorded

KIND, PREFERRED = "cut", "preferred"  # of the events


def cut_sentences(recorded: Recorded) -> list[str]:
    """Each option that was cut with its evidence, and the network that a relaxation prefers; oldest first."""
    return [event.message for event in recorded.events if event.kind in (KIND, PREFERRED)]
