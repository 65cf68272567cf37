"""A study as one HTML file that needs nothing else: no script, no font, no request."""

from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from search.latency.calibration import calibrate
from search.report import words
from search.report.charts import calibration_svg, front_svg
from search.report.comparison import Comparison, Model, best_shipped, chains, models
from search.report.costs import study_cost
from search.report.cuts import cut_sentences
from search.report.guessing import comparisons, held_back, no_better_than_guessing
from search.report.html import filled, page_html, write_page
from search.report.per_class_page import classes_section
from search.report.progress import progress_of, sentence_of
from search.report.rungs import rung_sentences
from search.report.stitched_page import stitched_parts
from search.report.summary import Point, Summary, summarise
from search.report.tables import baselines_table, steps_table
from search.report.twins import twin_sentences
from search.report.without_random import without_random
from search.state.recorded import Recorded, read_recorded
from search.supernet.certificate import MEANING, certificate

CAPTION = (
    "Filled marks were measured, hollow ones predicted; bars are 95 % intervals. A line is a front: what it dominates "
    "lies above and to the right, and only measured networks within the limits enter it. Networks on the front have "
    "the supernet's weights; shipped ones and baselines were trained on, so they lie lower."
)
CALIBRATION = (
    "Each prediction was made before the network was measured. After the first ones, networks are measured because "
    "they look good, so predictions that are too low are over-represented. Bars across are 90 % intervals of the "
    "prediction, bars up 95 % intervals of the measurement."
)
WON = {"won": "yes", "lost": "no", "trade": "in part", "even": "not clearly", "open": "not known"}


def write_report(engine: Engine, name: str, out: Path) -> Path:
    """Write the report of the study called `name` to `out` and return that path. The file is complete or as it was.

    A study that is still running is reported as far as it is. Raises NotFound, SchemaError.
    """
    return write_page(report_html(read_recorded(engine, name)), out)


def report_html(recorded: Recorded) -> str:
    """The report of a recorded study as HTML text."""
    found = models(recorded)
    summary = held_back(summarise(recorded), recorded, found)
    study = recorded.study
    own = stitched_parts(recorded) if "stitch" in study.config else {}
    sections = filled(
        "page.html",
        headline=own.get("headline") or _headline(found, recorded),
        classes=classes_section(recorded, found),
        front_about=own.get("front_about") or _front_about(summary),
        front=front_svg(summary, found),
        front_caption=own.get("front_caption") or CAPTION,
        coverage=_coverage(summary) or _told(without_random(recorded, summary)),
        steps=_steps(recorded, found),
        baselines=baselines_table(chains(found, "baseline"))
        + "".join(f"<p>{escape(sentence)}</p>" for sentence in twin_sentences(recorded)),
        calibration=_calibration(summary),
        certificate=_cuts(recorded) + _certificate(recorded),
        hardware=_hardware(recorded),
        reproduce=_reproduce(recorded),
    )
    written = f"Written by Lathe {study.versions.get('lathe', '')} from the study database."
    return page_html(study.name, _subtitle(recorded, summary), sections, written)


def config_yaml(config: Mapping[str, Any]) -> str:
    """The effective configuration as YAML, short lists and mappings on one line."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 110
    order = ("study", "task", "space", "supernet", "search", "objectives", "limits", "devices", "compress", "export")
    tree = {key: config[key] for key in order if key in config} | {k: v for k, v in config.items() if k not in order}
    out = StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _subtitle(recorded: Recorded, summary: Summary) -> str:
    study = recorded.study
    task = str((study.config.get("task") or {}).get("kind", "task"))
    ends = (study.finished_at or study.created_at).strftime("%Y-%m-%d %H:%M UTC")
    state = "finished" if study.state == "done" else progress_of(study, recorded.progress).sentence.lower()
    tried = sum(point.origin != "random" for point in summary.points)
    return f"{task} · {tried} architectures searched · {state} · {ends}"


def _headline(found: Sequence[Model], recorded: Recorded) -> str:
    shipped = best_shipped(found)
    if shipped is None:
        said = "Nothing was shipped." if recorded.study.state in ("done", "failed") else "Nothing is shipped yet."
        return f"<h2>{said}</h2><p class='about'>{escape(sentence_of(recorded))}</p>"
    tested = shipped.test_accuracy or shipped.accuracy
    split = "test" if shipped.test_accuracy else "validation"
    facts = [
        ("accuracy", *_split(words.percent(tested)), f"of {tested.n} {split} examples" if tested else ""),
        *((words.title(name), *_split(words.latency(value)), "") for name, value in shipped.latencies.items()),
        ("file", words.size(shipped.size_bytes), "", f"{shipped.precision} ONNX"),
        ("parameters", words.count(shipped.params), "", f"{words.count(shipped.macs)} multiply-accumulates"),
    ]
    cells = "".join(
        f"<div><dt>{escape(title)}</dt><dd>{escape(value)}<small>{escape(f'{interval} {more}'.strip())}</small></dd>"
        "</div>"
        for title, value, interval, more in facts
    )
    return (
        f'<h2>Shipped: {escape(shipped.name)}, {escape(shipped.precision)}</h2><p class="about"><code>'
        f'{escape(shipped.description)}</code></p><dl class="facts">{cells}</dl>'
        f"{_told(no_better_than_guessing(recorded, found))}{_verdicts(comparisons(recorded, found))}"
    )


def _split(text: str) -> tuple[str, str]:
    """Value and interval apart, so that the first can be large."""
    value, bracket, rest = text.partition(" [")
    return value, f"95 % interval {rest.replace(', ', ' to ').replace(']', '')}" if bracket else ""


def _verdicts(found: Sequence[Comparison]) -> str:
    if not found:
        return ""
    items = "".join(f'<li class="{c.outcome}">{escape(c.sentence)}</li>' for c in found)
    answers = ", ".join(f"{WON[c.outcome]} against the {escape(c.baseline.name)}" for c in found)
    return f'<h2 class="more">Was it worth searching? {words.capital(answers)}.</h2><ul class="verdicts">{items}</ul>'


def _front_about(summary: Summary) -> str:
    search = [p for p in summary.points if p.origin != "random"]
    random = [p for p in summary.points if p.origin == "random"]
    failed = f" {len(summary.failed)} more failed." if summary.failed else ""
    screened = words.screened(summary.precision) or "screened"
    return escape(
        f"{len(search)} architectures of the search ({_measured(search)}) and {len(random)} random ones "
        f"({_measured(random)}), {screened} by the same rules.{failed}"
    )


def _measured(points: Sequence[Point]) -> str:
    known = sum(point.is_measured for point in points)
    if 0 < known < len(points):
        return f"{known} measured, the rest predicted"
    return "all measured" if known else "none measured"


def _told(sentence: str) -> str:
    return f"<p>{escape(sentence)}</p>" if sentence else ""


def _coverage(summary: Summary) -> str:
    cover = summary.coverage
    if cover is None:
        return ""
    corners = "; ".join(f"{name} from {cover.ideal[name]:.3g} to {cover.reference[name]:.3g}" for name in cover.ideal)
    return (
        f'<p>{escape(cover.sentence)}</p><p class="about">Hypervolume, as a share of the box {escape(corners)}: '
        "from the best value on either front to the worst plus a tenth of the range.</p>"
    )


def _calibration(summary: Summary) -> str:
    """How predictions fared where they were measured later, by device."""
    lines = []
    for name, pairs in summary.predictions.items():
        found = calibrate(pairs)
        if found is not None:
            about = f"<p>{escape(found.sentence)}</p><p class='about'>{escape(CALIBRATION)}</p>"
            lines.append(f'<div class="pair">{calibration_svg(pairs, name)}<div>{about}</div></div>')
    return f"<section><h2>Predicted and measured</h2>{''.join(lines)}</section>" if lines else ""


def _cuts(recorded: Recorded) -> str:
    """What the training of the supernet took from the space, and why."""
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in cut_sentences(recorded))
    return f"<section><h2>While the supernet was trained</h2>{told}</section>" if told else ""


def _steps(recorded: Recorded, found: Sequence[Model]) -> str:
    """The chains of the winners, and which candidates went on after a short training."""
    if not chains(found):
        return '<p class="empty">No winner has been developed yet.</p>'
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in rung_sentences(recorded))
    return steps_table(chains(found)) + (f"<h3>After a short training</h3>{told}" if told else "")


def _certificate(recorded: Recorded) -> str:
    """How well the supernet ranks, where `search certify` was run."""
    found = certificate(recorded)
    if found is None:
        return ""
    heads = "".join(f"<th>{head}</th>" for head in ("score", "over all", "best fifth", "at like MACs"))
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in found.rows())
    about = f'<p>{escape(found.sentence)}</p><p class="about">{escape(MEANING)}</p>'
    table = f'<div class="wide"><table><tr>{heads}</tr>{rows}</table></div>'
    return f"<section><h2>Rank certificate</h2>{about}{table}</section>"


def _hardware(recorded: Recorded) -> str:
    cost = study_cost(recorded)
    blocks = [
        f"<h3>{escape(device.name)} ({escape(device.kind)})</h3>" + _plain(device.spec) for device in recorded.devices
    ] or ['<p class="empty">Nothing was measured.</p>']
    blocks.append("<h3>Versions</h3>" + _plain(recorded.study.versions))
    if cost is not None:
        blocks.append("<h3>Cost of this study</h3>" + _plain(cost))
    return "".join(blocks)


def _reproduce(recorded: Recorded) -> str:
    study = recorded.study
    facts = {"seed": study.seed, "data, sha256": study.data_hash, "configuration, sha256": study.config_hash}
    command = "search launch space.yaml          # with the configuration below saved as space.yaml"
    if "stitch" in study.config:
        command = f"search stitch {study.config['stitch']['of']} --name {study.name}   # with the settings below"
    commands = f"{escape(command)}\nsearch export {escape(study.name)} --out export"
    return f"{_plain(facts)}<pre>{commands}</pre><pre>{escape(config_yaml(study.config))}</pre>"


def _plain(facts: Mapping[str, Any]) -> str:
    rows = (f"<dt>{escape(str(key))}</dt><dd>{escape(_shown(value))}</dd>" for key, value in facts.items())
    return f'<dl class="plain">{"".join(rows)}</dl>'


def _shown(value: Any) -> str:
    return _data(value) if isinstance(value, Mapping) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _data(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_shown(value)}" for key, value in data.items())
