"""The Triton kernels of the group-rational activation at the types and shapes that matter, with their budgets."""

# pyright: reportFunctionMemberAccess=false
from kernels.offline import Case
from kernels.rational import launch, triton_kernels
from kernels.rational.launch import View

# 8 channels a group, as in our blocks; 24 groups. Rows and positions of 128 images of 14 x 14.
SHAPES = {"channels last": View(128 * 14 * 14, 24, 8), "contiguous": View(128, 24, 8 * 14 * 14)}


def cases() -> list[Case]:
    """Forward and backward, in bfloat16 and float32, in both memory orders."""
    return [
        Case(
            f"rational {kernel.__name__}, {dtype}, {order}",
            kernel,
            {name: _type(name, dtype) for name in kernel.arg_names if name.islower()},
            seen.tile(elements),
            launch.WARPS,
            elements,
            budget,
        )
        for kernel, elements, budget in (
            (triton_kernels.forward, launch.FORWARD_TILE, 24),
            (triton_kernels.backward, launch.BACKWARD_TILE, 53),
        )
        for dtype in ("bf16", "fp32")
        for order, seen in SHAPES.items()
    ]


def _type(name: str, dtype: str) -> str:
    """Coefficients and their gradients are float32."""
    if not name.endswith("_pointer"):
        return "i32"
    return "*fp32" if name[:-8] in ("a", "b", "da", "db") else f"*{dtype}"
