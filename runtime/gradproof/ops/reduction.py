"""Reductions over axes, and the cumulative sum along one. At the table entry `axis` is a sorted tuple of non-negative
ints, for cumsum one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import integer, many_axes, one_axis
from ..dtypes import floats
from ..errors import DomainError, ShapeError, describe
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


def none_empty(op: str, what: str, x: Shape, axis: tuple[int, ...]) -> None:
    for position in axis:
        if x[position] == 0:
            raise ShapeError(describe(op, f"{what} an empty axis is undefined", "drop the axis", x=x, axis=axis))


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


def sum(x: ArrayLike) -> Array:
    """y = Σ x over all axes; a case of `reduce_sum`.

    Shapes: x s -> (). Raises DtypeError.

    >>> sum(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array(10.)
    """
    return reduce_sum(x)


# reduce_mean: y = Σ_axis x / count

reduce_mean_op = Op("reduce_mean", inputs=("x",))


@reduce_mean_op.shape_rule
def reduce_mean_shape(x: Shape, *, axis: tuple[int, ...], keepdims: bool) -> Shape:
    none_empty("reduce_mean", "the mean over", x, axis)
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


# var: y = Σ_axis (x - mean)² / (count - correction), in two passes

var_op = Op("var", inputs=("x",))


def deviation(x: Array, axis: tuple[int, ...]) -> Array:
    result: Array = x - x.sum(axis=axis, keepdims=True) / count(x.shape, axis)
    return result


@var_op.shape_rule
def var_shape(x: Shape, *, axis: tuple[int, ...], correction: int, keepdims: bool) -> Shape:
    none_empty("var", "the variance over", x, axis)
    if count(x, axis) - correction < 1:
        what, remedy = "there are no more elements than the correction", "correction=0 gives the biased variance"
        raise DomainError(describe("var", what, remedy, x=x, axis=axis, correction=correction))
    return reduced_shape(x, axis, keepdims)


@var_op.forward
def var_y(inputs: tuple[Array], *, axis: tuple[int, ...], correction: int, keepdims: bool) -> tuple[Array, Residual]:
    (x,) = inputs
    d = deviation(x, axis)
    return (d * d).sum(axis=axis, keepdims=keepdims) / (count(x.shape, axis) - correction), None


@var_op.jvp_of("x")
def var_dy_x(
    dx: Array,
    inputs: tuple[Array],
    out: Array,
    residual: Residual,
    *,
    axis: tuple[int, ...],
    correction: int,
    keepdims: bool,
) -> Array:
    (x,) = inputs
    total = (deviation(x, axis) * dx).sum(axis=axis, keepdims=keepdims)
    result: Array = total * 2 / (count(x.shape, axis) - correction)
    return result


@var_op.vjp_of("x")
def var_gx(
    g: Array,
    inputs: tuple[Array],
    out: Array,
    residual: Residual,
    *,
    axis: tuple[int, ...],
    correction: int,
    keepdims: bool,
) -> Array:
    (x,) = inputs
    return deviation(x, axis) * (kept(g, x.shape, axis) * 2 / (count(x.shape, axis) - correction))


@var_op.public
def var(x: ArrayLike, axis: int | tuple[int, ...] | None = None, correction: int = 1, keepdims: bool = False) -> Array:
    """y = Σ_axis (x - mean x)² / (n - correction), n the number of elements reduced. `axis` as in `reduce_sum`.

    `correction` is an int: 1 is Bessel's, 0 gives the biased variance.
    Shapes: x s -> s without the axes (with keepdims: 1 in their place).
    Raises DomainError for n - correction < 1 and for a wrong axis, ShapeError for an empty axis, DtypeError.

    >>> var(np.array([[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]]), axis=1)
    array([1., 0.])
    """
    (x_,) = floats("var", x=x)
    axes = many_axes("var", axis, x_.ndim)
    return apply(var_op, x_, axis=axes, correction=integer("var", "correction", correction), keepdims=bool(keepdims))


# max_axis: y = max_axis x; elements that are equal to it share its slope

max_axis_op = Op("max_axis", inputs=("x",))


def winners(x: Array, out: Array, axis: tuple[int, ...]) -> tuple[Array, Array]:
    """(whether an element is the extremum, a nan being one; how many are)."""
    won: Array = (x == kept(out, x.shape, axis)) | (x != x)
    number: Array = np.sum(np.where(won, np.ones_like(x), 0), axis=axis, keepdims=True)
    return won, number


def winners_mean(dx: Array, x: Array, out: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """The JVP of an extremum: the mean of dx over its winners."""
    won, number = winners(x, out, axis)
    total: Array = np.where(won, dx, 0).sum(axis=axis, keepdims=True)
    return (total / number).reshape(reduced_shape(x.shape, axis, keepdims))


def winners_share(g: Array, x: Array, out: Array, axis: tuple[int, ...]) -> Array:
    """The VJP of an extremum: to each of its winners an equal share of g."""
    won, number = winners(x, out, axis)
    return np.where(won, kept(g, x.shape, axis) / number, 0)


@max_axis_op.shape_rule
def max_axis_shape(x: Shape, *, axis: tuple[int, ...], keepdims: bool) -> Shape:
    none_empty("max_axis", "the maximum over", x, axis)
    return reduced_shape(x, axis, keepdims)


@max_axis_op.forward
def max_axis_y(inputs: tuple[Array], *, axis: tuple[int, ...], keepdims: bool) -> tuple[Array, Residual]:
    (x,) = inputs
    return x.max(axis=axis, keepdims=keepdims), None


@max_axis_op.jvp_of("x")
def max_axis_dy_x(
    dx: Array, inputs: tuple[Array], out: Array, residual: Residual, *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    (x,) = inputs
    return winners_mean(dx, x, out, axis, keepdims)


@max_axis_op.vjp_of("x")
def max_axis_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    (x,) = inputs
    return winners_share(g, x, out, axis)


@max_axis_op.public
def max_axis(x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """y = max_axis x. `axis` as in `reduce_sum`. Elements that are equal to the maximum share its gradient equally; a
    nan is the maximum.

    Shapes: x s -> s without the axes (with keepdims: 1 in their place).
    Raises ShapeError for an empty axis, DomainError for an axis that does not exist or is named twice, DtypeError.

    >>> max_axis(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]), axis=1)
    array([3., 2.])
    """
    (x_,) = floats("max_axis", x=x)
    return apply(max_axis_op, x_, axis=many_axes("max_axis", axis, x_.ndim), keepdims=bool(keepdims))


# min_axis: y = min_axis x; elements that are equal to it share its slope

min_axis_op = Op("min_axis", inputs=("x",))


@min_axis_op.shape_rule
def min_axis_shape(x: Shape, *, axis: tuple[int, ...], keepdims: bool) -> Shape:
    none_empty("min_axis", "the minimum over", x, axis)
    return reduced_shape(x, axis, keepdims)


@min_axis_op.forward
def min_axis_y(inputs: tuple[Array], *, axis: tuple[int, ...], keepdims: bool) -> tuple[Array, Residual]:
    (x,) = inputs
    return x.min(axis=axis, keepdims=keepdims), None


@min_axis_op.jvp_of("x")
def min_axis_dy_x(
    dx: Array, inputs: tuple[Array], out: Array, residual: Residual, *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    (x,) = inputs
    return winners_mean(dx, x, out, axis, keepdims)


@min_axis_op.vjp_of("x")
def min_axis_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    (x,) = inputs
    return winners_share(g, x, out, axis)


@min_axis_op.public
def min_axis(x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """y = min_axis x. `axis` as in `reduce_sum`. Elements that are equal to the minimum share its gradient equally; a
    nan is the minimum.

    Shapes: x s -> s without the axes (with keepdims: 1 in their place).
    Raises ShapeError for an empty axis, DomainError for an axis that does not exist or is named twice, DtypeError.

    >>> min_axis(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]), axis=0)
    array([1., 0., 1.])
    """
    (x_,) = floats("min_axis", x=x)
    return apply(min_axis_op, x_, axis=many_axes("min_axis", axis, x_.ndim), keepdims=bool(keepdims))


# cumsum: y[n] = Σ_{m <= n} x[m] along the axis

cumsum_op = Op("cumsum", inputs=("x",))


@cumsum_op.shape_rule
def cumsum_shape(x: Shape, *, axis: int) -> Shape:
    if axis < 0 or axis >= len(x):
        raise DomainError(describe("cumsum", "there is no such axis", "use 0 <= axis < rank", axis=axis, x=x))
    return x


@cumsum_op.forward
def cumsum_y(inputs: tuple[Array], *, axis: int) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.add.accumulate(x, axis=axis), None


@cumsum_op.jvp_of("x")
def cumsum_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, axis: int) -> Array:
    return np.add.accumulate(dx, axis=axis)


@cumsum_op.vjp_of("x")
def cumsum_gx(g: Array, inputs: Any, out: Array, residual: Residual, *, axis: int) -> Array:
    return np.flip(np.add.accumulate(np.flip(g, axis), axis=axis), axis)


@cumsum_op.public
def cumsum(x: ArrayLike, axis: int) -> Array:
    """y[..., n, ...] = Σ_{m <= n} x[..., m, ...] along the axis.

    Shapes: x s -> s. Raises DomainError for an axis that does not exist, DtypeError.

    >>> cumsum(np.array([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    array([[1., 2.],
           [4., 6.]])
    """
    (x_,) = floats("cumsum", x=x)
    return apply(cumsum_op, x_, axis=one_axis("cumsum", axis, x_.ndim))
