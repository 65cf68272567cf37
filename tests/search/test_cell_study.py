"""A small study of cells, from shared weights to files."""

from pathlib import Path

import pytest

from search.config.study import read_config
from search.main_loop import launch
from search.state.ledger import Ledger

TINY = Path(__file__).parent / "tiny.yaml"
OPERATIONS = "[none, skip, avgpool3x3, conv1x1, conv3x3]"
CELL = "{cell: {" + ", ".join(f"{edge}: {OPERATIONS}" for edge in ("e10", "e20", "e21", "e30", "e31", "e32")) + "}}"
STAGES = f"space.stages=[{{depth: 1, width: [8, 16], stride: 2, blocks: [{CELL}]}}]"


@pytest.mark.slow
def test_a_study_of_cells_trains_searches_and_ships_one(tmp_path: Path) -> None:
    with Ledger.open(str(tmp_path / "lathe.db")) as ledger:
        config = read_config(TINY, (STAGES, "search.sampler=surrogate", "supernet.epochs=4"))
        study = launch(config, ledger)
        shipped = [variant for variant in ledger.variants(study.id) if variant.is_shipped]
    assert all(trial.state == "done" for trial in study.trials)
    assert shipped and shipped[0].architecture is not None and '"kind":"cell"' in shipped[0].architecture.json
