"""The list of studies with how far each is."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from search.report.progress import progress_of
from search.state.recorded import StudyLine

BADGES = {
    "running": (":material/play_arrow:", "blue"),
    "paused": (":material/pause:", "orange"),
    "done": (":material/check:", "green"),
    "failed": (":material/error:", "red"),
}
SILENT_S = 180.0


def show_studies(lines: Sequence[StudyLine]) -> None:
    """One card a study, newest first."""
    st.header("Studies")
    for line in lines:
        with st.container(border=True):
            show_line(line)


def show_line(line: StudyLine) -> None:
    """Name, state, progress and counts of one study."""
    study = line.study
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        st.subheader(study.name, anchor=False)
        show_state(line)
    with right:
        cells = st.columns(4)
        numbers = (line.trials.get("search", 0), line.trials.get("random", 0), line.failed, line.shipped)
        for cell, label, number in zip(cells, ("Trials", "Random", "Failed", "Shipped"), numbers, strict=True):
            cell.metric(label, number)


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
    heard = line.progress.at if line.progress else study.created_at
    silent_s = (datetime.now(UTC) - heard).total_seconds()
    if study.state == "running" and silent_s > SILENT_S:
        remedy = f"If it was killed: `search resume {study.name}`"
        st.caption(f":material/warning: nothing heard for {silent_s / 60:.0f} min. {remedy}")
    else:
        st.caption(f"Begun {begun}")
