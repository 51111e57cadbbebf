"""TRUSTED. Reading and adding at runtime indices as instances of the specification.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ..calls import EXTENTS, Draw, Form, form
from ..cases import Correspondence, Shape, case_of, corresponds, extents
from ..examples import example
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
@corresponds("gather_rows")
def gather_rows_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    case = case_of(op)
    return Correspondence(case, extents(case, {"x": shapes[0], "indices": shapes[1]}))


@corresponds("scatter_add")
def scatter_add_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    """The axes after the first as one."""
    x, v, indices = shapes
    sizes = {"R": x[0], "C": prod(x[1:]), "K": indices[0]}
    rows = {name: lambda y, n=n: y.reshape((n, sizes["C"])) for name, n in (("x", x[0]), ("v", v[0]), ("y", x[0]))}
    return Correspondence(case_of(op), sizes, rows)


# ---------------------------------------------------------------- examples for the kernels
INDICES: dict[str, tuple[int, ...]] = {
    "repeats": (1, 1, 0),
    "outside": (-1, 0, 2),
    "none": (),
    "all-one-row": (2, 2, 2, 2),
    "far": (7, -8, 1),
}

for name, indices in INDICES.items():
    example("gather_rows", name, (3, 2), (len(indices),), indices=indices)
    example("scatter_add", name, (3, 2), (len(indices), 2), (len(indices),), indices=indices)
example("scatter_add", "vector", (2,), (3,), (3,), indices=(1, -1, 1))
example("scatter_add", "three-axes", (2, 1, 2), (2, 1, 2), (2,), indices=(1, 1))
example("scatter_add", "no-rows", (0, 2), (1, 2), (1,), indices=(0,))
example("gather_rows", "no-rows", (0, 2), (1,), indices=(0,))


# ---------------------------------------------------------------- calls in floats
@form("gather_rows", never_overflows_first="forward jvp")
def gather_rows_form(draw: Draw) -> Form:
    r, c = draw(EXTENTS), draw(EXTENTS)
    indices = np.array(draw(st.lists(st.integers(-2, r + 1), max_size=4)), draw(st.sampled_from((np.int64, np.int8))))
    return Form([(r, c)], (len(indices), c), {}, indices)


@form("scatter_add", never_overflows_first="vjp")
def scatter_add_form(draw: Draw) -> Form:
    made = gather_rows_form(draw)
    ((r, c),) = made.shapes
    k = made.out[0]
    own = draw(st.sampled_from(((), (c,), (c, 2))))
    return Form([(r, *own), (k, *own)], (r, *own), {}, made.indices)


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "gather_rows": [  # an index outside reads 0 and adds nothing, whatever stands in the rows that are not meant
        forward([[nan, inf], [1.0, -0.0]], [-1, 1, 2], gives=[[0.0, 0.0], [1.0, -0.0], [0.0, 0.0]], signed=True),
        jvp(
            [[nan, inf], [1.0, 2.0]],
            [-1, 1, 2],
            d=([[nan, inf], [1.0, -0.0]], None),
            gives=[[0.0, 0.0], [1.0, -0.0], [0.0, 0.0]],
            signed=True,
        ),
        vjp(
            [[1.0, 2.0], [nan, inf]],
            [-1, 1, 7],
            g=[[nan, inf], [1.0, 2.0], [inf, nan]],
            gives=([[0.0, 0.0], [1.0, 2.0]],),
        ),
        vjp([[1.0], [2.0]], [0, 0, 1], g=[[inf], [-inf], [inf]], gives=([[nan], [inf]],)),
    ],
    "scatter_add": [  # what is dropped adds nothing, not even to the sign of a zero
        forward([-0.0, 1.0, nan], [nan, inf, 1.0, 2.0], [-1, 1, 1, 9], gives=[-0.0, inf, nan], signed=True),
        forward([1.0, 2.0], [inf, -inf], [0, 0], gives=[nan, 2.0]),
        jvp([1.0, 2.0], [nan, nan], [2, 0], d=([inf, -0.0], [nan, 1.0], None), gives=[inf, 0.0]),
        vjp([nan, 1.0], [1.0, nan], [5, 1], g=[inf, -0.0], gives=([inf, -0.0], [0.0, -0.0]), signed=True),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("gather_rows", "kernel-repeats-dropped", "vjp x", "repeats")  # 13
def gather_drops(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    x, indices = inputs
    gx = np.zeros_like(x)
    inside = (indices >= 0) & (indices < x.shape[0])
    gx[indices[inside]] = g[inside]
    return gx


@plant("gather_rows", "kernel-negative-wraps", "forward", "outside")
def gather_wraps(inputs: Any) -> Any:
    x, indices = inputs
    return x[indices % x.shape[0]], None


@plant("scatter_add", "kernel-repeats-dropped", "forward", "repeats")
def scatter_drops(inputs: Any) -> Any:
    x, v, indices = inputs
    y = x.copy()
    y[indices] = y[indices] + v
    return y, None


@plant("scatter_add", "kernel-negative-wraps", "forward", "outside")
def scatter_wraps(inputs: Any) -> Any:
    x, v, indices = inputs
    y = x.copy()
    np.add.at(y, indices % x.shape[0], v)
    return y, None


@plant("scatter_add", "kernel-vjp-outside-reads-the-first-row", "vjp v", "outside")
def scatter_reads_first(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    _, _, indices = inputs
    return g[np.where((indices >= 0) & (indices < g.shape[0]), indices, 0)]
