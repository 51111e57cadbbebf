"""Ops that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from .. import dtypes
from ..attributes import integer, integers, many_axes, number, one_axis, target_shape
from ..dtypes import floats
from ..errors import DomainError, DtypeError, IndexRangeError, ShapeError, describe
from ..op import OPS, Array, Op, Residual, Shape
from ..tape import Traced, apply
from .explicit import broadcasted, released, reshaped


def read_only(view: Array) -> Array:
    """A view of an input as a result: nobody writes through it, and the public function copies."""
    view.flags.writeable = False
    return view


def movable(op: str, x: ArrayLike) -> Array:
    """A graph also moves its indices and masks."""
    return cast(Array, x) if isinstance(x, Traced) else floats(op, x=x)[0]


# concat: the inputs one after another along `axis`

concat_op = Op("concat", inputs=("xs",), variadic=True)


@concat_op.shape_rule
def concat_shape(*xs: Shape, axis: int) -> Shape:
    return reduce(partial(concat_step, axis=axis), xs)


def concat_step(joined: Shape, x: Shape, *, axis: int) -> Shape:
    """The shape of what is joined so far, and of one input more."""
    if len(x) != len(joined):
        raise ShapeError(describe("concat", "the ranks differ", "give all the same rank", joined=joined, next=x))
    for position, extent in enumerate(x):
        if position != axis and extent != joined[position]:
            remedy = "only the extents along axis may differ"
            raise ShapeError(describe("concat", "the shapes differ", remedy, joined=joined, next=x, axis=axis))
    return (*joined[:axis], joined[axis] + x[axis], *joined[axis + 1 :])


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


# slice_range: x[start : start + length] along `axis`

slice_range_op = Op("slice_range", inputs=("x",))


def along(axis: int, start: int, length: int) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, start + length),)


@slice_range_op.shape_rule
def slice_range_shape(x: Shape, *, start: int, length: int, axis: int) -> Shape:
    if start < 0 or length < 0 or start + length > x[axis]:
        raise IndexRangeError(
            describe("slice_range", "the range leaves the axis", "0 <= start, 0 <= length, start + length <= extent",
                     start=start, length=length, extent=x[axis])
        )  # fmt: skip
    return (*x[:axis], length, *x[axis + 1 :])


@slice_range_op.forward
def slice_range_y(inputs: tuple[Array], *, start: int, length: int, axis: int) -> tuple[Array, Residual]:
    (x,) = inputs
    return read_only(x[along(axis, start, length)]), None


@slice_range_op.jvp_of("x")
def slice_range_dy_x(
    dx: Array, inputs: Any, out: Array, residual: Residual, *, start: int, length: int, axis: int
) -> Array:
    return dx[along(axis, start, length)]


@slice_range_op.vjp_of("x")
def slice_range_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, start: int, length: int, axis: int
) -> Array:
    (x,) = inputs
    gx = np.zeros_like(x)
    gx[along(axis, start, length)] = g
    return gx


@slice_range_op.public
def slice_range(x: ArrayLike, start: int, length: int, axis: int = 0) -> Array:
    """y[..., n, ...] = x[..., start + n, ...], n < length. A range that leaves the axis is an error, not clipped.

    Shapes: x (...,N,...) -> (...,length,...). Raises IndexRangeError, DomainError for the axis, DtypeError.

    >>> slice_range(np.array([1.0, 2.0, 3.0, 4.0]), 1, 2)
    array([2., 3.])
    """
    (x_,) = floats("slice_range", x=x)
    position = one_axis("slice_range", axis, x_.ndim)
    first, count = integer("slice_range", "start", start), integer("slice_range", "length", length)
    return released(apply(slice_range_op, x_, start=first, length=count, axis=position))


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
    return (read_only(y) if np.may_share_memory(x, y) else y), None


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
    x_ = movable("reshape", x)
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


# transpose: axis k of y is axis axes[k] of x

transpose_op = Op("transpose", inputs=("x",))


@transpose_op.shape_rule
def transpose_shape(x: Shape, *, axes: tuple[int, ...]) -> Shape:
    return tuple(x[axis] for axis in axes)


@transpose_op.forward
def transpose_y(inputs: tuple[Array], *, axes: tuple[int, ...]) -> tuple[Array, Residual]:
    (x,) = inputs
    return read_only(x.transpose(axes)), None


@transpose_op.jvp_of("x")
def transpose_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, axes: tuple[int, ...]) -> Array:
    return dx.transpose(axes)


@transpose_op.vjp_of("x")
def transpose_gx(g: Array, inputs: Any, out: Array, residual: Residual, *, axes: tuple[int, ...]) -> Array:
    return g.transpose(sorted(range(len(axes)), key=axes.__getitem__))


def permutation(op: str, axes: Any, rank: int) -> tuple[int, ...]:
    """Non-negative, each axis once."""
    given = tuple(one_axis(op, axis, rank) for axis in integers(op, "axes", axes))
    if sorted(given) != list(range(rank)):
        raise DomainError(describe(op, "axes is no permutation", "name every axis once", axes=axes, rank=rank))
    return given


@transpose_op.public
def transpose(x: ArrayLike, axes: tuple[int, ...] | None = None) -> Array:
    """Axis k of y is axis axes[k] of x; None reverses the axes, as in NumPy. The result is a copy.

    Shapes: x s -> (s[axes[0]], s[axes[1]], ...). Raises DomainError for the axes, DtypeError.

    >>> transpose(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    array([[1., 4.],
           [2., 5.],
           [3., 6.]])
    """
    (x_,) = floats("transpose", x=x)
    order = tuple(reversed(range(x_.ndim))) if axes is None else permutation("transpose", axes, x_.ndim)
    return released(apply(transpose_op, x_, axes=order))


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
    x_ = movable("broadcast_to", x)
    return released(apply(broadcast_to_op, x_, shape=target_shape("broadcast_to", shape)))


# pad: x with `value` around it, widths[k] = (before, after) along axis k

pad_op = Op("pad", inputs=("x",))
Widths = tuple[tuple[int, int], ...]


def inner(x: Array, widths: Widths) -> tuple[Any, ...]:
    """Where x stands in the output. The ellipsis keeps an array of 0 axes an array."""
    return (*(slice(before, before + extent) for extent, (before, _) in zip(x.shape, widths, strict=True)), ...)


@pad_op.shape_rule
def pad_shape(x: Shape, *, widths: Widths, value: float) -> Shape:
    if len(widths) != len(x):
        raise ShapeError(describe("pad", "a pair (before, after) per axis is needed", "pass one", x=x, widths=widths))
    for before, after in widths:
        if before < 0 or after < 0:
            raise DomainError(describe("pad", "a width is negative", "use slice_range to cut", widths=widths))
    return tuple(before + extent + after for extent, (before, after) in zip(x, widths, strict=True))


@pad_op.forward
def pad_y(inputs: tuple[Array], *, widths: Widths, value: float) -> tuple[Array, Residual]:
    (x,) = inputs
    y = np.full_like(x, value, shape=pad_shape(x.shape, widths=widths, value=value))
    y[inner(x, widths)] = x
    return y, None


@pad_op.jvp_of("x")
def pad_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, widths: Widths, value: float) -> Array:
    dy = np.zeros_like(dx, shape=out.shape)
    dy[inner(dx, widths)] = dx
    return dy


@pad_op.vjp_of("x")
def pad_gx(g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, widths: Widths, value: float) -> Array:
    (x,) = inputs
    result: Array = g[inner(x, widths)]
    return result


@pad_op.public
def pad(x: ArrayLike, widths: Sequence[tuple[int, int]], value: float = 0) -> Array:
    """x with `before` and `after` entries `value` at both ends of each axis, widths = ((before, after), ...), one pair
    per axis. No gradient goes to `value`.

    Shapes: x (N,...) -> (before + N + after,...). Raises ShapeError, DomainError for a negative width, DtypeError.

    >>> pad(np.array([[1.0, 2.0]]), ((0, 1), (1, 0)), value=9)
    array([[9., 1., 2.],
           [9., 9., 9.]])
    """
    (x_,) = floats("pad", x=x)
    pairs = [integers("pad", "widths", pair) for pair in (widths if isinstance(widths, (tuple, list)) else (widths,))]
    if any(len(pair) != 2 for pair in pairs):
        remedy = "pass ((before, after), ...)"
        raise ShapeError(describe("pad", "widths must be a tuple of pairs", remedy, widths=widths))
    return apply(pad_op, x_, widths=tuple(pairs), value=number("pad", "value", value))


# flip: the order along `axis`, a tuple, reversed

flip_op = Op("flip", inputs=("x",))


def flipped(x: Array, axis: tuple[int, ...]) -> Array:
    turned = [slice(None, None, -1 if position in axis else 1) for position in range(x.ndim)]
    key: tuple[Any, ...] = (*turned, ...)  # the ellipsis keeps an array of 0 axes an array
    result: Array = x[key]
    return result


@flip_op.shape_rule
def flip_shape(x: Shape, *, axis: tuple[int, ...]) -> Shape:
    return x


@flip_op.forward
def flip_y(inputs: tuple[Array], *, axis: tuple[int, ...]) -> tuple[Array, Residual]:
    (x,) = inputs
    return read_only(flipped(x, axis)), None


@flip_op.jvp_of("x")
def flip_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, axis: tuple[int, ...]) -> Array:
    return flipped(dx, axis)


@flip_op.vjp_of("x")
def flip_gx(g: Array, inputs: Any, out: Array, residual: Residual, *, axis: tuple[int, ...]) -> Array:
    return flipped(g, axis)


@flip_op.public
def flip(x: ArrayLike, axis: int | tuple[int, ...] | None) -> Array:
    """y[..., n, ...] = x[..., N - 1 - n, ...] for each axis named; None names all.

    Shapes: x s -> s. Raises DomainError for the axis, DtypeError.

    >>> flip(np.array([[1.0, 2.0], [3.0, 4.0]]), 1)
    array([[2., 1.],
           [4., 3.]])
    """
    (x_,) = floats("flip", x=x)
    return released(apply(flip_op, x_, axis=many_axes("flip", axis, x_.ndim)))


# roll: y[n] = x[(n - shift) mod N] along `axis`

roll_op = Op("roll", inputs=("x",))


@roll_op.shape_rule
def roll_shape(x: Shape, *, shift: int, axis: int) -> Shape:
    return x


@roll_op.forward
def roll_y(inputs: tuple[Array], *, shift: int, axis: int) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.roll(x, shift, axis), None


@roll_op.jvp_of("x")
def roll_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, shift: int, axis: int) -> Array:
    return np.roll(dx, shift, axis)


@roll_op.vjp_of("x")
def roll_gx(g: Array, inputs: Any, out: Array, residual: Residual, *, shift: int, axis: int) -> Array:
    return np.roll(g, -shift, axis)


@roll_op.public
def roll(x: ArrayLike, shift: int | tuple[int, ...], axis: int | tuple[int, ...] | None) -> Array:
    """y[..., n, ...] = x[..., (n - shift) mod N, ...]: what leaves the axis at its end comes back at its start.

    A tuple of shifts goes with a tuple of axes, applied in turn; one shift goes with each of several axes. None rolls
    the flattened array, as in NumPy.

    Shapes: x s -> s. Raises DomainError for the axis or for unequal numbers of shifts and axes, DtypeError.

    >>> roll(np.array([1.0, 2.0, 3.0, 4.0]), 1, 0)
    array([4., 1., 2., 3.])
    """
    (x_,) = floats("roll", x=x)
    if axis is None:
        flat = roll(reshaped(x_, (x_.size,)), integer("roll", "shift", shift), 0)
        return released(reshaped(flat, x_.shape))
    positions = [one_axis("roll", item, x_.ndim) for item in (axis if isinstance(axis, (tuple, list)) else (axis,))]
    if isinstance(shift, (tuple, list)):
        shifts = integers("roll", "shift", shift)
        if len(shifts) != len(positions):
            remedy = "pass one shift, or one per axis"
            raise DomainError(describe("roll", "shifts and axes differ in number", remedy, shift=shift, axis=axis))
    else:
        shifts = (integer("roll", "shift", shift),) * len(positions)
    if not positions:
        return reshape(x_, x_.shape)
    y = x_
    for shift_, position in zip(shifts, positions, strict=True):
        y = apply(roll_op, y, shift=shift_ % max(x_.shape[position], 1), axis=position)
    return y


# upsample_nearest: y[..., p, ...] = x[..., p H // P, ...] on the last axes, P = size

upsample_nearest_op = Op("upsample_nearest", inputs=("x",))


def at(axis: int, rows: Array) -> tuple[Any, ...]:
    """The index of rows of one axis."""
    return (*(slice(None),) * axis, rows)


def repeated_from(extent: int, count: int) -> Array:
    return np.arange(count) * extent // count


@upsample_nearest_op.shape_rule
def upsample_nearest_shape(x: Shape, *, size: tuple[int, ...]) -> Shape:
    if not 1 <= len(size) <= 3 or len(x) < len(size):
        remedy = "size has one entry for each of the last 1, 2 or 3 axes"
        raise ShapeError(describe("upsample_nearest", "the ranks do not fit", remedy, x=x, size=size))
    for extent, count in zip(x[len(x) - len(size) :], size, strict=True):
        if extent < 1 or count < 1:
            raise ShapeError(describe("upsample_nearest", "an extent is 0", "all must be at least 1", x=x, size=size))
    return (*x[: len(x) - len(size)], *size)


@upsample_nearest_op.forward
def upsample_nearest_y(inputs: tuple[Array], *, size: tuple[int, ...]) -> tuple[Array, Residual]:
    (y,) = inputs
    for axis, count in zip(range(y.ndim - 1, -1, -1), reversed(size), strict=False):
        y = y[at(axis, repeated_from(y.shape[axis], count))]
    return y, None


@upsample_nearest_op.jvp_of("x")
def upsample_nearest_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, size: tuple[int, ...]) -> Array:
    return upsample_nearest_y((dx,), size=size)[0]


@upsample_nearest_op.vjp_of("x")
def upsample_nearest_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, size: tuple[int, ...]
) -> Array:
    (x,) = inputs
    for axis in range(x.ndim - len(size), x.ndim):
        n = x.shape[axis]
        if g.shape[axis] % n == 0:  # each is read equally often
            g = g.reshape((*g.shape[:axis], n, g.shape[axis] // n, *g.shape[axis + 1 :])).sum(axis=axis + 1)
            continue
        counts = np.bincount(repeated_from(n, g.shape[axis]), minlength=n)
        first, gx = np.cumsum(counts) - counts, np.zeros_like(g, shape=(*g.shape[:axis], n, *g.shape[axis + 1 :]))
        for k in range(counts.max()):  # the k-th of the entries that read the same element
            rows = np.flatnonzero(counts > k)
            gx[at(axis, rows)] += g[at(axis, first[rows] + k)]
        g = gx
    return g


@upsample_nearest_op.public
def upsample_nearest(x: ArrayLike, size: tuple[int, ...]) -> Array:
    """y[..., p, q] = x[..., p H // P, q W // Q], size = (P, Q): the nearest element on the last 1, 2 or 3 axes.

    Shapes: x (...,H,W) -> (...,P,Q). Raises ShapeError, DtypeError.

    >>> upsample_nearest(np.array([1.0, 2.0, 3.0]), (5,))
    array([1., 1., 2., 2., 3.])
    """
    (x_,) = floats("upsample_nearest", x=x)
    return apply(upsample_nearest_op, x_, size=integers("upsample_nearest", "size", size))


# Compositions of the ops above.


def flatten(x: ArrayLike, start_axis: int = 0, end_axis: int = -1) -> Array:
    """The axes from start_axis to end_axis, both included, as one, in row-major order.

    Shapes: x (...,N,...,M,...) -> (...,N···M,...), () -> (1,). Raises DomainError for the axes, DtypeError.

    >>> flatten(np.ones((2, 3, 4)), 1).shape
    (2, 12)
    """
    (x_,) = floats("flatten", x=x)
    first, last = (one_axis("flatten", axis, max(x_.ndim, 1)) for axis in (start_axis, end_axis))
    if first > last:
        remedy = "start_axis comes first"
        raise DomainError(describe("flatten", "the axes are out of order", remedy, start_axis=first, end_axis=last))
    return reshape(x_, (*x_.shape[:first], prod(x_.shape[first : last + 1]), *x_.shape[last + 1 :]))


def permute(x: ArrayLike, axes: tuple[int, ...]) -> Array:
    """transpose(x, axes), the axes required: axis k of y is axis axes[k] of x.

    Shapes: x s -> (s[axes[0]], s[axes[1]], ...). Raises DomainError for the axes, DtypeError.

    >>> permute(np.ones((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    (x_,) = floats("permute", x=x)
    return transpose(x_, permutation("permute", axes, x_.ndim))


def adjacent_swaps(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Depths d_1, d_2, ... such that swap_adjacent at d_1, then at d_2, ... is transpose(x, axes). As few as possible:
    one for each pair that changes its order.

    >>> adjacent_swaps((2, 0, 1))
    (1, 0)
    """
    wanted = permutation("adjacent_swaps", axes, len(axes))
    present, depths = list(range(len(wanted))), []
    for position, axis in enumerate(wanted):
        for depth in range(present.index(axis) - 1, position - 1, -1):
            present[depth : depth + 2] = present[depth + 1], present[depth]
            depths.append(depth)
    return tuple(depths)


def swap_adjacent(x: ArrayLike, depth: int) -> Array:
    """Axes depth and depth + 1 change places.

    Shapes: x (...,N,M,...) -> (...,M,N,...). Raises DomainError where 0 <= depth <= rank - 2 does not hold, DtypeError.

    >>> swap_adjacent(np.ones((2, 3, 4)), 1).shape
    (2, 4, 3)
    """
    (x_,) = floats("swap_adjacent", x=x)
    first = integer("swap_adjacent", "depth", depth)
    if not 0 <= first < x_.ndim - 1:
        remedy = "0 <= depth <= rank - 2"
        raise DomainError(describe("swap_adjacent", "there are no two such axes", remedy, depth=depth, rank=x_.ndim))
    return transpose(x_, (*range(first), first + 1, first, *range(first + 2, x_.ndim)))


def named_transpose(op: str, x: ArrayLike, axes: tuple[int, ...]) -> Array:
    (x_,) = floats(op, x=x)
    if x_.ndim != len(axes):
        raise ShapeError(describe(op, f"x must have {len(axes)} axes", "use transpose for another rank", x=x_.shape))
    return transpose(x_, axes)


def transpose2d(x: ArrayLike) -> Array:
    """y[m, n] = x[n, m]. Shapes: x (N,M) -> (M,N). Raises ShapeError, DtypeError.

    >>> transpose2d([[1.0, 2.0]])
    array([[1.],
           [2.]])
    """
    return named_transpose("transpose2d", x, (1, 0))


def transpose3d_first_to_last(x: ArrayLike) -> Array:
    """y[b, c, a] = x[a, b, c]. Shapes: x (A,B,C) -> (B,C,A). Raises ShapeError, DtypeError.

    >>> transpose3d_first_to_last(np.ones((2, 3, 4))).shape
    (3, 4, 2)
    """
    return named_transpose("transpose3d_first_to_last", x, (1, 2, 0))


def transpose3d_last_to_first(x: ArrayLike) -> Array:
    """y[c, a, b] = x[a, b, c]. Shapes: x (A,B,C) -> (C,A,B). Raises ShapeError, DtypeError.

    >>> transpose3d_last_to_first(np.ones((2, 3, 4))).shape
    (4, 2, 3)
    """
    return named_transpose("transpose3d_last_to_first", x, (2, 0, 1))


def transpose3d_last_two(x: ArrayLike) -> Array:
    """y[a, c, b] = x[a, b, c]. Shapes: x (A,B,C) -> (A,C,B). Raises ShapeError, DtypeError.

    >>> transpose3d_last_two(np.ones((2, 3, 4))).shape
    (2, 4, 3)
    """
    return named_transpose("transpose3d_last_two", x, (0, 2, 1))


def split(x: ArrayLike, sizes: Sequence[int], axis: int = 0) -> tuple[Array, ...]:
    """The parts of x of the given sizes, one after another along `axis`: slice_range of each.

    Shapes: x (...,N,...) -> (...,N_i,...), Σ N_i = N. Raises ShapeError, DomainError for the axis, DtypeError.

    >>> split(np.array([1.0, 2.0, 3.0]), (1, 2))
    (array([1.]), array([2., 3.]))
    """
    (x_,) = floats("split", x=x)
    position, parts = one_axis("split", axis, x_.ndim), integers("split", "sizes", sizes)
    if any(part < 0 for part in parts) or sum(parts) != x_.shape[position]:
        remedy = "they are at least 0 and add up to the extent"
        raise ShapeError(describe("split", "the sizes do not fit", remedy, sizes=parts, extent=x_.shape[position]))
    return tuple(slice_range(x_, sum(parts[:k]), part, position) for k, part in enumerate(parts))


def stack(xs: Sequence[ArrayLike], axis: int = 0) -> Array:
    """The arrays of the list or tuple `xs`, all of one shape, along a new axis that `axis` counts in the result.

    Shapes: K arrays s -> s with K inserted at `axis`. Raises ShapeError, DomainError for the axis, DtypeError.

    >>> stack([np.array([1.0, 2.0]), np.array([3.0, 4.0])], axis=1)
    array([[1., 3.],
           [2., 4.]])
    """
    if not isinstance(xs, (list, tuple)):
        raise DtypeError(describe("stack", "xs must be a list or tuple of arrays", "write stack([a, b])"))
    if not xs:
        raise ShapeError(describe("stack", "there is nothing to stack", "pass at least one array"))
    arrays = floats("stack", **{f"xs[{position}]": x for position, x in enumerate(xs)})
    shape = arrays[0].shape
    for x in arrays[1:]:
        if x.shape != shape:
            raise ShapeError(describe("stack", "the shapes differ", "give all the same", first=shape, other=x.shape))
    position = one_axis("stack", axis, len(shape) + 1)
    return concat([reshaped(x, (*shape[:position], 1, *shape[position:])) for x in arrays], position)


def widened(x: Array, repeated: Shape, shape: Shape) -> Array:
    """x, with extents (before, after), as (before, count, after) = `repeated`, in the shape `shape`."""
    before, _, after = repeated
    return reshaped(broadcasted(reshaped(x, (before, 1, after)), repeated), shape)


def tile(x: ArrayLike, reps: int | tuple[int, ...]) -> Array:
    """x repeated reps[k] times along axis k, as a whole; missing axes of x or entries of reps are 1, in front (NumPy).

    Shapes: x (N,...) -> (reps[0] N,...). Raises DomainError for a negative number, DtypeError.

    >>> tile(np.array([1.0, 2.0]), (2, 2))
    array([[1., 2., 1., 2.],
           [1., 2., 1., 2.]])
    """
    (x_,) = floats("tile", x=x)
    counts = integers("tile", "reps", reps) if isinstance(reps, (tuple, list)) else (integer("tile", "reps", reps),)
    if any(count < 0 for count in counts):
        raise DomainError(describe("tile", "a number of repetitions is negative", "use 0 or more", reps=reps))
    counts = (1,) * (x_.ndim - len(counts)) + counts
    y = apply(reshape_op, x_, shape=(1,) * (len(counts) - x_.ndim) + x_.shape)
    for axis, count in enumerate(counts):
        if count != 1:
            before, extent, behind = y.shape[:axis], y.shape[axis], y.shape[axis + 1 :]
            y = widened(y, (prod(before), count, extent * prod(behind)), (*before, count * extent, *behind))
    return released(y)


def repeat(x: ArrayLike, repeats: int | Sequence[int], axis: int | None = None) -> Array:
    """Each element along `axis` `repeats` times, or element n repeats[n] times; None flattens x first (NumPy).

    Shapes: x (...,N,...) -> (...,Σ repeats,...). Raises ShapeError, DomainError for the axis or a negative number,
    DtypeError.

    >>> repeat(np.array([1.0, 2.0]), 2)
    array([1., 1., 2., 2.])
    >>> repeat(np.array([[1.0, 2.0]]), (1, 2), axis=1)
    array([[1., 2., 2.]])
    """
    (x_,) = floats("repeat", x=x)
    counts = dtypes.indices("repeat", "repeats", repeats, beside=x_)
    x_ = apply(reshape_op, x_, shape=(x_.size,) if axis is None else x_.shape)
    position = one_axis("repeat", 0 if axis is None else axis, x_.ndim)
    before, extent, behind = x_.shape[:position], x_.shape[position], x_.shape[position + 1 :]
    if counts.ndim > 1 or (counts.size != 1 and counts.size != extent):
        remedy = "pass one number, or one per element"
        raise ShapeError(describe("repeat", "repeats does not fit", remedy, repeats=counts.shape, extent=extent))
    if (counts < 0).any():
        raise DomainError(describe("repeat", "a number of repetitions is negative", "use 0 or more", repeats=repeats))
    if counts.size == 1:
        count = int(counts.reshape(()))
        shape = (*before, extent * count, *behind)
        return released(widened(x_, (prod(before) * extent, count, prod(behind)), shape))
    rows = np.repeat(np.arange(extent), counts.astype(np.intp))
    first = reshaped(apply(transpose_op, reshaped(x_, (prod(before), extent, prod(behind))), axes=(1, 0, 2)),
                     (extent, prod(before) * prod(behind)))  # fmt: skip
    picked = reshaped(apply(OPS["gather_rows"], first, rows), (len(rows), prod(before), prod(behind)))
    return released(reshaped(apply(transpose_op, picked, axes=(1, 0, 2)), (*before, len(rows), *behind)))


def pixel_shuffle(x: ArrayLike, factor: int) -> Array:
    """y[..., c, h r + i, w r + j] = x[..., (c r + i) r + j, h, w], r = factor: channels become pixels.

    Shapes: x (...,C r²,H,W) -> (...,C,H r,W r). Raises ShapeError, DomainError, DtypeError. Shi et al. 2016,
    arXiv:1609.05158.

    >>> pixel_shuffle(np.array([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1), 2)
    array([[[1., 2.],
            [3., 4.]]])
    """
    (x_,) = floats("pixel_shuffle", x=x)
    r = integer("pixel_shuffle", "factor", factor)
    if r < 1:
        raise DomainError(describe("pixel_shuffle", "factor must be at least 1", "pass 2 or more", factor=r))
    if x_.ndim < 3 or x_.shape[-3] % (r * r) != 0:
        remedy = "x is (...,C,H,W), and factor² divides C"
        raise ShapeError(describe("pixel_shuffle", "the channels do not fit", remedy, x=x_.shape, factor=r))
    *lead, channels, height, width = x_.shape
    maps = reshaped(x_, (prod(lead) * channels // (r * r), r, r, height, width))
    pixels = apply(transpose_op, maps, axes=(0, 3, 1, 4, 2))
    return released(apply(reshape_op, pixels, shape=(*lead, channels // (r * r), height * r, width * r)))
