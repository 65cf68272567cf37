"""How far a study is, from its newest progress row. No I/O."""

from dataclasses import dataclass
from datetime import datetime

from search.state.recorded import Event, Recorded, StudyLine
from search.state.records import StudyRecord
from search.watch import STAGES, STITCHING, TITLES

SILENT_S = 180.0


@dataclass(frozen=True)
class Progress:
    """The stage a study is in. share: 0 to 1 of this stage; `stages`: (title, share) of all, in order."""

    stage: str
    title: str
    done: float
    total: float
    share: float
    stages: tuple[tuple[str, float], ...]
    sentence: str


def progress_of(study: StudyRecord, newest: Event | None) -> Progress:
    """Stages before the present one count as done, later ones as not begun."""
    data = newest.data if newest else {}
    is_over = study.state == "done" or study.stage == "done"
    stage = str(data.get("stage") or study.stage)
    names = list(STAGES) + ["twins"] * ("twins" in (stage, study.stage))
    if "tune" in study.config:
        names = ["tune", "front"]
    elif "model" in study.config or "variant" in study.config:
        names = ["compress"]
    elif "stitch" in study.config:
        names = list(STITCHING)
    if study.stage in names and (stage not in names or names.index(study.stage) > names.index(stage)):
        stage, data = study.stage, {}  # the stage was entered after the newest row
    done, total = float(data.get("done", 0.0)), float(data.get("total", 0.0))
    share = 1.0 if is_over else min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
    title = "Done" if is_over else TITLES.get(stage, stage or "Not begun")
    at = len(names) if is_over else names.index(stage) if stage in names else 0
    stages = tuple((TITLES[name], 1.0 if i < at else share if i == at else 0.0) for i, name in enumerate(names))
    return Progress(stage, title, done, total, share, stages, _sentence(study.state, title, done, total))


def sentence_of(recorded: Recorded) -> str:
    """The sentence, and of a study that failed why."""
    sentence = progress_of(recorded.study, recorded.progress).sentence
    reason = failure_of(recorded)
    return f"{sentence}. {reason}" if reason else sentence


def silence_of(line: StudyLine, now: datetime) -> str:
    """What to do about a running study that has not been heard of for minutes: kill -9 leaves no word; else ""."""
    heard = line.progress.at if line.progress else line.study.created_at
    silent_s = (now - heard).total_seconds()
    if line.study.state != "running" or silent_s <= SILENT_S:
        return ""
    return f"nothing heard for {silent_s / 60:.0f} min. If it was killed: `search resume {line.study.name}`"


def failure_of(recorded: Recorded) -> str:
    """What ended a study that failed; "" for any other."""
    if recorded.study.state != "failed":
        return ""
    return next((event.message for event in reversed(recorded.events) if event.kind == "failed"), "")


def _sentence(state: str, title: str, done: float, total: float) -> str:
    where = f"{title}: {int(done)} of {total:g}" if total > 1 and title != "Done" else title
    return {
        "running": where,
        "paused": f"Paused in: {where}. `search resume` goes on.",
        "failed": f"Failed in: {where}",
        "done": "Done",
    }[state]
