"""The list of studies with how far each is."""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import streamlit as st

from dashboard import queries
from search.errors import UsageError
from search.report import words
from search.report.beside import beside, remarks
from search.report.beside_page import HEADS, MEANING, fronts_svg, rows
from search.report.comparison import best_shipped
from search.report.progress import progress_of, silence_of
from search.state.recorded import StudyLine

BADGES = {
    "running": (":material/play_arrow:", "blue"),
    "paused": (":material/pause:", "orange"),
    "done": (":material/check:", "green"),
    "failed": (":material/error:", "red"),
}


def show_studies(url: str, lines: Sequence[StudyLine]) -> None:
    """One card a study, newest first, and those that are chosen beside each other."""
    st.header("Studies")
    for line in lines:
        with st.container(border=True):
            show_line(url, line)
    names = [line.study.name for line in lines]
    if len(names) > 1:
        st.subheader("Beside each other", anchor=False)
        chosen = st.multiselect("Studies with the same objectives", names, key="beside")
        if len(chosen) > 1:
            show_beside(url, chosen)


def show_line(url: str, line: StudyLine) -> None:
    """Name, state, progress and counts of one study, and what it shipped."""
    study = line.study
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left:
        st.subheader(f"[{study.name}](?study={quote(study.name)})", anchor=False)
        shipped = best_shipped(queries.view(url, study.name).models) if line.shipped else None
        if shipped is not None:
            accuracy = words.percent(shipped.test_accuracy or shipped.accuracy)
            latency, size = words.latency(shipped.latency), words.size(shipped.size_bytes)
            st.markdown(f"**{accuracy}** accuracy, **{latency}**, **{size}**")
        show_state(line)
    with right:
        trials = sum(count for origin, count in line.trials.items() if origin != "random")
        numbers = (("Trials", trials), ("Failed trials", line.failed))
        for cell, (label, number) in zip(st.columns(2), numbers, strict=True):
            cell.metric(label, number)


def show_beside(url: str, names: Sequence[str]) -> None:
    """The fronts of several studies in one picture, and a row each."""
    studies = [queries.view(url, name).recorded for name in names]
    try:
        found = beside(studies)
    except UsageError as error:
        st.warning(str(error))
        return
    for sentence in remarks(studies):
        st.warning(sentence)
    st.image(fronts_svg(studies, found))
    st.dataframe([dict(zip(HEADS, row, strict=True)) for row in rows(found)], hide_index=True, width="stretch")
    st.caption(MEANING)


def show_state(line: StudyLine) -> None:
    """Badge, progress bar, and a word if a running study has not been heard of."""
    study, progress = line.study, progress_of(line.study, line.progress)
    icon, colour = BADGES[study.state]
    st.badge(study.state, icon=icon, color=colour)  # type: ignore[arg-type]
    begun = study.created_at.strftime("%Y-%m-%d %H:%M UTC")
    if study.state == "done":
        st.caption(f"Begun {begun}")
        return
    st.progress(progress.share, text=progress.sentence)
    silence = silence_of(line, datetime.now(UTC))
    st.caption(f":material/warning: {silence}" if silence else f"Begun {begun}")
