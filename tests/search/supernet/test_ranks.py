"""Several processes train one supernet: the same weights as one, and one alone writes."""

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from compress.train import Batch, batches, learning_rate, optimizer_for, set_learning_rate
from search.supernet import ranks
from search.supernet.shared_weights import build_supernet
from search.supernet.training import Sharing, train_step
from tests.contracts.small_spaces import space_of
from tests.toy_task import toy_data

ROOT = Path(__file__).parents[3]
TINY = Path(__file__).parents[1] / "tiny.yaml"
SPACE = space_of(("mbconv", "kan"))
TRAIN = """
import sys
import torch
from search.supernet import ranks
from search.supernet.cutting import Cutting
from search.supernet.rules.attentive import Attentive
from search.supernet.rules.fair import Fair
from search.supernet.rules.growing import Growing
from search.supernet.rules.relaxed import Relaxed
from search.supernet.shared_weights import build_supernet
from search.supernet.training import Sharing, train_supernet
from tests.search.supernet.test_ranks import SPACE
from tests.toy_task import toy_data

WAYS = {
    "sandwich": {},
    "attentive": {"rule": Attentive()},
    "relaxed": {"rule": Relaxed()},
    "growing": {"rule": Growing(until=0.25)},
    "cut": {"rule": Fair(), "cut": Cutting(confidence=0.05, networks=50, images=32)},
}
with ranks.together():
    found = {}
    for name, way in WAYS.items():
        supernet = build_supernet(SPACE, 0)
        epochs = 4 if name == "cut" else 2
        course = train_supernet(supernet, toy_data(train=64), Sharing(epochs=epochs, batch=32, **way), seed=0)
        weights = {n: p.detach() for n, p in supernet.store.named_parameters()}
        found[name] = {"weights": weights, "logits": course.memory.get("logits", {}), "space": repr(supernet.space)}
    torch.save(found, f"{sys.argv[1]}/{ranks.rank()}.pt")
    if ranks.rank() == 0 and sys.argv[2:] == ["leave"]:
        raise SystemExit(3)
    while ranks.told("stay") is not None and ranks.rank() > 0:
        pass
"""


def environment(**more: str) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    return os.environ | own | {"PYTHONPATH": str(ROOT)} | more


def on_two_ranks(folder: Path, *arguments: str) -> list[int]:
    env = environment()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN, str(folder), *arguments], cwd=ROOT, env=env | {"RANK": str(rank)}
        )
        for rank in (0, 1)
    ]
    return [process.wait(300) for process in running]


@pytest.mark.slow
def test_two_ranks_have_equal_weights_by_every_rule_and_those_of_one_process(tmp_path: Path) -> None:
    assert on_two_ranks(tmp_path) == [0, 0]
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for name, found in one.items():
        assert found["space"] == other[name]["space"]
        for part in ("weights", "logits"):
            assert found[part].keys() == other[name][part].keys()
            assert all(torch.equal(tensor, other[name][part][key]) for key, tensor in found[part].items()), name
    assert one["cut"]["space"] != repr(SPACE) and one["relaxed"]["logits"]
    assert any(found.abs().sum() > 0 for found in one["growing"]["logits"].values())
    for name, tensor in by_one_process().items():
        torch.testing.assert_close(one["sandwich"]["weights"][name], tensor, rtol=1e-4, atol=1e-6)


def by_one_process() -> dict[str, torch.Tensor]:
    """The whole batches, with the batch statistics of their halves: the mean of both gradients."""
    supernet, config, data = build_supernet(SPACE, 0).train(), Sharing(epochs=2, batch=32), toy_data(train=64)
    parameters = dict(supernet.store.named_parameters())
    optimizer, number = optimizer_for(parameters, config), 0
    for epoch in range(2):
        for batch in batches(data, 32, 0, epoch):
            done = number / 4
            set_learning_rate(optimizer, learning_rate(config, done))
            optimizer.zero_grad()
            for half in zip(*(tensor.chunk(2) for tensor in batch), strict=True):
                train_step(supernet, Batch(*half), config, 0, number, done)
            for parameter in parameters.values():
                if parameter.grad is not None:
                    parameter.grad /= 2
            nn.utils.clip_grad_norm_(parameters.values(), config.clip)
            optimizer.step()
            number += 1
    return {name: parameter.detach() for name, parameter in parameters.items()}


@pytest.mark.slow
def test_the_others_leave_when_the_first_one_does(tmp_path: Path) -> None:
    assert on_two_ranks(tmp_path, "leave") == [3, 0]


@pytest.mark.slow
def test_under_torchrun_one_process_writes_the_study_and_all_train_it(tmp_path: Path) -> None:
    db = tmp_path / "lathe.db"
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "search", "launch"]
    told = subprocess.run(
        [sys.executable, *command, str(TINY), "-o", "search.trials=8", "-o", "compress.max_drop=50", "--db", str(db)],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("study tiny: ") == 1
    with sqlite3.connect(db) as rows:
        assert rows.execute("select state from lathe_study").fetchall() == [("done",)]
        assert rows.execute("select count(*) from lathe_trial where origin = 'search'").fetchone() == (8,)
        assert rows.execute("select count(*) from lathe_event where kind = 'supernet'").fetchone() == (2,)


def test_a_batch_that_cannot_be_divided_is_refused_with_one_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "world", lambda: 3)
    with pytest.raises(ValueError, match=r"multiple of the 3 processes, got 32 images. Set supernet.batch to 30"):
        ranks.part(next(batches(toy_data(), 32, 0, 0)))


def test_one_process_alone_needs_no_group() -> None:
    batch = next(batches(toy_data(), 32, 0, 0))
    assert (ranks.rank(), ranks.world(), ranks.told("x"), ranks.average(2.0)) == (0, 1, "x", 2.0)
    assert ranks.part(batch) is batch and ranks.agreed(0.5) == 0.5
