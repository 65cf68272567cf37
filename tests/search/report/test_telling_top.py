"""`search top` on a terminal."""

from search.report.telling_top import top_text

ROW = {
    "trial": 51, "loss": 0.12345, "latency_ms@here": 0.0138221, "latency_ms@here is": "measured", "accuracy": 0.9583,
    "params": 42_661, "macs": 1_234_567, "front": "yes",
    "architecture": " | ".join(["16", *["48: mbconv k3 e0.666667 relu6, attention h4 d16 r2"] * 5]),
}  # fmt: skip


def test_a_trial_takes_a_line_of_readable_numbers_and_few_of_its_architecture() -> None:
    later = ROW | {"trial": 7, "latency_ms@here is": "predicted", "front": "", "accuracy": None}
    head, first, *rest = top_text([ROW, later], 110).splitlines()
    assert "loss (nats)" in head and "latency@here (ms)" in head and "accuracy (%)" in head
    assert first.split() == ["51", "0.123", "0.0138", "measured", "95.8", "42.7", "k", "1.23", "M", "yes"]
    assert len(rest) <= 7 and all(len(line) <= 110 for line in (head, first, *rest))
    assert head.index("parameters") + len("parameters") == first.index("42.7 k") + len("42.7 k")
    told = " ".join(" ".join(line.split()) for line in rest[:3])
    assert told == ROW["architecture"]
