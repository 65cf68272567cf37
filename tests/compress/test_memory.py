"""Memory while training."""

import platform
import resource

import pytest
import torch

from compress.memory import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives freed memory back at once")
def test_a_freed_tensor_is_not_fetched_from_the_kernel_again() -> None:
    assert keep_freed_memory()
    for _ in range(4):
        torch.ones(4 << 20)  # 16 MB, freed at once: the C library has it now
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(4 << 20)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < 20 * 4096 / 4, "20 tensors of 4,096 pages each"
