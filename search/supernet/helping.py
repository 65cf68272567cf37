"""What every process but the first does under torchrun: learn its part of the batches, and nothing else."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from search.supernet import ranks
from search.supernet.shared_weights import build_supernet
from search.supernet.training import train_supernet

if TYPE_CHECKING:
    from search.config.study import StudyConfig


def help_to_train(config: StudyConfig) -> None:
    """Wait until rank 0 trains the study's supernet, take part, and leave when rank 0 does. Opens no database, and
    leaves Ctrl-C to rank 0."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (start := ranks.told(None)) is not None:
        data = config.task.load()
        supernet = build_supernet(config.space(data), config.search.seed)
        try:
            train_supernet(supernet, data, config.supernet, config.search.seed, start=start or None)
        except ranks.Stopped:
            return
