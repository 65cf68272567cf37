"""What a Triton kernel compiles to, without a GPU: registers, spills and instructions, read from its machine code.

The compiler (ptxas) and the disassembler (cuobjdump) come with Triton.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
import re
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

ALIGNED = [["tt.divisibility", 16]]  # a pointer to a multiple of 16 bytes, as torch allocates
INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@\S+\s+)?([A-Z][^;]*);")
BRANCH = re.compile(r"BRA\S*\s.*?0x([0-9a-f]+)")
GLOBAL_LOAD = re.compile(r"LDG(?:STS)?\.E\S*")  # into a register or, ahead of its use, into shared memory


@dataclass(frozen=True)
class Case:
    """A kernel with the types of its arguments.

    types: Triton's, by argument, as "*bf16" or "i32". constants: by argument. elements: that a program takes at once.
    budget: instructions an element that a test allows.
    """

    name: str
    kernel: Any
    types: dict[str, str]
    constants: dict[str, int]
    warps: int
    elements: int
    budget: float


@dataclass(frozen=True)
class Compiled:
    """`instructions`: an element, of the kernel's largest loop, or of all of it where there is none."""

    registers: int
    spilled_bytes: int
    instructions: float
    load_bits: int


def compiled(case: Case, capability: int = 90) -> Compiled:
    """Compile for NVIDIA's compute capability (90: Hopper) and read the code. Cost: a second, or two."""
    names = case.kernel.arg_names
    source = ASTSource(
        case.kernel,
        {name: case.types.get(name, "constexpr") for name in names},
        constexprs={(names.index(name),): value for name, value in case.constants.items()},
        attrs={(names.index(name),): ALIGNED for name, kind in case.types.items() if kind.startswith("*")},
    )
    options = {"num_warps": case.warps, "enable_fp_fusion": True}
    binary = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options).asm["cubin"]
    usage, code = _cuobjdump("-res-usage", binary), _instructions(_cuobjdump("-sass", binary))
    found = re.search(r"REG:(\d+) STACK:(\d+).*?LOCAL:(\d+)", usage)
    if found is None:
        raise RuntimeError(f"cuobjdump's answer must name registers, got {usage!r}.")
    registers, stack, local = map(int, found.groups())
    return Compiled(registers, stack + local, len(_loop(code)) / (case.elements / (32 * case.warps)), _load_bits(code))


def _cuobjdump(option: str, binary: bytes) -> str:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary)
        file.flush()
        command = [triton.knobs.nvidia.cuobjdump.path, option, file.name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _instructions(sass: str) -> dict[int, str]:
    """By address, without the padding at the end."""
    return {int(at, 16): text for at, text in INSTRUCTION.findall(sass) if not text.startswith("NOP")}


def _loop(code: dict[int, str]) -> list[str]:
    """The instructions between the backward branch that spans most and its target; all if nothing branches back."""
    loops = [(at, int(found[1], 16)) for at, text in code.items() if (found := BRANCH.match(text))]
    spans = [(at - target, target, at) for at, target in loops if target < at]
    if not spans:
        return list(code.values())
    _, first, last = max(spans)
    return [text for at, text in code.items() if first <= at <= last]


def _load_bits(code: dict[int, str]) -> int:
    """The width of the widest load from global memory."""
    loads = [found[0] for text in code.values() if (found := GLOBAL_LOAD.match(text))]
    return max(int(found[1]) if (found := re.search(r"\.(64|128)\b", load)) else 32 for load in loads)
