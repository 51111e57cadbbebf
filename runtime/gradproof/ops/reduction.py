"""Sums and means over axes. At the table entry `axis` is a sorted tuple of non-negative ints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import many_axes
from ..dtypes import floats
from ..errors import ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply


def reduced_shape(x: Shape, axis: tuple[int, ...], keepdims: bool) -> Shape:
    result: Shape = ()
    for position, extent in enumerate(x):
        if position not in axis:
            result += (extent,)
        elif keepdims:
            result += (1,)
    return result


def kept(g: Array, shape: Shape, axis: tuple[int, ...]) -> Array:
    """g, reduced over `axis` with or without keepdims, with an extent of 1 for each axis."""
    return g.reshape(reduced_shape(shape, axis, keepdims=True))


def count(shape: Shape, axis: tuple[int, ...]) -> int:
    total = 1
    for position in axis:
        total *= shape[position]
    return total


# reduce_sum: y = Σ_axis x

reduce_sum_op = Op("reduce_sum", inputs=("x",))


@reduce_sum_op.shape_rule
def reduce_sum_shape(x: Shape, *, axis: tuple[int, ...], keepdims: bool) -> Shape:
    return reduced_shape(x, axis, keepdims)


@reduce_sum_op.forward
def reduce_sum_y(inputs: tuple[Array], *, axis: tuple[int, ...], keepdims: bool) -> tuple[Array, Residual]:
    (x,) = inputs
    return x.sum(axis=axis, keepdims=keepdims), None


@reduce_sum_op.jvp_of("x")
def reduce_sum_dy_x(
    dx: Array, inputs: Any, out: Array, residual: Residual, *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    result: Array = dx.sum(axis=axis, keepdims=keepdims)
    return result


@reduce_sum_op.vjp_of("x")
def reduce_sum_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    (x,) = inputs
    return np.broadcast_to(kept(g, x.shape, axis), x.shape)


@reduce_sum_op.public
def reduce_sum(x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """y = Σ_axis x. `axis` is an int, a tuple or None (all axes); `axis=()` sums over nothing.

    Shapes: x s -> s without the axes (with keepdims: 1 in their place). The sum over an empty axis is 0.
    Raises DomainError for an axis that does not exist or is named twice, DtypeError.

    >>> reduce_sum(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    array([4., 6.])
    """
    (x_,) = floats("reduce_sum", x=x)
    return apply(reduce_sum_op, x_, axis=many_axes("reduce_sum", axis, x_.ndim), keepdims=bool(keepdims))


# reduce_mean: y = Σ_axis x / count

reduce_mean_op = Op("reduce_mean", inputs=("x",))


@reduce_mean_op.shape_rule
def reduce_mean_shape(x: Shape, *, axis: tuple[int, ...], keepdims: bool) -> Shape:
    for position in axis:
        if x[position] == 0:
            raise ShapeError(
                describe("reduce_mean", "the mean over an empty axis is undefined", "drop the axis", x=x, axis=axis)
            )
    return reduced_shape(x, axis, keepdims)


@reduce_mean_op.forward
def reduce_mean_y(inputs: tuple[Array], *, axis: tuple[int, ...], keepdims: bool) -> tuple[Array, Residual]:
    (x,) = inputs
    return x.sum(axis=axis, keepdims=keepdims) / count(x.shape, axis), None


@reduce_mean_op.jvp_of("x")
def reduce_mean_dy_x(
    dx: Array, inputs: Any, out: Array, residual: Residual, *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    result: Array = dx.sum(axis=axis, keepdims=keepdims) / count(dx.shape, axis)
    return result


@reduce_mean_op.vjp_of("x")
def reduce_mean_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    (x,) = inputs
    return np.broadcast_to(kept(g, x.shape, axis) / count(x.shape, axis), x.shape)


@reduce_mean_op.public
def reduce_mean(x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """y = Σ_axis x / n, n the number of elements summed. `axis` as in `reduce_sum`.

    Shapes: x s -> s without the axes (with keepdims: 1 in their place).
    Raises ShapeError for an empty axis, DomainError for an axis that does not exist or is named twice, DtypeError.

    >>> reduce_mean(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=-1, keepdims=True)
    array([[1.5],
           [3.5]])
    """
    (x_,) = floats("reduce_mean", x=x)
    return apply(reduce_mean_op, x_, axis=many_axes("reduce_mean", axis, x_.ndim), keepdims=bool(keepdims))
