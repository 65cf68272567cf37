"""Threads are chosen by the time that steps take, and left as they were."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator

import pytest
import torch

from compress import threads
from compress.processor import visiting
from compress.threads import REST_S, VARIABLE, Threads, settled, timed_batches, timed_steps, tried

WAITS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def used(seconds: Callable[[int, int], float], most: int, steps: int, start: int = 1) -> list[int]:
    """The threads of each step, where step `number` takes seconds(threads, number)."""
    trial, found = tried(Threads(start), most), []
    count = next(trial)
    for number in range(steps):
        found.append(count)
        count = trial.send(seconds(count, number))
    return found


def test_one_thread_stays_where_two_are_slower() -> None:
    found = used(lambda n, _: 0.1 * n, most=2, steps=40)
    assert found.count(2) == 5, "as often as a comparison takes"
    assert set(found[10:]) == {1}


def test_more_threads_are_followed_as_far_as_they_pay_and_no_further_than_there_are() -> None:
    assert used(lambda n, _: 1 / n, most=6, steps=60)[-1] == 6
    assert used(lambda n, _: 1 / min(n, 4), most=16, steps=60)[-1] == 4


def test_fewer_threads_are_followed_down_to_one() -> None:
    assert used(lambda n, _: 0.1 * n, most=8, steps=60, start=8)[-1] == 1


def test_more_threads_that_save_next_to_nothing_are_left_to_others() -> None:
    assert used(lambda n, _: 1.0 - 0.01 * n, most=2, steps=15)[-1] == 1


def test_the_machine_is_asked_again_after_a_rest_and_its_new_answer_holds() -> None:
    busy_from = 45
    found = used(
        lambda n, number: 1.0 / n if number < busy_from else 1.0 * n, most=2, steps=busy_from + int(REST_S) + 12
    )
    assert found[busy_from - 1] == 2
    assert found[-1] == 1


def test_single_slow_steps_and_starting_threads_do_not_decide() -> None:
    def seconds(n: int, number: int) -> float:
        return 100.0 if number in (1, 4) else 1.0 / n  # the first step of two threads, and one by chance

    assert used(seconds, most=2, steps=20)[-1] == 2


def test_a_training_leaves_threads_as_they_were_and_the_next_evaluation_uses_what_paid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(threads, "available", lambda: 2)
    monkeypatch.setattr(threads, "_paid", Threads())
    monkeypatch.setattr(threads, "is_faster", two_are_faster)
    before = torch.get_num_threads()
    with settled(), timed_steps(torch.device("cpu")) as step:
        for _ in range(3):
            with step():
                pass
    assert torch.get_num_threads() == before
    with visiting(torch.nn.Linear(1, 1)):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_evaluations_go_on_asking_where_the_last_one_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(threads, "available", lambda: 2)
    threads._evaluations.cache_clear()
    seen = []
    for _ in range(4):
        with visiting(torch.nn.Linear(1, 1)) as here:
            turn = timed_batches(here)
            with turn():
                seen.append(torch.get_num_threads())
    threads._evaluations.cache_clear()
    assert seen == [1, 2, 1, 2]


def two_are_faster(rival: int, count: int) -> Generator[int, float, bool]:
    """A comparison of one step, for a test that must not depend on the clock."""
    yield rival
    return True


def test_omp_num_threads_decides_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "3")
    monkeypatch.setattr(threads, "available", lambda: 4)
    before, seen = torch.get_num_threads(), set()
    with settled(), timed_steps(torch.device("cpu")) as step:
        for _ in range(12):
            with step():
                seen.add(torch.get_num_threads())
    assert seen == {before}


@pytest.mark.parametrize("room", ["spaces", "compress", "search"])
def test_every_room_says_how_threads_wait_before_torch_is_there(room: str) -> None:
    code = f"import os, sys, {room}; print(*(os.environ[name] for name in {WAITS}), 'torch' in sys.modules)"
    environ = {name: value for name, value in os.environ.items() if name not in WAITS}
    said = subprocess.check_output([sys.executable, "-c", code], env=environ, text=True)
    assert said.split() == ["PASSIVE", "1000", "False"]
