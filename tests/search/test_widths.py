"""`search widths`: what each width costs on a device, and which to offer."""

import json
from pathlib import Path

from tests.search.command_line import Call, is_one_message
from tests.search.finished_study import TINY


def test_on_a_device_that_counts_arithmetic_every_width_is_worth_having(search: Call) -> None:
    said = search("widths", "--device", "simulated", "--set", "macs_per_us=10", "--upto", "8", "--json")
    (found,) = json.loads(said.out)["found"]
    assert said.code == 0 and found["what"] == "conv 3 x 3 at 16 x 16"
    assert found["widths"] == found["offer"] == list(range(1, 9))
    assert found["latencies_ms"] == sorted(found["latencies_ms"])


def test_on_a_device_where_width_costs_nothing_only_the_widest_is_offered(search: Call) -> None:
    said = search("widths", "--layer", "linear", "--device", "simulated", "--set", "macs_per_us=1e12", "--upto", "6")
    assert said.code == 0 and "width: [6]" in said.out


def test_each_stage_of_a_space_is_measured_at_its_own_size(search: Call, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(TINY.read_text())
    said = search("widths", tmp_path / "space.yaml", "--json")
    found = json.loads(said.out)["found"]
    assert said.code == 0 and [each["what"].split(":")[0] for each in found] == ["stage 0", "stage 1"][: len(found)]
    assert all(set(each["offer"]) <= set(each["widths"]) for each in found)


def test_a_layer_that_is_not_known_is_one_message(search: Call) -> None:
    is_one_message(search("widths", "--layer", "pool"), 2, "`--layer` must be one of conv, depthwise, linear")


def test_a_step_without_a_width_is_one_message(search: Call) -> None:
    is_one_message(search("widths", "--upto", "8", "--step", "16"), 2, "`--step` must be at most `--upto` (8), got 16")


def test_a_space_is_measured_on_the_device_that_is_named_and_takes_no_layer(search: Call) -> None:
    device = ("--device", "simulated", "--set", "macs_per_us=1e12", "--set", "node_us=1000")
    said = search("widths", TINY, *device, "--json")
    found = json.loads(said.out)["found"]
    assert said.code == 0 and all(ms >= 1 for each in found for ms in each["latencies_ms"])
    is_one_message(search("widths", TINY, "--kernel", "5"), 2, "--kernel is of a single layer")
