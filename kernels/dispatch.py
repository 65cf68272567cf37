"""Which implementation runs: the plain torch reference, or Triton for tensors on CUDA.

KERNELS=reference or KERNELS=triton in the environment forces one. TRITON_INTERPRET=1 makes Triton run its kernels on
the CPU, slowly; it reads that when a kernel's module is imported, so set it before Python starts.
"""

import os
from importlib.util import find_spec

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.bfloat16, torch.float16)  # what the kernels load and store; they compute in float32
INSTALLED = find_spec("triton") is not None


def uses_triton(*tensors: Tensor) -> bool:
    """Whether Triton runs on these tensors. Never while a graph is exported: a file holds plain operators.

    Raises: ValueError: if KERNELS is neither; RuntimeError: if it forces Triton where Triton cannot run.
    """
    forced = os.environ.get("KERNELS", "")
    if forced not in ("", "reference", "triton"):
        raise ValueError(f"KERNELS must be `reference` or `triton`, got `{forced}`. Unset it to choose by device.")
    if forced == "triton":
        if _exporting():
            return False
        if missing := _missing(tensors):
            raise RuntimeError(f"KERNELS=triton needs {missing} Unset it to choose by device.")
        return True
    return tensors[0].is_cuda and not forced and not _exporting() and not _missing(tensors)


def _missing(tensors: tuple[Tensor, ...]) -> str:
    """What Triton lacks to run on these tensors, with the remedy; nothing if it can."""
    if not INSTALLED:
        return "Triton, which is not installed: pip install 'lathe[triton]'."
    if wrong := [str(t.dtype) for t in tensors if t.dtype not in DTYPES]:
        return f"float32, bfloat16 or float16, got {wrong[0]}."
    if not all(t.is_cuda for t in tensors) and os.environ.get("TRITON_INTERPRET") != "1":
        return f"tensors on CUDA, got {tensors[0].device}; TRITON_INTERPRET=1 interprets the kernels on the CPU."
    return ""


def _exporting() -> bool:
    return torch.compiler.is_exporting() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
