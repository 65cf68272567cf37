"""What the dashboard asks the database: read-only, and again only when something changed."""

from dataclasses import dataclass

import streamlit as st
from sqlalchemy import Engine

from search.report.comparison import Comparison, Model, models
from search.report.guessing import comparisons, held_back
from search.report.summary import Summary, summarise
from search.state.database import connect, parse, shown_url, store_of
from search.state.recorded import Recorded, StudyLine, pulse, read_lines, read_recorded

LARGEST_DOWNLOAD = 200_000_000  # bytes; a larger file is better copied with `search export`


@dataclass(frozen=True)
class StudyView:
    """One study with everything that is shown of it."""

    recorded: Recorded
    summary: Summary
    models: tuple[Model, ...]
    comparisons: tuple[Comparison, ...]


@st.cache_resource(max_entries=4, show_spinner=False)
def engine(url: str) -> Engine:
    """A read-only engine on the database. Raises SchemaError; a failure is not remembered."""
    return connect(url, read_only=True)


def lines(url: str) -> list[StudyLine]:
    """All studies, newest first."""
    return read_lines(engine(url))


def view(url: str, name: str) -> StudyView:
    """One study as it is now; worked out again only when a row was added or its state changed."""
    return _view(url, name, pulse(engine(url), name))


@st.cache_resource(max_entries=64, ttl=600, show_spinner=False)  # frozen records, so sharing them is safe
def _view(url: str, name: str, at: tuple) -> StudyView:
    recorded = read_recorded(engine(url), name)
    found = models(recorded)
    summary = held_back(summarise(recorded), recorded, found)
    return StudyView(recorded, summary, found, comparisons(recorded, found))


@st.cache_data(max_entries=8, ttl=600, show_spinner=False)
def file_bytes(url: str, sha256: str) -> bytes | None:
    """A stored file, or None if it is gone or too large to hand out through a browser."""
    try:
        path = store_of(url).path(sha256)
        return path.read_bytes() if path.stat().st_size <= LARGEST_DOWNLOAD else None
    except OSError:
        return None


def shown(url: str) -> str:
    """The database for a caption: the path of a file, a URL without its password."""
    return shown_url(parse(url))
