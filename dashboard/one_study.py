"""One study: front, trials, the chain of steps of the selected winner, files and events."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import queries
from dashboard.charts import SELECTED, calibration_chart, front_chart, loss_chart
from dashboard.classes import show_classes
from dashboard.queries import StudyView
from dashboard.studies import BADGES
from search.latency.calibration import calibrate
from search.report import words
from search.report.comparison import Model, best_shipped, chains
from search.report.cuts import cut_sentences
from search.report.guessing import no_better_than_guessing
from search.report.page import config_yaml
from search.report.progress import failure_of, progress_of
from search.report.summary import Point
from search.report.twins import twin_sentences
from search.report.without_random import without_random
from search.supernet.certificate import MEANING, certificate

MARKS = {
    "won": ":material/trending_up:",
    "lost": ":material/trending_down:",
    "trade": ":material/balance:",
    "open": ":material/help:",
}


def show_study(url: str, view: StudyView) -> None:
    """The whole page of one study."""
    study = view.recorded.study
    icon, colour = BADGES[study.state]
    st.header(study.name, anchor=False)
    st.badge(study.state, icon=icon, color=colour)  # type: ignore[arg-type]
    if study.state != "done":
        progress = progress_of(study, view.recorded.progress)
        st.progress(progress.share, text=progress.sentence)
    if reason := failure_of(view.recorded):
        st.error(reason)
    _shipped(view)
    tabs = st.tabs(["Front", "Winners", "Baselines", "Classes", "Trials", "Events", "Configuration"])
    with tabs[0]:
        _front(view, study.name)
    with tabs[1]:
        _chains(url, chains(view.models), study.name, "winner")
    with tabs[2]:
        _chains(url, chains(view.models, "baseline"), study.name, "baseline")
    with tabs[3]:
        show_classes(view)
    with tabs[4]:
        _trials(view, study.name)
    with tabs[5]:
        _events(view)
    with tabs[6]:
        st.code(config_yaml(study.config), language="yaml")
        st.json({"versions": dict(study.versions), "seed": study.seed, "data": study.data_hash}, expanded=False)


def _shipped(view: StudyView) -> None:
    model = best_shipped(view.models)
    if model is None:
        return
    tested = model.test_accuracy or model.accuracy
    facts = [("Test accuracy" if model.test_accuracy else "Validation accuracy", words.percent(tested))]
    for name, value in model.latencies.items():
        facts.append((f"Latency on {name.partition('@')[2]}", words.latency(value)))
    facts += [("File", words.size(model.size_bytes)), ("Parameters", words.count(model.params))]
    for cell, (label, text) in zip(st.columns(len(facts)), facts, strict=True):
        value, bracket, interval = text.partition(" [")
        cell.metric(label, value)
        made = f"{model.precision}, after {model.step}" if label == "File" else ""
        cell.caption(f"95 % interval [{interval}" if bracket else made)
    if doubt := no_better_than_guessing(view.recorded, view.models):
        st.markdown(f":material/help: {doubt}")
    for comparison in view.comparisons:
        st.markdown(f"{MARKS.get(comparison.outcome, ':material/drag_handle:')} {comparison.sentence}")


def _front(view: StudyView, name: str) -> None:
    if not view.summary.points:
        st.info("No trial is finished yet.", icon=":material/hourglass_empty:")
        _supernet(view)
        return
    chart = front_chart(view.summary, view.models)
    picked: Any = st.altair_chart(chart, width="stretch", on_select="rerun", key=f"front of {name}")
    told = words.screened(view.summary.precision)
    st.caption(
        "Filled: measured. Hollow: predicted. Bars: 95 % intervals. Lines: the fronts. "
        f"Click a filled mark for its network.{f' Networks were {told}.' if told else ''}"
    )
    chosen = {row.get("trial") for row in picked["selection"].get(SELECTED, [])}
    for point in view.summary.points:
        if point.number in chosen:
            _point(point)
    if view.summary.coverage:
        st.markdown(view.summary.coverage.sentence)
    elif unjudged := without_random(view.recorded, view.summary):
        st.markdown(unjudged)
    for sentence in twin_sentences(view.recorded):
        st.markdown(sentence)
    told = cut_sentences(view.recorded)
    if told:
        with st.expander("While the supernet was trained"):
            st.markdown("\n".join(f"- {sentence}" for sentence in told))
    _predictions(view)
    _certificate(view)


def _predictions(view: StudyView) -> None:
    for name, pairs in view.summary.predictions.items():
        found = calibrate(pairs)
        if found is not None:
            with st.expander(f"Predicted and measured: {words.title(name)}"):
                st.altair_chart(calibration_chart(pairs, name), width="stretch")
                st.markdown(found.sentence)


def _certificate(view: StudyView) -> None:
    found = certificate(view.recorded)
    if found is not None:
        with st.expander("Rank certificate: does the supernet rank as training alone does?"):
            heads = ("score", "tau over all", "best fifth", "at like MACs")
            st.dataframe([dict(zip(heads, row, strict=True)) for row in found.rows()], hide_index=True, width="stretch")
            st.markdown(found.sentence)
            st.caption(MEANING)


def _point(point: Point) -> None:
    numbers = [f"{name} {words.number(value)}" for name, value in point.values.items()]
    where = "on the front" if point.on_front else "not on the front"
    st.markdown(f"**Trial {point.number}**, {where}: {'; '.join(numbers)}; accuracy {words.percent(point.accuracy)}")
    st.code(point.description, language=None, wrap_lines=True)


def _supernet(view: StudyView) -> None:
    losses = [
        (float(event.data["epoch"]), float(event.data["loss"]))
        for event in view.recorded.events
        if event.kind == "supernet" and {"epoch", "loss"} <= event.data.keys()
    ]
    if losses:
        st.altair_chart(loss_chart(losses), width="stretch")


def _trials(view: StudyView, name: str) -> None:
    origins = st.segmented_control(
        "Show", ["search", "random"], default=["search"], selection_mode="multi", key=f"origins of {name}"
    )
    rows = [_trial_row(point) for point in view.summary.points if point.origin in origins]
    st.dataframe(rows, hide_index=True, width="stretch", height=460, column_config=_columns(rows))
    if view.summary.failed:
        st.markdown(f"**{len(view.summary.failed)} failed**")
        failed = [{"trial": trial.number, "error": trial.error} for trial in view.summary.failed]
        st.dataframe(failed, hide_index=True, width="stretch")


def _trial_row(point: Point) -> dict[str, Any]:
    row: dict[str, Any] = {"trial": point.number, "origin": point.origin, "front": point.on_front}
    for name, value in point.values.items():
        row[name] = value.value
        if name.startswith("latency"):
            row[f"{name} is"] = value.kind
    accuracy = 100 * point.accuracy.value if point.accuracy else None
    row |= {"accuracy %": accuracy, "params": point.params, "breaks": ", ".join(point.limits_broken)}
    return row | {"network": point.description}


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    formats = {"accuracy %": "%.1f", "params": "localized"}
    names = rows[0] if rows else {}
    formats |= {name: "%.4f" for name in names if isinstance(names[name], float) and name not in formats}
    return {name: st.column_config.NumberColumn(format=form) for name, form in formats.items() if name in names}


def _chains(url: str, found: dict[int, tuple[Model, ...]], name: str, role: str) -> None:
    if not found:
        st.info(f"No {role} has been developed yet.", icon=":material/hourglass_empty:")
        return
    shipped = {first for first, steps in found.items() if any(model.is_shipped for model in steps)}
    labels = {first: steps[0].name + (" (shipped)" if first in shipped else "") for first, steps in found.items()}
    options = sorted(found, key=lambda first: first not in shipped)
    chosen = st.radio("Chain", options, format_func=labels.__getitem__, horizontal=True, key=f"{role} of {name}")
    steps = found.get(chosen) or found[options[0]]
    st.code(steps[0].description, language=None, wrap_lines=True)
    st.dataframe([_step_row(model) for model in steps], hide_index=True, width="stretch")
    for model in steps:
        if model.reason:
            st.markdown(f"- **{model.step}** {model.verdict}: {model.reason}")
    _downloads(url, name, [model for model in steps if model.verdict != "rejected"][-1:])


def _step_row(model: Model) -> dict[str, Any]:
    row = {"step": model.step, "verdict": "shipped" if model.is_shipped else model.verdict}
    row |= {"precision": model.precision, "accuracy": words.percent(model.accuracy)}
    row |= {name.replace("latency_ms@", "latency on "): words.latency(value) for name, value in model.latencies.items()}
    row |= {"file": words.size(model.size_bytes), "params": words.count(model.params), "loss": words.number(model.loss)}
    row |= {"test accuracy": words.percent(model.test_accuracy), "epochs": str(model.epochs or "")}
    return row | {"seconds": f"{model.seconds:.1f}"}


def _downloads(url: str, study: str, found: Sequence[Model]) -> None:
    for model in found:
        data = queries.file_bytes(url, model.file) if model.file else None
        if data is not None:
            name = f"{study}.{model.name.replace(' ', '-')}.{model.step}.{model.precision}.onnx"
            label = f"Download the {model.precision} ONNX file"
            st.download_button(label, data, name, icon=":material/download:", key=f"file {model.id}")


def _events(view: StudyView) -> None:
    rows = [
        {"at": event.at, "level": event.level, "kind": event.kind, "message": event.message}
        for event in reversed(view.recorded.events)
    ]
    if not rows:
        st.info("Nothing to report yet.", icon=":material/hourglass_empty:")
        return
    at = st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss")
    st.dataframe(rows, hide_index=True, width="stretch", height=460, column_config={"at": at})
