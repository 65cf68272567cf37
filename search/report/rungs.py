"""How far the candidates were trained, and why some were stopped, told. No I/O."""

from search.state.recorded import Recorded

KIND = "rung"  # of the events that search.fidelities.fates records


def rung_sentences(recorded: Recorded) -> list[str]:
    """One for each candidate, those of the front first."""
    return [event.message for event in recorded.events if event.kind == KIND]
