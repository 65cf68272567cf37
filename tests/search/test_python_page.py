"""What docs/python.md says runs as it stands there, top to bottom, on a small study."""

import re
import subprocess
import sys
from pathlib import Path

from tests.search.finished_study import OVERRIDES, TINY, Finished

PAGE = Path(__file__).parents[2] / "docs/python.md"


def test_every_line_of_the_page_runs(finished: Finished, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 5
    program = "\n".join(blocks)
    for written, here in (
        ("studies/digits/space.yaml", str(TINY)),
        ('["search.trials=20"]', str(list(OVERRIDES))),
        ("studies/runs/lathe.db", finished.db),
    ):
        assert written in program
        program = program.replace(written, here)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 5, said
    assert said[0].split()[0] in ("inherit", "distill", "prune", "quantize")
    assert re.fullmatch(r"[\d.]+% \([\d.]+, [\d.]+\)", said[1])
    assert re.fullmatch(r"[\d.]+ ms \[[\d.]+, [\d.]+\]", said[2])
    assert [line.split()[0] for line in said[3:]] == ["prune", "quantize"]


def test_the_public_names_stay_what_they_are_however_often_they_are_imported() -> None:
    program = (
        "for _ in range(2):\n"
        "    from search import Ledger, launch, load_study, read_config\n"
        "    from spaces import Architecture, SearchSpace, build, count, sample\n"
        "    print(all(callable(name) for name in (launch, load_study, read_config, build, count, sample)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
