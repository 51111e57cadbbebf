"""TRUSTED. The softmax family as instances of the specification: before, on and after the axis.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ..calls import FULL, Draw, Form, form, some_shape
from ..cases import Correspondence, Shape, case_of, corresponds
from ..examples import example, shape_name
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant
from .reduction import axes_name, kept_and_reduced, last_axis, reduction


# ---------------------------------------------------------------- the correspondence
@corresponds("softmax", "log_softmax", attributes=lambda case, sizes: {"axis": 1})
def along_axis(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    (shape,), axis = shapes, attributes["axis"]
    sizes = {"B": prod(shape[:axis]), "N": shape[axis], "A": prod(shape[axis + 1 :])}
    grouped = (sizes["B"], sizes["N"], sizes["A"])
    return Correspondence(case_of(op), sizes, dict.fromkeys(("x", "y"), lambda x: x.reshape(grouped)))


corresponds("logsumexp", attributes=last_axis)(kept_and_reduced)


# ---------------------------------------------------------------- examples for the kernels
SHAPES_AND_AXIS: tuple[tuple[Shape, int], ...] = (
    ((3,), 0),
    ((2, 3), 1),
    ((2, 3), 0),
    ((2, 2, 2), 1),
    ((1,), 0),
    ((2, 3, 0), 1),
)

for op in ("softmax", "log_softmax"):
    for shape, axis in SHAPES_AND_AXIS:
        example(op, f"{shape_name(shape)}-axis{axis}", shape, axis=axis)

for shape, axes, keepdims in (
    ((3,), (0,), False),
    ((2, 3), (1,), True),
    ((2, 3), (0,), False),
    ((2, 2, 2), (0, 2), False),
    ((2,), (), False),
    ((0, 2), (1,), False),
):
    example("logsumexp", axes_name(shape, axes, keepdims), shape, axis=axes, keepdims=keepdims)


# ---------------------------------------------------------------- calls in floats
@form("softmax", never_overflows_first="forward jvp vjp")
@form("log_softmax", never_overflows_first="forward jvp")
def softmax_form(draw: Draw) -> Form:
    shape = some_shape(draw)
    rank = max(len(shape), 1)
    return Form([shape], shape, {"axis": draw(st.integers(-rank, rank - 1))})


form("logsumexp", never_overflows_first="forward jvp vjp")(lambda draw: reduction(draw, FULL))


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
SOFTMAX_ROWS = [[inf, 0.0], [nan, 0.0], [-inf, 0.0], [-inf, -inf], [3e38, -3e38], [0.0, 0.0]]

TABLE.update({
    "softmax": [  # -inf has probability 0 and no gradient; a slice with inf or nan, or all -inf, is nan, no other
        forward(SOFTMAX_ROWS, gives=[[nan, nan], [nan, nan], [0.0, 1.0], [nan, nan], [1.0, 0.0], [0.5, 0.5]]),
        forward([[-inf, 0.0], [0.0, nan]], axis=0, gives=[[0.0, nan], [1.0, nan]]),
        jvp(
            [[-inf, 0.0, 0.0], [nan, 0.0, 0.0]],
            d=([[5.0, 1.0, -1.0], [0.0, 0.0, 0.0]],),
            gives=[[0.0, 0.5, -0.5], [nan, nan, nan]],
        ),
        vjp(
            [[-inf, 0.0, 0.0], [nan, 0.0, 0.0]],
            g=[[5.0, 1.0, -1.0], [0.0, 0.0, 0.0]],
            gives=([[0.0, 0.5, -0.5], [nan, nan, nan]],),
        ),
        vjp([[-inf, 0.0], [1000.0, 0.0]], g=[[inf, 1.0], [1.0, 2.0]], gives=([[nan, nan], [0.0, 0.0]],)),
    ],
    "log_softmax": [
        forward(SOFTMAX_ROWS[:4], gives=[[nan, nan], [nan, nan], [-inf, 0.0], [nan, nan]]),
        forward([[0.0, -1000.0], [nan, 0.0]], gives=[[0.0, -1000.0], [nan, nan]]),
        jvp([[-inf, 0.0], [nan, 0.0]], d=([[3.0, 1.0], [0.0, 0.0]],), gives=[[2.0, 0.0], [nan, nan]]),
        vjp([[-inf, 0.0], [nan, 0.0]], g=[[1.0, 2.0], [0.0, 0.0]], gives=([[1.0, -1.0], [nan, nan]],)),
    ],
    "logsumexp": [  # the gradient is nan where the result is infinite
        forward([*SOFTMAX_ROWS[:5], [1000.0, -1000.0]], gives=[inf, nan, 0.0, -inf, 3e38, 1000.0]),
        jvp(
            [[-inf, 0.0], [nan, 0.0], [-inf, -inf], [inf, 0.0]],
            d=([[5.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]],),
            gives=[1.0, nan, nan, nan],
        ),
        vjp(
            [[-inf, 0.0], [nan, 0.0], [-inf, -inf], [inf, 0.0]],
            g=[2.0, 0.0, 1.0, 1.0],
            gives=([[0.0, 2.0], [nan, nan], [nan, nan], [nan, 0.0]],),
        ),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("softmax", "kernel-vjp-without-the-sum", "vjp x", "2x3-axis1")  # 15
def softmax_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, axis: Any) -> Any:
    return g * out


@plant("log_softmax", "kernel-vjp-formula-as-jvp", "jvp x", "2x3-axis1")  # 1
def log_softmax_wrong(dx: Any, inputs: Any, out: Any, residual: Any, *, axis: Any) -> Any:
    return dx - np.exp(out) * dx.sum(axis=axis, keepdims=True)


@plant("logsumexp", "kernel-adds-the-shift-twice", "forward", "2x3-axis1-keepdims")
def logsumexp_wrong(inputs: Any, *, axis: Any, keepdims: Any) -> Any:
    (x,) = inputs
    shift = x.max(axis=axis, keepdims=True)
    exps = np.exp(x - shift)
    total = exps.sum(axis=axis, keepdims=True)
    return np.log(total) + 2 * shift, (exps, total)
