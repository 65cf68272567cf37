"""What the races of Kolmogorov-Arnold networks against their twins came to, in words. No I/O."""

from collections.abc import Mapping
from typing import Any

from search.report import words
from search.state.recorded import Recorded

KIND = "twin"  # of the events that search.twins records


def twin_sentences(recorded: Recorded) -> list[str]:
    """One for each network that was raced, in the order of the races."""
    return [_sentence(event.data) for event in recorded.events if event.kind == KIND]


def _sentence(data: Mapping[str, Any]) -> str:
    points, low, high = data["points"]
    verdict = "better" if low > 0 else "worse" if high < 0 else "no clear difference"
    pace = data["twin_latency_ms"] / data["latency_ms"]
    own, other = _percent(data["accuracy"]), _percent(data["twin_accuracy"])
    params = f"{words.count(data['params'])} and {words.count(data['twin_params'])} parameters"
    return (
        f"Trial {data['trial']} has Kolmogorov-Arnold blocks. Trained alone it is right on {own} of {data['images']} "
        f"validation examples, its twin of MLPs, which takes {pace:.2f} of its {data['latency_ms']:.3g} ms on "
        f"{data['device']}, on {other}: {verdict} ({points:+.1f} points, 90 % interval over examples {low:+.1f} to "
        f"{high:+.1f}; one training of {words.counted(data['epochs'], 'epoch')} each; {params})."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
