"""TRUSTED. Matrix products as instances of the specification: leading batch axes.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ..calls import EXTENTS, Draw, Form, form, narrowed, some_shape
from ..cases import Correspondence, Shape, batched, corresponds
from ..examples import BATCHES, example
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
@corresponds("linear")
def linear_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return batched(op, {"x": 1, "y": 1}, shapes)


@corresponds("matmul")
def matmul_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return batched(op, {"a": 2, "b": 2, "c": 2}, shapes)


# ---------------------------------------------------------------- examples for the kernels
for batch in BATCHES:
    example("linear", f"batch{len(batch)}", (*batch, 3), (2, 3), (2,))
    example("matmul", f"batch{len(batch)}", (*batch, 2, 3), (*batch, 3, 2))
example("linear", "no-bias", (2, 3), (2, 3))
example("linear", "empty-batch", (0, 3), (2, 3), (2,))
example("matmul", "empty-k", (2, 0), (0, 2))
example("matmul", "ones", (1, 1), (1, 1))


# ---------------------------------------------------------------- calls in floats
@form("linear")
def linear_form(draw: Draw) -> Form:
    lead, i, o = some_shape(draw, 0, 2), draw(EXTENTS), draw(EXTENTS)
    return Form([(*lead, i), (o, i), (o,)][: draw(st.sampled_from((3, 2)))], (*lead, o))


@form("matmul")
def matmul_form(draw: Draw) -> Form:
    n, k, m = (draw(EXTENTS) for _ in "nkm")
    batch = some_shape(draw, 0, 2)
    narrow = draw(st.booleans()) and len(batch) < 2  # the specification's broadcast_to has ranks up to 3
    a, b = (narrowed(draw, batch) if narrow else batch for _ in "ab")
    left = draw(st.sampled_from([(*a, n, k), (k,)] if narrow else [(*a, n, k)]))
    right = draw(st.sampled_from([(*b, k, m), (k, m), (k,)] if narrow else [(*b, k, m)]))
    return Form([left, right], np.matmul(np.zeros(left), np.zeros(right)).shape)


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "linear": [
        forward(
            [[1.0, 2.0], [nan, 0.0]],
            [[1.0, 1.0], [inf, 0.0], [1.0, 0.0]],
            [0.0, 0.0, -inf],
            gives=[[3.0, inf, -inf], [nan, nan, nan]],
        ),
        jvp([[inf, 1.0]], [[1.0, 2.0]], [nan], d=([[1.0, 1.0]], [[1.0, 0.0]], [0.0]), gives=[[inf]]),
        vjp(
            [[1.0, 2.0]],
            [[1.0, 1.0], [0.0, 1.0]],
            [0.0, 0.0],
            g=[[nan, 1.0]],
            gives=([[nan, nan]], [[nan, nan], [1.0, 2.0]], [nan, 1.0]),
        ),
    ],
    "matmul": [  # 0 * inf = nan; what a row of a holds stays in its row
        forward(
            [[nan, 1.0], [0.0, 1.0], [1.0, 2.0]], [[1.0, inf], [1.0, 1.0]], gives=[[nan, nan], [1.0, nan], [3.0, inf]]
        ),
        jvp([[inf, 1.0]], [[1.0], [2.0]], d=([[1.0, nan]], [[0.0], [0.0]]), gives=[[nan]]),
        vjp(
            [[inf, 1.0], [2.0, 3.0]], [[1.0], [0.0]], g=[[1.0], [nan]], gives=([[1.0, 0.0], [nan, nan]], [[nan], [nan]])
        ),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("linear", "kernel-gbias-not-summed", "vjp bias", "batch1")  # 12
def gbias_not_summed(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return g[0]


@plant("matmul", "kernel-not-transposed", "vjp a", "batch1")
def matmul_wrong(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return (g @ np.swapaxes(inputs[1], -1, -2))[..., ::-1, :]


@plant("matmul", "shape-transposed", "shape")
def matmul_shape(a: Any, b: Any) -> Any:
    return (*a[:-2], b[-1], a[-2])
