"""The Triton kernels: their claims in Triton's interpreter and on a GPU, and what they compile to without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.dispatch import INSTALLED

ROOT = Path(__file__).parents[2]
needs_triton = pytest.mark.skipif(not INSTALLED, reason="Triton is not installed: pip install 'lathe[triton]'")


def hold_the_claims(**environment: str) -> None:
    """In a process of its own: Triton decides when the kernels are imported whether it interprets them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernels/rational_claims.py"]
    variables = os.environ | {"KERNELS": "triton"} | environment
    run = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


@needs_triton
def test_the_claims_hold_in_the_interpreter() -> None:
    hold_the_claims(TRITON_INTERPRET="1", CUDA_VISIBLE_DEVICES="")


@needs_triton
@pytest.mark.gpu
def test_the_claims_hold_on_a_gpu() -> None:
    hold_the_claims()


@needs_triton
def test_for_hopper_they_spill_nothing_load_128_bits_and_stay_in_their_budget() -> None:
    from kernels.offline import compiled
    from kernels.rational.cases import cases

    for case in cases():
        code = compiled(case, 90)
        assert code.spilled_bytes == 0, case.name
        assert code.load_bits == 128, case.name
        assert 0.8 * case.budget < code.instructions <= case.budget, case.name


@needs_triton
def test_a_kernel_that_spills_is_seen_to_spill() -> None:
    """With 32 elements a thread, the sums alone are 320 numbers, and a thread has 255 registers."""
    from dataclasses import replace

    from kernels.offline import compiled
    from kernels.rational.cases import SHAPES, cases

    (case,) = [case for case in cases() if case.name == "rational backward, bf16, channels last"]
    larger = replace(case, constants=SHAPES["channels last"].tile(4 * case.elements), elements=4 * case.elements)
    assert compiled(larger, 90).spilled_bytes > 0
