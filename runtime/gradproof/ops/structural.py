"""Ops that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import one_axis, target_shape
from ..dtypes import floats
from ..errors import DtypeError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply
from .explicit import released

# concat: the inputs one after another along `axis`

concat_op = Op("concat", inputs=("xs",), variadic=True)


@concat_op.shape_rule
def concat_shape(*xs: Shape, axis: int) -> Shape:
    first, total = xs[0], xs[0][axis]
    for x in xs[1:]:
        if len(x) != len(first):
            raise ShapeError(describe("concat", "the ranks differ", "give all the same rank", first=first, other=x))
        for position, extent in enumerate(x):
            if position != axis and extent != first[position]:
                remedy = "only the extents along axis may differ"
                raise ShapeError(describe("concat", "the shapes differ", remedy, first=first, other=x, axis=axis))
        total = total + x[axis]
    return (*first[:axis], total, *first[axis + 1 :])


@concat_op.forward
def concat_y(inputs: tuple[Array, ...], *, axis: int) -> tuple[Array, Residual]:
    return np.concatenate(inputs, axis=axis), None


@concat_op.jvp_of("xs")
def concat_dy(
    dxs: tuple[Array | None, ...], inputs: tuple[Array, ...], out: Array, residual: Residual, *, axis: int
) -> Array:
    parts = [np.zeros_like(x) if dx is None else dx for x, dx in zip(inputs, dxs, strict=True)]
    return np.concatenate(parts, axis=axis)


@concat_op.vjp_of("xs")
def concat_gxs(g: Array, inputs: tuple[Array, ...], out: Array, residual: Residual, *, axis: int) -> tuple[Array, ...]:
    parts, start = [], 0
    for x in inputs:
        stop = start + x.shape[axis]
        parts.append(g[(slice(None),) * axis + (slice(start, stop),)])
        start = stop
    return tuple(parts)


@concat_op.public
def concat(xs: Sequence[ArrayLike], axis: int = 0) -> Array:
    """The arrays of the list or tuple `xs`, one after another along `axis`.

    Shapes: xs (...,N_i,...) -> (...,Σ N_i,...). Raises ShapeError, DomainError for the axis, DtypeError.

    >>> concat([np.array([1.0, 2.0]), np.array([3.0])])
    array([1., 2., 3.])
    """
    if not isinstance(xs, (list, tuple)):
        raise DtypeError(describe("concat", "xs must be a list or tuple of arrays", "write concat([a, b])"))
    if not xs:
        raise ShapeError(describe("concat", "there is nothing to concatenate", "pass at least one array"))
    arrays = floats("concat", **{f"xs[{position}]": x for position, x in enumerate(xs)})
    for x in arrays:
        if x.ndim == 0:
            raise ShapeError(describe("concat", "an array has no axes", "reshape it to (1,)", shape=x.shape))
    return apply(concat_op, *arrays, axis=one_axis("concat", axis, arrays[0].ndim))


# reshape: the same elements in row-major order

reshape_op = Op("reshape", inputs=("x",))


@reshape_op.shape_rule
def reshape_shape(x: Shape, *, shape: Shape) -> Shape:
    have, want = 1, 1
    for extent in x:
        have = have * extent
    for extent in shape:
        if extent < 0:
            raise ShapeError(describe("reshape", "a negative extent", "extents are at least 0", shape=shape))
        want = want * extent
    if have != want:
        remedy = "the number of elements must stay the same"
        raise ShapeError(describe("reshape", "the sizes differ", remedy, x=x, shape=shape))
    return shape


@reshape_op.forward
def reshape_y(inputs: tuple[Array], *, shape: Shape) -> tuple[Array, Residual]:
    (x,) = inputs
    y = x.reshape(shape)
    y.flags.writeable = False  # a view where NumPy can: nobody writes through it, and the public function copies
    return y, None


@reshape_op.jvp_of("x")
def reshape_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, shape: Shape) -> Array:
    return dx.reshape(shape)


@reshape_op.vjp_of("x")
def reshape_gx(g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, shape: Shape) -> Array:
    (x,) = inputs
    return g.reshape(x.shape)


@reshape_op.public
def reshape(x: ArrayLike, shape: int | tuple[int, ...]) -> Array:
    """The elements of x in row-major order in another shape; one extent may be -1. The result is a copy.

    Shapes: x s -> shape, with the same number of elements. Raises ShapeError, DtypeError.

    >>> reshape(np.array([[1.0, 2.0], [3.0, 4.0]]), (1, -1))
    array([[1., 2., 3., 4.]])
    """
    (x_,) = floats("reshape", x=x)
    wanted = target_shape("reshape", shape)
    if wanted.count(-1) > 1:
        raise ShapeError(describe("reshape", "more than one extent is -1", "leave one open at most", shape=wanted))
    if -1 in wanted:
        known = 1
        for extent in wanted:
            known *= 1 if extent == -1 else extent
        if known <= 0 or x_.size % known != 0:
            remedy = "the number of elements must stay the same"
            raise ShapeError(describe("reshape", "no extent fits for -1", remedy, x=x_.shape, shape=wanted))
        wanted = tuple(x_.size // known if extent == -1 else extent for extent in wanted)
    return released(apply(reshape_op, x_, shape=wanted))


# broadcast_to: aligned on the right, extents 1 repeated

broadcast_to_op = Op("broadcast_to", inputs=("x",))


@broadcast_to_op.shape_rule
def broadcast_to_shape(x: Shape, *, shape: Shape) -> Shape:
    added = len(shape) - len(x)
    if added < 0:
        raise ShapeError(describe("broadcast_to", "the target has fewer axes", "reshape first", x=x, shape=shape))
    for position, extent in enumerate(shape):
        if extent < 0:
            raise ShapeError(describe("broadcast_to", "a negative extent", "extents are at least 0", shape=shape))
        if position >= added and x[position - added] != extent and x[position - added] != 1:
            remedy = "extents must be equal or 1, counted from the right"
            raise ShapeError(describe("broadcast_to", "the shapes do not broadcast", remedy, x=x, shape=shape))
    return shape


@broadcast_to_op.forward
def broadcast_to_y(inputs: tuple[Array], *, shape: Shape) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.broadcast_to(x, shape), None  # a read-only view: the public function copies


@broadcast_to_op.jvp_of("x")
def broadcast_to_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, shape: Shape) -> Array:
    return np.broadcast_to(dx, shape)


@broadcast_to_op.vjp_of("x")
def broadcast_to_gx(g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, shape: Shape) -> Array:
    (x,) = inputs
    added = len(shape) - x.ndim
    axis = tuple(
        position
        for position, extent in enumerate(shape)
        if position < added or (x.shape[position - added] == 1 and extent != 1)
    )
    result: Array = g.sum(axis=axis, keepdims=True).reshape(x.shape)
    return result


@broadcast_to_op.public
def broadcast_to(x: ArrayLike, shape: int | tuple[int, ...]) -> Array:
    """y[..., i, ...] = x[..., i or 0, ...]: axes aligned on the right, extents 1 repeated. The result is a copy.

    Shapes: x s -> shape. Raises ShapeError, DtypeError.

    >>> broadcast_to(np.array([[1.0], [2.0]]), (2, 3))
    array([[1., 1., 1.],
           [2., 2., 2.]])
    """
    (x_,) = floats("broadcast_to", x=x)
    return released(apply(broadcast_to_op, x_, shape=target_shape("broadcast_to", shape)))
