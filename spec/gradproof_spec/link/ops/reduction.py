"""TRUSTED. Reductions as instances of the specification: kept axes, then reduced ones; cumsum along one axis.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ...op import Case
from ..calls import EXTENTS, FULL, Draw, Form, form, some_shape
from ..cases import Correspondence, case_of, corresponds, flattened
from ..examples import Shape, example, shape_name
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
def last_axis(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {"axis": (1,), "keepdims": False} | {a: sizes[a] for a in case.op.attributes}


@corresponds("reduce_sum", "reduce_mean", "var", "max_axis", "min_axis", attributes=last_axis)
def kept_and_reduced(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    (shape,), axis, case = shapes, attributes["axis"], case_of(op)
    kept = [a for a in range(len(shape)) if a not in axis]
    sizes = {"I": prod(shape[a] for a in kept), "N": prod(shape[a] for a in axis)}
    return Correspondence(
        case,
        sizes | {a: attributes[a] for a in case.op.attributes},
        {"x": lambda x: x.transpose(kept + list(axis)).reshape((sizes["I"], sizes["N"])), "y": flattened},
    )


@corresponds("cumsum", attributes=lambda case, sizes: {"axis": 1})
def along_axis(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    (shape,), axis = shapes, attributes["axis"]
    sizes = {"B": prod(shape[:axis]), "N": shape[axis], "A": prod(shape[axis + 1 :])}
    grouped = (sizes["B"], sizes["N"], sizes["A"])
    return Correspondence(case_of(op), sizes, dict.fromkeys(("x", "y"), lambda x: x.reshape(grouped)))


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


def axes_name(shape: Shape, axis: tuple[int, ...], keepdims: bool) -> str:
    return f"{shape_name(shape)}-axis{'-'.join(map(str, axis)) or 'none'}{'-keepdims' * keepdims}"


for op in ("reduce_sum", "reduce_mean"):
    for shape, axis in SHAPES_AND_AXES:
        for keepdims in (False, True) if len(shape) > 1 else (False,):
            example(op, axes_name(shape, axis, keepdims), shape, axis=axis, keepdims=keepdims)
example("reduce_sum", "empty-axis", (2, 0), axis=(1,), keepdims=False)

for op in ("max_axis", "min_axis"):  # every order of the elements is a case: few of them
    for shape, axis, keepdims in (
        ((3,), (0,), False),
        ((2, 2), (0,), False),
        ((2, 3), (1,), True),
        ((1, 2, 2), (0, 2), False),
        ((2, 1), (), True),
        ((), (), False),
    ):
        example(op, axes_name(shape, axis, keepdims), shape, axis=axis, keepdims=keepdims)

for shape, axis, correction, keepdims in (
    ((3,), (0,), 1, False),
    ((2, 3), (1,), 0, True),
    ((2, 3), (0,), 1, False),
    ((2, 3, 2), (0, 2), 2, False),
    ((2, 2), (), -1, False),
):
    name = f"{axes_name(shape, axis, keepdims)}-correction{correction}"
    example("var", name, shape, axis=axis, correction=correction, keepdims=keepdims)

for shape, position in (((3,), 0), ((2, 3), 0), ((2, 2, 3), 1), ((2, 0), 1)):
    example("cumsum", f"{shape_name(shape)}-axis{position}", shape, axis=position)


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
form("max_axis", "min_axis", never_overflows_first="forward vjp")(lambda draw: reduction(draw, FULL))


@form("var")
def var_form(draw: Draw) -> Form:
    made = reduction(draw, FULL)
    count = prod(made.shapes[0]) // max(prod(made.out), 1)
    return Form(made.shapes, made.out, {**made.attributes, "correction": draw(st.integers(-1, count - 1))})


@form("cumsum")
def cumsum_form(draw: Draw) -> Form:
    shape = some_shape(draw, 1)
    return Form([shape], shape, {"axis": draw(st.integers(-len(shape), len(shape) - 1))})


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
    "var": [
        forward([[nan, 1.0], [inf, 1.0], [1.0, 3.0]], axis=1, gives=[nan, nan, 2.0]),
        jvp([[nan, 1.0], [1.0, 3.0]], d=([[1.0, 1.0], [inf, 1.0]],), axis=1, gives=[nan, -inf]),
        vjp([[inf, 1.0], [1.0, 3.0]], g=[1.0, inf], axis=1, gives=([[nan, -inf], [-inf, inf]],)),
    ],
    "max_axis": [  # a nan wins; equal elements share, infinities too
        forward(
            [[nan, inf], [-inf, 1.0], [-inf, -inf], [-0.0, -0.0]],
            axis=1,
            gives=[nan, 1.0, -inf, -0.0],
            signed=True,
        ),
        jvp(
            [[nan, inf], [inf, inf], [1.0, 0.0]],
            d=([[1.0, 5.0], [1.0, 3.0], [2.0, nan]],),
            axis=1,
            gives=[1.0, 2.0, 2.0],
        ),
        vjp(
            [[nan, inf], [-inf, -inf], [1.0, 0.0], [0.0, -0.0]],
            g=[1.0, 2.0, inf, 2.0],
            axis=1,
            gives=([[1.0, 0.0], [1.0, 1.0], [inf, 0.0], [1.0, 1.0]],),
        ),
    ],
    "min_axis": [
        forward(
            [[nan, -inf], [inf, 1.0], [inf, inf], [-0.0, -0.0]],
            axis=1,
            gives=[nan, 1.0, inf, -0.0],
            signed=True,
        ),
        jvp(
            [[nan, -inf], [-inf, -inf], [1.0, 2.0]],
            d=([[1.0, 5.0], [1.0, 3.0], [2.0, nan]],),
            axis=1,
            gives=[1.0, 2.0, 2.0],
        ),
        vjp(
            [[nan, -inf], [inf, inf], [1.0, 2.0], [0.0, -0.0]],
            g=[1.0, 2.0, inf, 2.0],
            axis=1,
            gives=([[1.0, 0.0], [1.0, 1.0], [inf, 0.0], [1.0, 1.0]],),
        ),
    ],
    "cumsum": [  # nothing is seen before it comes
        forward([1.0, inf, 2.0, -inf], axis=0, gives=[1.0, inf, inf, nan]),
        forward([-0.0, nan, 1.0], axis=0, gives=[-0.0, nan, nan], signed=True),
        jvp([nan, 1.0], d=([1.0, inf],), axis=0, gives=[1.0, inf]),
        vjp([nan, 1.0, 1.0], g=[1.0, inf, 2.0], axis=0, gives=([inf, inf, 2.0],)),
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


@plant("var", "kernel-without-correction", "forward", "3-axis0-correction1")
def var_wrong(inputs: Any, *, axis: Any, correction: Any, keepdims: Any) -> Any:
    return inputs[0].var(axis=axis, keepdims=keepdims), None


@plant("max_axis", "kernel-all-to-the-first", "vjp x", "2x2-axis0")
def max_axis_first(g: Any, inputs: Any, out: Any, residual: Any, *, axis: Any, keepdims: Any) -> Any:
    (x,) = inputs
    gx = np.zeros_like(x)
    np.put_along_axis(gx, np.expand_dims(x.argmax(axis=axis[0]), axis[0]), np.expand_dims(g, axis[0]), axis[0])
    return gx


@plant("min_axis", "kernel-all-of-g-to-each", "vjp x", "2x2-axis0")
def min_axis_each(g: Any, inputs: Any, out: Any, residual: Any, *, axis: Any, keepdims: Any) -> Any:
    (x,) = inputs
    return np.where(x == x.min(axis=axis, keepdims=True), np.expand_dims(g, axis), 0)


@plant("cumsum", "kernel-vjp-not-reversed", "vjp x", "3-axis0")
def cumsum_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, axis: Any) -> Any:
    return np.add.accumulate(g, axis=axis)
