"""What the shipped network of a study is worth for each class."""

import streamlit as st

from compress.confusion import Confusion
from dashboard.queries import StudyView
from search.report.per_class import name_among, recall, right, sentences, shipped_confusions
from search.report.per_class_page import ABOUT, SQUARE, matrix_html

# translucent on whatever the reader's theme has below
STYLE = """<style>
.wide{overflow-x:auto}.matrix{border-collapse:separate;border-spacing:1px;font-variant-numeric:tabular-nums;font-size:14px}
.matrix caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.matrix td,.matrix th{padding:5px 6px;min-width:40px;text-align:center;font-weight:400}
.matrix th{white-space:nowrap;vertical-align:bottom}
.matrix th[scope=row],.matrix .recall{text-align:left;padding-right:14px}
.matrix.tall thead th:not(:first-child):not(.recall) span{writing-mode:vertical-rl;transform:rotate(180deg)}
.matrix td{white-space:nowrap}.matrix .none,.matrix small,.matrix thead th{opacity:.6}
.matrix .hit{background:rgb(26 156 118/calc(var(--share)*.5))}
.matrix .miss{background:rgb(224 129 47/calc(8% + var(--share)*.5))}
</style>"""
NOTHING = "Known once a network is shipped; studies of older versions did not record it."


def show_classes(view: StudyView) -> None:
    """The test part, and the validation part folded away below it."""
    shown = list(shipped_confusions(view.recorded, view.models).items())
    if not shown:
        st.info(NOTHING, icon=":material/hourglass_empty:")
        return
    split, confusion = shown[0]
    name = name_among(view.models)
    file = f"The shipped file `{name}`" if name else "The shipped file"
    st.markdown(f"{file} on the **{confusion.n:,} {split} examples**.")
    _part(split, confusion)
    for split, confusion in shown[1:]:
        with st.expander(f"The same on the {confusion.n:,} {split} examples"):
            _part(split, confusion)


def _part(split: str, confusion: Confusion) -> None:
    for sentence in sentences(confusion):
        st.markdown(sentence)
    if len(confusion.classes) <= SQUARE:
        st.html(STYLE + matrix_html(confusion, split))
        st.caption(ABOUT)
        return
    names = confusion.classes
    rows = [
        {"class": names[number], "recall": recall(confusion, number), "right": right(confusion, number)}
        for number in sorted(confusion.asked, key=confusion.recall)
    ]
    st.dataframe(rows, hide_index=True, width="stretch", height=420)
    st.markdown("**Confused most**")
    mistakes = [
        {"class": names[m.true], "answered": names[m.answered], "n": m.n, "of": confusion.examples[m.true]}
        for m in confusion.mistakes
    ]
    st.dataframe(mistakes, hide_index=True, width="stretch", height=420)
