"""The page Streamlit runs: a list of studies, or one study. Reads the database on the command line, writes nothing."""

import sys

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from dashboard import queries
from dashboard.one_study import show_study
from dashboard.studies import show_studies
from search.errors import LatheError

ALL = "All studies"
EVERY_S = 2.0  # while something runs; otherwise every WATCH_S the list is looked at for a new study
WATCH_S = 10.0
# drawn here: Streamlit would fetch a named icon, or the picture of an emoji, from Google
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0067a8"/>'
    '<path d="M7 7v18h18" stroke="#fff" stroke-width="3" fill="none"/><path d="M11 10v7h6v5h7" stroke="#fff" '
    'stroke-width="2.5" fill="none"/></svg>'
)


def main() -> None:
    """Choose in the sidebar; the page itself is a fragment that refreshes alone."""
    st.set_page_config(page_title="Lathe", page_icon=ICON, layout="wide")
    url = sys.argv[1] if len(sys.argv) > 1 else "studies/runs/lathe.db"
    st.sidebar.title("Lathe")
    lines = _lines(url)
    names = [line.study.name for line in lines]
    wanted = st.query_params.get("study", "")
    options = [ALL, *names]
    chosen = st.sidebar.radio("Study", options, index=options.index(wanted) if wanted in names else 0)
    if chosen != wanted:
        st.query_params.from_dict({} if chosen == ALL else {"study": chosen})
    st.sidebar.caption(f"Read-only view of `{queries.shown(url)}`")
    is_running = any(line.study.state == "running" for line in lines)

    @st.fragment(run_every=EVERY_S if is_running else WATCH_S)
    def page() -> None:
        now = _lines(url)
        if [(n.study.name, n.study.state) for n in now] != [(n.study.name, n.study.state) for n in lines]:
            st.rerun()  # a study began or ended: the sidebar and the pace change too
        if not now:
            _message("No studies yet.", "The database is there, but nothing was recorded in it.")
        elif chosen == ALL:
            show_studies(url, now)
        else:
            show_study(url, queries.view(url, chosen))

    try:
        page()
    except (LatheError, SQLAlchemyError) as error:
        _message("This study cannot be read.", str(error))


def _lines(url: str) -> list[queries.StudyLine]:
    """All studies; where the database cannot be read the page says why and looks again later."""
    try:
        return queries.lines(url)
    except (LatheError, SQLAlchemyError) as error:
        _message("There is nothing to show yet.", str(error))
    _look_again()
    st.stop()


def _message(headline: str, remedy: str) -> None:
    st.header(headline)
    st.info(f"{remedy}\n\nTo start a study: `search launch studies/digits/space.yaml`", icon=":material/info:")


@st.fragment(run_every=WATCH_S)
def _look_again() -> None:
    if st.button("Look again", icon=":material/refresh:"):
        st.rerun()


if __name__ == "__main__":
    main()
