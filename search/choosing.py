"""Which developed network is shipped: within every limit, accurate enough, fastest; and its test part, read once."""

from collections.abc import Sequence

from compress.apply import NOISE
from compress.devices import fingerprint_of
from compress.evaluate import Quality, evaluate_file
from compress.export.formats import ONNX
from compress.measurement import Measurement, sessions_of
from compress.recipe import STEPS
from compress.runner.engines import engine
from compress.runtimes import runtime_of
from search.screen import evaluations
from search.state.confusions import KIND, record_confusion, splits_of
from search.state.records import VariantRecord
from search.workplace import Workplace
from spaces.tasks import Split


def ship(study: Workplace) -> VariantRecord | None:
    """Choose what the user gets, read the test part, and write its numbers beside the baselines'.

    None if no variant that was developed is within the limits.
    """
    recorded = study.ledger.variants(study.id)
    variants = [v for v in recorded if v.model and v.verdict in ("start", "accepted")]
    max_drop = study.config.compress.max_drop
    winners = [v for v in variants if v.role == "winner" and within_limits(study, v)]
    if not winners:
        return None
    judge = study.config.compress.judge
    shipped = preferred(offered(recorded, winners, judge), max_drop)
    names = {v.config.get("name") for v in variants if v.role == "baseline"}
    chains = [[v for v in variants if v.config.get("name") == name] for name in names if name]
    rivals = [preferred(offered(recorded, chain, judge), max_drop) for chain in chains]
    mark_shipped(study, [shipped], [*siblings(variants, shipped), *rivals])
    return shipped


def mark_shipped(study: Workplace, shipped: Sequence[VariantRecord], beside: Sequence[VariantRecord]) -> None:
    """Read the test part for what is shipped and for what it is compared with, once, and say that it is."""
    _read_test(study, [*shipped, *beside])
    for record in shipped:
        assert record.id is not None
        if "validation" not in splits_of(study.ledger.event_data(study.id, KIND), record.id):
            split = study.data.validation
            confusion = _quality(study, record, split).confusion(split.y.numpy(), study.data.classes)
            record_confusion(study.ledger, study.id, record.id, "validation", confusion)
        study.ledger.mark_shipped(record.id)


def preferred(variants: Sequence[VariantRecord], max_drop: float) -> VariantRecord:
    """Of those with an accuracy within `max_drop` points of the best the fastest; of equally fast ones the smallest."""
    best = max(accuracy_of(v) for v in variants)
    close = [v for v in variants if accuracy_of(v) >= best - max_drop / 100]
    fastest = min(cost_of(v, "latency_ms") for v in close)
    quick = [v for v in close if cost_of(v, "latency_ms") <= (1 + NOISE) * fastest]
    return min(quick, key=lambda v: (cost_of(v, "size_bytes"), -accuracy_of(v)))


def offered(recorded: Sequence[VariantRecord], kept: Sequence[VariantRecord], judge: str) -> Sequence[VariantRecord]:
    """Which of these variants may be chosen: all, or the ends of their recipes where these are judged and were kept.
    The same for winners and baselines: a rival must not choose among steps that the winner could not."""
    return (ends_of(recorded, kept) if judge == "end" else []) or kept


def ends_of(recorded: Sequence[VariantRecord], kept: Sequence[VariantRecord]) -> list[VariantRecord]:
    """Of the kept variants those that a whole recipe made, one a network at most: where it is judged as a whole, its
    end is what was asked for."""
    last = {(v.role, v.trial_id, v.config.get("name")): v.id for v in recorded}
    return [v for v in kept if v.id in last.values()]


def siblings(variants: Sequence[VariantRecord], shipped: VariantRecord) -> list[VariantRecord]:
    """The nearest relative in the other precision, at most one: what the shipped variant was made from, or, if there is
    none, what was made from it; of equally near ones the newest."""
    by_id = {variant.id: variant for variant in variants}

    def line(variant: VariantRecord) -> list[int | None]:
        """The variant and what it was made from, back to the start."""
        ids = [variant.id]
        while (base := next((p.id for p in by_id[ids[-1]].parents if p.role == "base"), None)) in by_id:
            ids.append(base)
        return ids

    others = [v for v in reversed(variants) if v.role == shipped.role and v.precision != shipped.precision]
    others = [v for v in others if "look" not in v.config]  # `search tune` made it in short, only to see
    above = [v for v in others if v.id in line(shipped)]
    below = sorted((v for v in others if shipped.id in line(v)), key=lambda v: len(line(v)))
    return [*above, *below][:1]


def _read_test(study: Workplace, records: Sequence[VariantRecord]) -> None:
    """Those that a killed run has read it for are left alone, the others still get their numbers: the classes first,
    since who has evaluations is not asked again."""
    unread = [record for record in records if not any(e.split == "test" for e in record.evaluations)]
    if not unread:
        return
    test = study.data.read_test()
    if not study.ledger.event_data(study.id, "test_read"):
        study.event("test_read", f"read the {len(test.y)} test examples once, for {len(records)} networks")
    for record in unread:
        assert record.id is not None
        quality = _quality(study, record, test)
        confusion = quality.confusion(test.y.numpy(), study.data.classes)
        record_confusion(study.ledger, study.id, record.id, "test", confusion)
        study.ledger.record_evaluations(study.id, record, evaluations(quality, "test", "exported"))


def _quality(study: Workplace, record: VariantRecord, split: Split) -> Quality:
    """Of the file that the judging device's engine ran."""
    file, name = file_that_ran(record)
    made_by = STEPS.get(record.step) if record.step in STEPS.names() else None
    return evaluate_file(study.ledger.store.path(file), split, runtime_of(made_by).format or name)


def file_that_ran(record: VariantRecord) -> tuple[str, str]:
    """(sha256, format) of the file that the judging device's engine ran: the model, or what lay beside it."""
    assert record.model is not None
    latency = next((m for m in record.measurements if m.metric == "latency_ms"), None)
    if latency is None or "file" not in latency.details:
        return record.model, ONNX
    return str(latency.details["file"]), engine(str(latency.details["engine"]).partition(" or ")[0]).READS[1:]


def within_limits(study: Workplace, record: VariantRecord) -> bool:
    """No limit of the study is broken by the upper end of this variant's own numbers, each latency on the device it is
    for."""

    return all(m.high <= limit for _, m, limit in limited(study, record))


def limited(study: Workplace, record: VariantRecord) -> list[tuple[str, Measurement, float]]:
    """(limit's name, measurement, limit) of all that the study limits and that is known of this variant."""
    found = []
    for name, limit in study.config.limits.items():
        metric, _, device = name.partition("@")
        # by what the device is: the database has its name from the first study that used it
        wanted = fingerprint_of(study.config.devices[device]) if device else ""
        found += [(name, m, limit) for m in record.measurements if (m.metric, m.fingerprint) == (metric, wanted)]
    return found


def nearest_miss(study: Workplace) -> str:
    """Of the variants that may be shipped the one that comes nearest to the limits, for the message when none does."""
    able = [v for v in study.ledger.variants(study.id) if v.role == "winner" and v.verdict in ("start", "accepted")]
    if not able:
        return "No network was developed."
    best = min(able, key=lambda v: max((m.high / limit for _, m, limit in limited(study, v)), default=0.0))
    told = [
        f"{name} <= {limit:g} with {m.value:.4g}" + (f" [{m.low:.4g}, {m.high:.4g}]" if m.low < m.high else "")
        for name, m, limit in limited(study, best)
        if m.high > limit
    ]
    return f"The nearest ({best.precision}, after {best.step!r}) breaks {'; '.join(told)}, by the upper end."


def accuracy_of(record: VariantRecord) -> float:
    """Validation accuracy of the exported file."""
    return next(e.value for e in record.evaluations if e.metric == "accuracy" and e.split == "validation")


def costs_of(record: VariantRecord) -> dict[str, Measurement]:
    """One measurement a metric. Of latencies that on the device that judges, which comes first: of most sessions, of
    these the newest."""
    found: dict[str, Measurement] = {}
    for m in record.measurements:
        first = found.setdefault(m.metric, m)
        if m.fingerprint == first.fingerprint and sessions_of(m) >= sessions_of(first):
            found[m.metric] = m
    return found


def cost_of(record: VariantRecord, metric: str) -> float:
    """A variant's own measurement; a latency is that on the device that judges, which comes first."""
    return next(m.value for m in record.measurements if m.metric == metric)
