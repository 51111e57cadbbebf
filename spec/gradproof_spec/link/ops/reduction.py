"""TRUSTED. Reductions as instances of the specification: kept axes, then reduced ones.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ..calls import EXTENTS, FULL, Draw, Form, form, some_shape
from ..cases import Correspondence, case_of, corresponds, flattened
from ..examples import Shape, example, shape_name
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
@corresponds("reduce_sum", "reduce_mean", attributes=lambda case, sizes: {"axis": (1,), "keepdims": False})
def kept_and_reduced(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    (shape,), axis = shapes, attributes["axis"]
    kept = [a for a in range(len(shape)) if a not in axis]
    sizes = {"I": prod(shape[a] for a in kept), "N": prod(shape[a] for a in axis)}
    return Correspondence(
        case_of(op),
        sizes,
        {"x": lambda x: x.transpose(kept + list(axis)).reshape((sizes["I"], sizes["N"])), "y": flattened},
    )


# ---------------------------------------------------------------- examples for the kernels
SHAPES_AND_AXES: tuple[tuple[Shape, tuple[int, ...]], ...] = (
    ((3,), (0,)),
    ((2, 3), (0,)),
    ((2, 3), (1,)),
    ((2, 2, 3), (1,)),
    ((2, 3, 2), (0, 2)),
    ((2, 2), ()),
    ((2, 3), (0, 1)),
    ((), ()),
)

for op in ("reduce_sum", "reduce_mean"):
    for shape, axis in SHAPES_AND_AXES:
        for keepdims in (False, True) if len(shape) > 1 else (False,):
            name = f"{shape_name(shape)}-axis{'-'.join(map(str, axis)) or 'none'}{'-keepdims' * keepdims}"
            example(op, name, shape, axis=axis, keepdims=keepdims)
example("reduce_sum", "empty-axis", (2, 0), axis=(1,), keepdims=False)


# ---------------------------------------------------------------- calls in floats
def reduction(draw: Draw, extents: Any) -> Form:
    shape = some_shape(draw, extents=extents)
    rank = len(shape)
    axes = st.lists(st.integers(-rank, rank - 1), unique_by=lambda a: a % rank) if rank else st.just([])
    axis = draw(st.one_of(st.none(), axes.map(tuple), *([st.integers(-rank, rank - 1)] if rank else [])))
    keepdims = draw(st.booleans())
    out = np.sum(np.zeros(shape), axis=axis, keepdims=keepdims).shape
    return Form([shape], out, {"axis": axis, "keepdims": keepdims})


form("reduce_sum", never_overflows_first="vjp")(lambda draw: reduction(draw, EXTENTS))
form("reduce_mean", never_overflows_first="vjp")(lambda draw: reduction(draw, FULL))


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "reduce_sum": [
        forward([[nan, 1.0], [inf, 1.0], [inf, -inf], [1.0, 2.0]], axis=1, gives=[nan, inf, nan, 3.0]),
        jvp([[nan, 1.0]], d=([[inf, 1.0]],), axis=1, gives=[inf]),
        vjp(
            [[nan, inf], [1.0, 2.0], [3.0, 4.0]],
            g=[inf, nan, -0.0],
            axis=1,
            gives=([[inf, inf], [nan, nan], [-0.0, -0.0]],),
            signed=True,
        ),
    ],
    "reduce_mean": [
        forward([[nan, 1.0], [inf, 1.0], [inf, -inf], [1.0, 2.0]], axis=1, gives=[nan, inf, nan, 1.5]),
        jvp([[nan, 1.0]], d=([[-inf, 1.0]],), axis=1, gives=[-inf]),
        vjp(
            [[nan, inf], [1.0, 2.0], [3.0, 4.0]],
            g=[inf, nan, -0.0],
            axis=1,
            gives=([[inf, inf], [nan, nan], [-0.0, -0.0]],),
            signed=True,
        ),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("reduce_sum", "kernel-wrong-axis", "forward", "2x3-axis0")
def reduce_wrong(inputs: Any, *, axis: Any, keepdims: Any) -> Any:
    return inputs[0].sum(axis=1, keepdims=keepdims), None


@plant("reduce_mean", "kernel-divides-by-all", "vjp x", "2x3-axis1")
def mean_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, axis: Any, keepdims: Any) -> Any:
    (x,) = inputs
    return np.broadcast_to(g[:, None], x.shape) / x.size
