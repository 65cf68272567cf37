"""What the shipped network is worth for each class, as a section of the report. Markup out, no I/O."""

import re
from collections.abc import Sequence
from html import escape

from compress.confusion import Confusion
from search.report.comparison import Model
from search.report.per_class import name_among, recall, right, sentences, shipped_confusions, told_classes
from search.state.recorded import Recorded

SQUARE = 24  # classes up to which the matrix itself is shown
WORST, OFTEN = 10, 10  # of more the worst classes and the most frequent confusions
SHORT = 3  # letters of a class's name that stand beside each other in the head of a column
ABOUT = (
    "A row is what an example is, a column what was answered: right answers lie on the diagonal, and a class's recall "
    "is the share of its row that does, with the 95 % interval. Green is deeper the larger that share, orange the "
    "more often two classes are confused."
)


def classes_section(recorded: Recorded, found: Sequence[Model]) -> str:
    """A section, or nothing where it is not known; the validation part is folded away below the test part."""
    file = f"The shipped file {name_among(found)}".rstrip()
    shown = [_part(confusion, split, escape(file)) for split, confusion in shipped_confusions(recorded, found).items()]
    if not shown:
        return ""
    folded = "".join(f"<details><summary>{title}</summary>{body}</details>" for title, body in shown[1:])
    title, body = shown[0]
    body += f'<p class="about small">{ABOUT}</p>' if 'class="matrix' in body else ""
    return f'<section class="long"><h2>Each class</h2><p class="about">{title}.</p>{body}{folded}</section>'


def _part(confusion: Confusion, split: str, file: str) -> tuple[str, str]:
    told = "".join(f'<p class="named">{_marked(sentence)}</p>' for sentence in sentences(confusion))
    which = f"{file} on the {confusion.n:,} {split} examples"
    if len(confusion.classes) <= SQUARE:
        return which, told + matrix_html(confusion, split)
    return f"{which}, the worst of {len(confusion.asked):,} classes", told + _worst(confusion) + _often(confusion)


def matrix_html(confusion: Confusion, split: str) -> str:
    """A table: a row a true class with its recall, a column an answered one; `--share` of a cell says how deep its
    colour is."""
    tall = max(map(len, confusion.classes)) > SHORT
    worst = max((m.n / confusion.examples[m.true] for m in confusion.mistakes), default=1.0)
    heads = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in confusion.classes)
    rows = "".join(_row(confusion, number, counts, worst) for number, counts in enumerate(confusion.rows()))
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="Confusion matrix, {split} examples">'
        f'<table class="matrix{" tall" if tall else ""}"><caption>True class by row, answered class by column</caption>'
        f'<thead><tr><th scope="col">class</th><th scope="col" class="recall">recall</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(confusion: Confusion, number: int, counts: Sequence[int], worst: float) -> str:
    n = confusion.examples[number]
    cells = ""
    for answered, count in enumerate(counts):
        if count:
            share = count / n if answered == number else count / n / worst
            kind = "hit" if answered == number else "miss"
            cells += f'<td class="{kind}" style="--share:{100 * share:.0f}%">{count:,}</td>'
        else:
            cells += '<td class="none">0</td>'
    told = _interval(recall(confusion, number)) if n else "no examples"
    return f'<tr><th scope="row">{escape(confusion.classes[number])}</th><td class="recall">{told}</td>{cells}</tr>'


def _worst(confusion: Confusion) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(confusion.classes[number])}</th><td class="n">{right(confusion, number)}</td>'
        f'<td class="n">{_interval(recall(confusion, number))}</td></tr>'
        for number in told_classes(confusion, WORST, WORST)
    )
    heads = '<tr><th scope="col">class</th><th scope="col">right</th><th scope="col">recall</th></tr>'
    return _table(heads, rows)


def _often(confusion: Confusion) -> str:
    rows = "".join(
        f"<tr><td>{escape(confusion.classes[m.true])}</td><td>{escape(confusion.classes[m.answered])}</td>"
        f'<td class="n">{m.n:,} of {confusion.examples[m.true]:,}</td></tr>'
        for m in confusion.mistakes[:OFTEN]
    )
    heads = '<tr><th scope="col">class</th><th scope="col">answered</th><th scope="col">how often</th></tr>'
    return f"<h3>Confused most</h3>{_table(heads, rows)}"


def _table(heads: str, rows: str) -> str:
    return f'<div class="wide"><table class="flat"><thead>{heads}</thead><tbody>{rows}</tbody></table></div>'


def _marked(sentence: str) -> str:
    """What stands between backticks as code; a name that has one itself is only not set apart."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(sentence))


def _interval(text: str) -> str:
    value, bracket, interval = text.partition(" [")
    return value + (f" <small>[{interval}</small>" if bracket else "")
