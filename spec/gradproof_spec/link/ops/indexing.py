"""TRUSTED. Reading by runtime indices as instances of the specification: the shapes as they are.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


# ---------------------------------------------------------------- calls in floats
@form("gather_rows", never_overflows_first="forward jvp")
def gather_rows_form(draw: Draw) -> Form:
    r, c = draw(EXTENTS), draw(EXTENTS)
    indices = np.array(draw(st.lists(st.integers(-2, r + 1), max_size=4)), draw(st.sampled_from((np.int64, np.int8))))
    return Form([(r, c)], (len(indices), c), {}, indices)


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
