"""The `supernet` section of a space file: how to train, and the rule with fields of its own."""

from dataclasses import fields, replace
from typing import Any

from search.config.fields import Reading
from search.supernet.rules import RULES
from search.supernet.training import Sharing

DEFAULT_RULE = "sandwich"


def read_supernet(reading: Reading, value: Any) -> Any:
    """The section as `Sharing`, or None if something is wrong. The rule's fields stand beside those of the training."""
    read = reading.mapping(("supernet",), value, "the supernet")
    if read is None:
        return None
    tree = dict(read)
    name = tree.pop("rule", DEFAULT_RULE)
    make: Any = reading.registered(("supernet", "rule"), name, RULES)
    if make is None:
        return None
    own, shared = [f.name for f in fields(make)], [f.name for f in fields(Sharing) if f.name != "rule"]
    before = len(reading.problems)
    reading.known(("supernet",), tree, [*shared, *own], f"the supernet with rule {name!r}")
    known = {key: item for key, item in tree.items() if key in own or key in shared}
    rule = reading.instance(("supernet",), {k: known[k] for k in known if k in own}, make, f"rule {name!r}")
    trained = {k: known[k] for k in known if k in shared}
    sharing = reading.instance(("supernet",), trained, Sharing, "the supernet", fixed=("rule",))
    return replace(sharing, rule=rule) if len(reading.problems) == before else None
