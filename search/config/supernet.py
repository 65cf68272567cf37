"""The `supernet` section of a space file: how to train, and the rule with fields of its own."""

from dataclasses import fields, replace
from typing import Any

from search.config.fields import Reading
from search.supernet.cutting import Cutting
from search.supernet.rules import RULES
from search.supernet.training import Sharing

DEFAULT_RULE = "sandwich"


def read_supernet(reading: Reading, value: Any) -> Any:
    """The section as `Sharing`, or None if something is wrong. The rule's fields stand beside those of the training."""
    read = reading.mapping(("supernet",), value, "the supernet")
    if read is None:
        return None
    tree, with_rule = dict(read), dict[str, Any]()  # what is checked together with the rule
    name = tree.pop("rule", DEFAULT_RULE)
    make: Any = reading.registered(("supernet", "rule"), name, RULES)
    if make is None:  # then nobody knows its fields: the others are read all the same
        known = {f.name for f in fields(Sharing)} - {"rule", "cut", "split"}
        reading.instance(("supernet",), {k: v for k, v in tree.items() if k in known}, Sharing, "the supernet")
        return None
    own, shared = [f.name for f in fields(make)], [f.name for f in fields(Sharing) if f.name != "rule"]
    before = len(reading.problems)
    reading.known(("supernet",), tree, [*shared, *own], f"the supernet with rule {name!r}")
    if "cut" in tree:
        with_rule["cut"] = reading.instance(("supernet", "cut"), tree.pop("cut"), Cutting, "`cut`")
    if "split" in tree:
        with_rule["split"] = reading.scalar(("supernet", "split"), tree.pop("split"), bool, "`split`")
    known = {key: item for key, item in tree.items() if key in own or key in shared}
    rule = reading.instance(("supernet",), {k: known[k] for k in known if k in own}, make, f"rule {name!r}")
    trained = {k: known[k] for k in known if k in shared}
    sharing = reading.instance(("supernet",), trained, Sharing, "the supernet", fixed=("rule", *with_rule))
    if len(reading.problems) > before:
        return None
    try:
        return replace(sharing, rule=rule, **with_rule)
    except ValueError as error:
        reading.wrong(("supernet", str(error).split("`")[1]), str(error).rstrip("."))
        return None
