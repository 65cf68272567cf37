"""The group-rational activation in Triton: the forward kernel, and one that makes all three gradients in one pass.

x is seen as (rows, groups, length): channels-last tensors with length = channels a group, contiguous ones with length =
channels a group x positions. A tile is (CHUNKS, GROUPS, CHUNK) of it: a chunk is up to 8 neighbours in one group, so
that loads are 128 bits wide and a division finds the row of 8 elements; several groups only where one is shorter than a
cache line. Arithmetic is float32, whatever is loaded and stored. 1/Q is rsqrt(Q)^2, exact enough as Q >= 1, and 5
to 7 instructions cheaper than a division. No atomics: each program stores partial sums, so results repeat bit for bit.
"""

# pyright: reportMissingImports=false, reportGeneralTypeIssues=false
import triton
import triton.language as tl


@triton.jit
def forward(
    x_pointer, a_pointer, b_pointer, y_pointer, rows, groups,
    LENGTH: tl.constexpr, CHUNKS: tl.constexpr, GROUPS: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """y = P(x) / Q(x) of one tile a program."""
    place, group = _place(groups, GROUPS)
    a, b = _coefficients(a_pointer, b_pointer, group, groups)
    offset, exists = _tile(place * CHUNKS, group, rows, groups, LENGTH, CHUNKS, CHUNK)
    x = tl.load(x_pointer + offset, exists, 0.0).to(tl.float32)
    p, _ = _polynomial(a, x)
    q, _ = _polynomial(b, tl.abs(x))
    root = tl.rsqrt(q)
    tl.store(y_pointer + offset, (p * (root * root)).to(y_pointer.dtype.element_ty), exists)


@triton.jit
def backward(
    grad_pointer, x_pointer, a_pointer, b_pointer, dx_pointer, da_pointer, db_pointer, rows, groups,
    LENGTH: tl.constexpr, CHUNKS: tl.constexpr, GROUPS: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """dx, and partial sums of da (programs, groups, 6) and db (programs, groups, 4), which the caller adds up.

    With u = grad / Q and v = u y: dx = u P' - v sgn(x) Q'(|x|), da_i = sum u x^i, db_j = -sgn(b_j) sum v |x|^j. For odd
    j, |x|^j is sgn(x) x^j: the powers of x serve both sums, at one multiply-add for an element and a coefficient.
    """
    place, group = _place(groups, GROUPS)
    a, b = _coefficients(a_pointer, b_pointer, group, groups)
    zero = tl.zeros((CHUNKS, GROUPS, CHUNK), tl.float32)
    da, db = (zero, zero, zero, zero, zero, zero), (zero, zero, zero, zero)
    programs = tl.num_programs(0) // tl.cdiv(groups, GROUPS)
    # One tile is loaded ahead: the sums fill the registers, so too few warps run at once to hide the memory's latency.
    for first in tl.range(place * CHUNKS, rows * (LENGTH // CHUNK), programs * CHUNKS, num_stages=2):
        offset, exists = _tile(first, group, rows, groups, LENGTH, CHUNKS, CHUNK)
        x = tl.load(x_pointer + offset, exists, 0.0).to(tl.float32)
        grad = tl.load(grad_pointer + offset, exists, 0.0).to(tl.float32)
        p, p_slope = _polynomial(a, x)
        q, q_slope = _polynomial(b, tl.abs(x))
        root = tl.rsqrt(q)
        inverse = root * root
        u = grad * inverse
        v = u * (p * inverse)
        signed = tl.where(x > 0, v, tl.where(x < 0, -v, 0.0))
        dx = u * p_slope - signed * q_slope
        tl.store(dx_pointer + offset, dx.to(dx_pointer.dtype.element_ty), exists)
        x2 = x * x
        x3, x4 = x2 * x, x2 * x2
        da = (
            da[0] + u, tl.fma(u, x, da[1]), tl.fma(u, x2, da[2]),
            tl.fma(u, x3, da[3]), tl.fma(u, x4, da[4]), tl.fma(u, x4 * x, da[5]),
        )  # fmt: skip
        db = (tl.fma(signed, x, db[0]), tl.fma(v, x2, db[1]), tl.fma(signed, x3, db[2]), tl.fma(v, x4, db[3]))
    partial = place * groups + group
    for i in tl.static_range(6):
        tl.store(da_pointer + partial * 6 + i, _sum(da[i]), group < groups)
    for j in tl.static_range(4):
        sign = tl.where(tl.load(b_pointer + group * 4 + j, group < groups, 0.0) < 0, 1.0, -1.0)
        tl.store(db_pointer + partial * 4 + j, _sum(db[j]) * sign, group < groups)


@triton.jit
def _place(groups, GROUPS: tl.constexpr):
    """This program's number among those with its groups, and these groups (GROUPS,). Neighbours share rows."""
    strips = tl.cdiv(groups, GROUPS)
    return tl.program_id(0) // strips, tl.program_id(0) % strips * GROUPS + tl.arange(0, GROUPS)


@triton.jit
def _coefficients(a_pointer, b_pointer, group, groups):
    """Of P and of Q, constant first: 6 and 5 tensors that broadcast over a tile."""
    a, b = (), (1.0,)
    for i in tl.static_range(6):
        a = a + (tl.load(a_pointer + group * 6 + i, group < groups, 0.0).to(tl.float32)[None, :, None],)
    for j in tl.static_range(4):
        b = b + (tl.abs(tl.load(b_pointer + group * 4 + j, group < groups, 0.0).to(tl.float32)[None, :, None]),)
    return a, b


@triton.jit
def _tile(first, group, rows, groups, LENGTH: tl.constexpr, CHUNKS: tl.constexpr, CHUNK: tl.constexpr):
    """Offsets (CHUNKS, GROUPS, CHUNK) of each group's chunks from `first` on, and which exist (CHUNKS, GROUPS, 1)."""
    chunk = first + tl.arange(0, CHUNKS)
    row, piece = chunk // (LENGTH // CHUNK), chunk % (LENGTH // CHUNK)
    start = row.to(tl.int64) * (groups * LENGTH) + piece * CHUNK
    offset = start[:, None, None] + (group * LENGTH)[None, :, None] + tl.arange(0, CHUNK)[None, None, :]
    return offset, (row < rows)[:, None, None] & (group < groups)[None, :, None]


@triton.jit
def _polynomial(c, x):
    """sum_i c_i x^i and its derivative by Horner's rule. The derivative goes through the values, not through i c_i:
    as many multiply-adds, and no registers for the products."""
    slope = c[len(c) - 1]
    value = tl.fma(slope, x, c[len(c) - 2])
    for i in tl.static_range(len(c) - 3, -1, -1):
        slope = tl.fma(slope, x, value)
        value = tl.fma(value, x, c[i])
    return value, slope


@triton.jit
def _sum(tile):
    """(CHUNKS, GROUPS, CHUNK) -> (GROUPS,)."""
    return tl.sum(tl.sum(tile, 2), 0)
