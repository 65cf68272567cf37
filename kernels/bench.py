"""How fast the operations are, against the time a copy needs for as many bytes.

python -m kernels.bench                    time the reference, eager and compiled, and Triton where there is a GPU
python -m kernels.bench --compile sm_90    without a GPU: registers, spills and instructions of the Triton kernels

Both numbers of a cell: milliseconds, and the share of the floor. The floor is the time in which the same machine copies
the bytes that must be moved: x in and y out; for a training step also x and the gradient in, and x's gradient out.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from kernels.dispatch import INSTALLED, uses_triton
from kernels.rational import SILU, rational, reference

Call = Callable[[], object]
GROUP = 8  # channels
ACCESSES = {"forward": 2, "training step": 5}  # of tensors as large as x
ORDERS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m kernels.bench", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--compile", metavar="sm_90", help="only compile the Triton kernels, for this GPU")
    parser.add_argument("--shape", type=int, nargs=4, metavar="N", help="of x: images, channels, height, width")
    parser.add_argument("--rounds", type=int, default=10, help="of all variants in turn; the fastest counts (10)")
    chosen = parser.parse_args(arguments)
    if chosen.compile:
        return compile_all(chosen.compile)
    gpu = torch.cuda.is_available()
    measure_all(chosen.shape or ([256, 1024, 32, 32] if gpu else [16, 192, 28, 28]), chosen.rounds, gpu)
    return 0


def compile_all(target: str) -> int:
    """Print what each kernel compiles to; 1 if a kernel spills registers or passes its budget."""
    number = re.fullmatch(r"sm_(\d+)", target)
    if not number:
        print(f"--compile must name an NVIDIA GPU as sm_90, got {target}.", file=sys.stderr)
        return 2
    if not INSTALLED:
        print("--compile needs Triton: pip install 'lathe[triton]'.", file=sys.stderr)
        return 2
    from kernels.offline import compiled
    from kernels.rational.cases import cases

    print(f"{'for ' + target:42}{'registers':>10}{'spilled':>10}{'load':>10}{'instructions an element':>26}")
    failed = 0
    for case in cases():
        code = compiled(case, int(number[1]))
        over = code.spilled_bytes > 0 or code.instructions > case.budget
        failed += over
        print(
            f"{case.name:42}{code.registers:>10}{code.spilled_bytes:>8} B{code.load_bits:>6} bit"
            f"{code.instructions:>13.1f} of {case.budget:.0f}{'  OVER' if over else ''}"
        )
    return 1 if failed else 0


def measure_all(shape: list[int], rounds: int, gpu: bool) -> None:
    """Print a line for each type, memory order and direction."""
    where = torch.cuda.get_device_name() if gpu else f"{torch.get_num_threads()} CPU threads"
    print(f"rational of {tuple(shape)} on {where}, fastest of {rounds} rounds: ms (share of the floor)")
    if not gpu:
        print("Triton needs a GPU; `--compile sm_90` shows what its kernels compile to.")
    names = ["eager", "compiled", "triton"] if gpu else ["eager", "compiled"]
    print(f"{'':40}{'floor':>10}" + "".join(f"{name:>18}" for name in names))
    for dtype in (torch.float32, torch.bfloat16) if gpu else (torch.float32,):
        for order in ORDERS:
            x, a, b = inputs(shape, dtype, order, "cuda" if gpu else "cpu")
            for direction, accesses in ACCESSES.items():
                calls = {"copy": partial(torch.empty_like(x).copy_, x.detach())}
                calls |= variants(x, a, b, direction == "training step")
                ms = milliseconds(calls, rounds, gpu)
                floor = ms.pop("copy") * accesses / 2
                title = f"{str(dtype).removeprefix('torch.')}, {order}, {direction}"
                print(f"{title:40}{floor:>10.3f}" + "".join(f"{v:>11.3f} ({floor / v:4.0%})" for v in ms.values()))


def inputs(shape: list[int], dtype: torch.dtype, order: str, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """x from N(0, 1) and coefficients that start as SiLU, all with gradients."""
    x = torch.randn(shape, device=device).to(dtype=dtype, memory_format=ORDERS[order])
    a, b = (torch.tensor([row] * (shape[1] // GROUP), device=device) for row in (SILU.a, SILU.b))
    return x.requires_grad_(), a.requires_grad_(), b.requires_grad_()


def variants(x: Tensor, a: Tensor, b: Tensor, step: bool) -> dict[str, Call]:
    """The same work by each implementation that runs here."""
    functions = {"eager": reference.rational, "compiled": torch.compile(reference.rational)}
    if uses_triton(x, a, b):
        functions["triton"] = rational
    grad = torch.randn_like(x)

    def forward(function: Callable[..., Tensor]) -> Call:
        return lambda: function(x.detach(), a.detach(), b.detach())

    def train(function: Callable[..., Tensor]) -> Call:
        return lambda: torch.autograd.grad(function(x, a, b), (x, a, b), grad)

    return {name: (train if step else forward)(function) for name, function in functions.items()}


def milliseconds(calls: dict[str, Call], rounds: int, gpu: bool) -> dict[str, float]:
    """The least time of each call: other work only adds. A round calls all, so that all have quiet moments."""
    for call in calls.values():  # compiles
        call()
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(_timed(call, gpu))
    return {name: min(times) for name, times in taken.items()}


def _timed(call: Call, gpu: bool) -> float:
    if not gpu:
        clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter  # blind to other processes
        start = clock()
        call()
        return 1e3 * (clock() - start)
    call()  # keeps the GPU busy until the next is queued, so that the queueing is not timed
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


if __name__ == "__main__":
    sys.exit(main())
