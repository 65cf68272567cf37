"""The tree of variants: recipes that begin alike share what was made, and a killed run loses at most one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compress.apply import Attempt, Findings, find, judge, take
from compress.context import Context
from compress.devices import fingerprint_of
from compress.evaluate import accuracy_drop
from compress.export.formats import SUFFIXES
from compress.variant import Variant
from search.choosing import within_limits
from search.compressing import Job
from search.config.tune import Tune
from search.latency.measuring import SCREENED
from search.state.records import Evaluation, VariantRecord
from search.tuning.problem import Proposal
from search.tuning.seen import DROP, LOOK, Seen, recipes_of, seen_of
from search.tuning.space import Candidate
from search.winners import Chain
from spaces.tasks import Data
from spaces.tasks.data import Split
from spaces.tasks.stratified import drawn

Node = tuple[Candidate, bool]  # a recipe, and whether it was made in short


class Tree:
    """The variants of a tuned study by their recipes. Everything made is recorded at once, with its parent.

    Accuracy is always compared with the first start, the most accurate one, on the same images.
    """

    def __init__(self, job: Job, settings: Tune) -> None:
        self.job, self.settings = job, settings
        names = [{"name": start.name} for start in job.starts]
        self.chains = [Chain(job, "winner", name, None, job.teacher, SCREENED) for name in names]
        self.judging = fingerprint_of(job.config.devices[job.config.device])
        self.variants: list[VariantRecord] = []
        self.records: dict[Node, VariantRecord] = {}
        self._read()
        self._short = shortened(job.data, settings.cheap_images, job.seed)
        self._near: tuple[Node, Variant] | None = None  # the last network made: most often the next one's parent
        self.budget = replace(self.chains[0].budget(), each=True)
        self.reference = self._plant()

    def seen(self) -> list[Seen]:
        """What the records say, oldest first, starts among them."""
        return seen_of(self.variants, self.judging, lambda variant: within_limits(self.job, variant))

    @property
    def made(self) -> list[VariantRecord]:
        """All variants but the starts, oldest first."""
        found = [record for (candidate, _), record in self.records.items() if candidate.steps]
        return sorted(found, key=lambda record: record.id or 0)

    def grow(self, proposal: Proposal, tell: Any = None) -> None:
        """Make what is missing on the way to a recipe, in short where it is only looked at; ends where a step is
        refused. tell(share, text): how far the step at work is."""
        node: Node = (Candidate(proposal.candidate.start, ()), False)
        for name, step in proposal.candidate.steps:
            self.job.watch.check()
            candidate = Candidate(node[0].start, (*node[0].steps, (name, step)))
            is_look = proposal.is_look and candidate.is_trained
            if (candidate, is_look) not in self.records:
                self._make(node, (candidate, is_look), name, step, tell)
            if self.records[candidate, is_look].model is None:
                return
            node = candidate, is_look

    def has(self, proposal: Proposal) -> bool:
        """The recipe was tried as proposed, or one of its steps was refused."""
        candidate = proposal.candidate
        while candidate.steps:
            node = candidate, proposal.is_look and candidate.is_trained
            if node in self.records and (candidate == proposal.candidate or self.records[node].model is None):
                return True
            candidate = candidate.base
        return False

    def _plant(self) -> Findings:
        """Record the starts; returns the findings of the first one."""
        reference: Findings | None = None
        for index, (start, chain) in enumerate(zip(self.job.starts, self.chains, strict=True)):
            node, context = (Candidate(index, ()), False), self._context(chain, False)
            if index and node in self.records:
                continue
            found = find(start.variant, context, chain.measure)
            reference = reference or found
            if node not in self.records:
                attempt = Attempt("given", {"source": start.source}, start.variant, found, "start", "", 0.0)
                chain.record(attempt, start.variant, None, [lost(reference, found)])
        assert reference is not None
        self._read()
        return reference

    def _make(self, base: Node, node: Node, name: str, step: Any, tell: Any) -> None:
        is_look, chain = node[1], self.chains[node[0].start]
        used: Any = step
        if is_look and getattr(step, "epochs", 0) > 0:
            least = getattr(step, "least_epochs", 1)
            used = replace(step, epochs=max(least, round(step.epochs * self.settings.cheap_epochs)))
        context = self._context(chain, is_look, tell)
        before = self._loaded(base)

        def verdict_on(found: Findings) -> tuple[str, str]:
            verdict, reason = judge([self.reference], found, self.budget)
            return ("rejected", f"a first look: {reason}") if is_look else (verdict, reason)

        attempt = take(name, used, before, context, chain.measure, verdict_on)
        if is_look:
            epochs = {"epochs": step.epochs} if getattr(step, "epochs", 0) > 0 else {}
            look = {LOOK: {"images": self.settings.cheap_images, **epochs}}
            attempt = replace(attempt, config={**attempt.config, **look})
        more = [] if attempt.findings is None else [lost(self.reference, attempt.findings)]
        chain.record(attempt, before, self.records[base].id, more)
        self._read()
        for path in (file for _, file in context.files.values()):
            for left in (path, *(path.with_suffix(suffix) for suffix in SUFFIXES)):
                left.unlink(missing_ok=True)
        if attempt.variant is not None and attempt.variant.precision == "float32":
            self._near = node, attempt.variant

    def _loaded(self, node: Node) -> Variant:
        if not node[0].steps:
            return self.job.starts[node[0].start].variant
        if self._near is not None and self._near[0] == node:
            return self._near[1]
        return self.chains[node[0].start].loaded(self.records[node])

    def _context(self, chain: Chain, is_look: bool, tell: Any = None) -> Context:
        """A new one for every variant, so that no network is kept; exported graphs and measured parts are shared."""
        return replace(
            chain.context, data=self._short if is_look else self.job.data, progress=tell, files={}, simulations={}
        )

    def read_again(self) -> None:
        """Read all records anew, after something was added to old ones."""
        self.variants = []
        self._read()

    def _read(self) -> None:
        """What was recorded since the last time."""
        newest = max((variant.id or 0 for variant in self.variants), default=0)
        self.variants += self.job.ledger.variants(self.job.id, after=newest)
        self.records = {(candidate, LOOK in record.config): record for record, candidate in recipes_of(self.variants)}


def shortened(data: Data, share: float, seed: int) -> Data:
    """The data with a part of its training images, of every class in its share, the same ones for the same seed;
    constants and validation stay."""
    if share == 1:
        return data
    count = max(1, round(share * len(data.train.y)))
    rows = drawn(data.train.y.numpy(), count, seed)
    return replace(data, train=Split(data.train.x[rows], data.train.y[rows]))


def lost(reference: Findings, found: Findings) -> Evaluation:
    """Points of accuracy lost against the reference on the same images, with the paired 90 % interval."""
    drop, low, high = accuracy_drop(reference.quality, found.quality)
    return Evaluation("validation", DROP, drop, low, high, found.quality.n, "exported")
