"""TRUSTED. Calls that move elements as instances of the specification: one case per rank or number of inputs.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from gradproof.errors import ShapeError

from ..calls import EXTENTS, Draw, Form, form, narrowed, some_shape
from ..cases import Correspondence, Layout, Shape, case_of, corresponds, extents
from ..examples import example, shape_name
from ..nonfinite import BITS, TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
@corresponds("concat", attributes=lambda case, sizes: {"axis": 1})
def concat_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    axis, count = attributes["axis"], len(shapes)
    case = case_of(op, label=f"{count} input{'s' * (count > 1)}")
    before, after = prod(shapes[0][:axis]), prod(shapes[0][axis + 1 :])
    sizes = {"B": before, "A": after, **{f"N{j}": s[axis] for j, s in enumerate(shapes)}}

    def layout(extent: int) -> Layout:
        return lambda x: x.reshape((before, extent, after))

    return Correspondence(
        case,
        sizes,
        {**{f"x{j}": layout(s[axis]) for j, s in enumerate(shapes)}, "y": layout(sum(s[axis] for s in shapes))},
    )


@corresponds(
    "reshape", "broadcast_to", attributes=lambda case, sizes: {"shape": tuple(sizes[a] for a in case.output.axes)}
)
def to_shape(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    case = case_of(op, label=f"rank {len(shapes[0])} to {len(attributes['shape'])}")
    return Correspondence(case, extents(case, {"x": shapes[0], "y": attributes["shape"]}))


# ---------------------------------------------------------------- examples for the kernels
BROADCASTS: tuple[tuple[Shape, Shape], ...] = (
    ((), ()),
    ((3,), (3,)),
    ((1,), (3,)),
    ((), (2, 2)),
    ((3,), (2, 3)),
    ((2,), (2, 2)),
    ((2, 1), (2, 3)),
    ((1, 3), (2, 2, 3)),
    ((1, 1), (2, 2)),
)
RESHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((), (1,)),
    ((6,), (2, 3)),
    ((2, 3), (3, 2)),
    ((2, 3), (6,)),
    ((2, 1, 3), (3, 2)),
    ((4, 2), (2, 2, 2)),
    ((0, 3), (0,)),
)
LENGTHS: tuple[tuple[int, ...], ...] = ((2,), (1, 2), (2, 1, 1))

for along in (0, 1, 2):
    for lengths in LENGTHS:
        shapes = tuple(tuple(n if a == along else 2 for a in range(3)) for n in lengths)
        example("concat", f"axis{along}-{len(lengths)}", *shapes, axis=along)
example("concat", "with-empty", (2,), (0,), (1,), axis=0)
for r, s in RESHAPES:
    example("reshape", f"{shape_name(r)}-to-{shape_name(s)}", r, shape=s)
for r, s in BROADCASTS:
    example("broadcast_to", f"{shape_name(r)}-to-{shape_name(s)}", r, shape=s)


# ---------------------------------------------------------------- calls in floats
@form("concat", never_overflows_first="forward jvp vjp")
def concat_form(draw: Draw) -> Form:
    shape = some_shape(draw, 1)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        part = list(shape)
        part[axis] = draw(EXTENTS)
        parts.append(tuple(part))
    return Form(parts, np.concatenate([np.zeros(s) for s in parts], axis).shape, {"axis": axis})


@form("reshape", never_overflows_first="forward jvp vjp")
def reshape_form(draw: Draw) -> Form:
    shape = some_shape(draw)
    out = draw(st.permutations([*shape, *draw(st.sampled_from(((), (1,))))]))
    out = draw(st.sampled_from((tuple(out), (prod(out),), *([(*out[:-2], out[-2] * out[-1])] if len(out) > 1 else []))))
    return Form([shape], out, {"shape": out})


@form("broadcast_to", never_overflows_first="forward jvp")
def broadcast_to_form(draw: Draw) -> Form:
    shape = some_shape(draw)
    return Form([narrowed(draw, shape)], shape, {"shape": shape})


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "concat": [
        forward([nan, inf], [-inf, -0.0], gives=BITS, signed=True),
        jvp([1.0, 2.0], [3.0, nan], d=([nan, inf], [-inf, -0.0]), gives=BITS, signed=True),
        vjp([1.0, 2.0], [3.0, nan], g=BITS, gives=([nan, inf], [-inf, -0.0]), signed=True),
    ],
    "reshape": [
        forward(BITS, shape=(2, 2), gives=[BITS[:2], BITS[2:]], signed=True),
        jvp([1.0, 2.0, 3.0, nan], d=(BITS,), shape=(2, 2), gives=[BITS[:2], BITS[2:]], signed=True),
        vjp([1.0, 2.0, 3.0, nan], g=[BITS[:2], BITS[2:]], shape=(2, 2), gives=(BITS,), signed=True),
    ],
    "broadcast_to": [
        forward(BITS, shape=(2, 4), gives=[BITS, BITS], signed=True),
        jvp([1.0, 2.0, 3.0, nan], d=(BITS,), shape=(2, 4), gives=[BITS, BITS], signed=True),
        vjp([nan, 1.0, 2.0], g=[[1.0, inf, inf], [2.0, -inf, 1.0]], shape=(2, 3), gives=([3.0, nan, inf],)),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("concat", "kernel-reversed", "forward", "axis0-2")
def concat_reversed(inputs: Any, *, axis: Any) -> Any:
    return np.concatenate(inputs[::-1], axis=axis), None


@plant("concat", "shape-of-the-first", "shape")
def concat_shape_first(*xs: Any, axis: Any) -> Any:
    return xs[0]


@plant("reshape", "kernel-column-major", "forward", "2x3-to-3x2")
def reshape_fortran(inputs: Any, *, shape: Any) -> Any:
    return inputs[0].transpose().reshape(shape), None


@plant("broadcast_to", "kernel-left-aligned", "forward", "2-to-2x2")  # 5, at a shape where both alignments fit
def broadcast_left(inputs: Any, *, shape: Any) -> Any:
    return np.broadcast_to(inputs[0][:, None], shape), None


@plant("broadcast_to", "shape-left-aligned", "shape")  # 5
def broadcast_shape_left(x: Any, *, shape: Any) -> Any:
    for have, want in zip(x, shape, strict=False):
        if have != want and have != 1:
            raise ShapeError("broadcast_to: shapes do not match")
    return shape
