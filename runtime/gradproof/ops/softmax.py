"""The softmax family, shifted by the maximum so that no exp overflows. At the entry `axis` is a non-negative int, for
logsumexp a sorted tuple of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import many_axes, one_axis
from ..dtypes import floats
from ..errors import DomainError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply
from .explicit import released, reshaped
from .reduction import kept, none_empty, reduced_shape


def axis_shape(op: str, x: Shape, axis: int) -> Shape:
    if axis < 0 or axis >= len(x):
        raise DomainError(describe(op, "there is no such axis", "use 0 <= axis < rank", axis=axis, x=x))
    return x


def along(op: Op, x: ArrayLike, axis: int) -> Array:
    """Apply op along an axis; a 0-d array counts as one element along the axis -1 or 0."""
    (x_,) = floats(op.name, x=x)
    axis = one_axis(op.name, axis, max(x_.ndim, 1))
    if x_.ndim == 0:
        return released(reshaped(apply(op, reshaped(x_, (1,)), axis=axis), ()))
    return apply(op, x_, axis=axis)


# softmax: y = exp(x) / Σ exp(x)

softmax_op = Op("softmax", inputs=("x",))


def centred(t: Array, y: Array, axis: int) -> Array:
    """y (t - Σ y t): the Jacobian of softmax is symmetric, so this is its JVP and its VJP."""
    ty = t * y
    ty -= y * ty.sum(axis=axis, keepdims=True)
    return ty


@softmax_op.shape_rule
def softmax_shape(x: Shape, *, axis: int) -> Shape:
    return axis_shape("softmax", x, axis)


@softmax_op.forward
def softmax_y(inputs: tuple[Array], *, axis: int) -> tuple[Array, Residual]:
    (x,) = inputs
    if x.shape[axis] == 0:
        return np.zeros_like(x), None
    y = x - x.max(axis=axis, keepdims=True)
    np.exp(y, out=y)
    y /= y.sum(axis=axis, keepdims=True)
    return y, None


@softmax_op.jvp_of("x")
def softmax_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, axis: int) -> Array:
    return centred(dx, out, axis)


@softmax_op.vjp_of("x")
def softmax_gx(g: Array, inputs: Any, out: Array, residual: Residual, *, axis: int) -> Array:
    return centred(g, out, axis)


@softmax_op.public
def softmax(x: ArrayLike, axis: int = -1) -> Array:
    """y = exp(x - m) / Σ_axis exp(x - m), m = max_axis x.

    Shapes: x s -> s; an empty axis gives the empty array, a 0-d array 1. Raises DomainError for the axis, DtypeError.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return along(softmax_op, x, axis)


# log_softmax: y = x - log Σ exp(x)

log_softmax_op = Op("log_softmax", inputs=("x",))


@log_softmax_op.shape_rule
def log_softmax_shape(x: Shape, *, axis: int) -> Shape:
    return axis_shape("log_softmax", x, axis)


@log_softmax_op.forward
def log_softmax_y(inputs: tuple[Array], *, axis: int) -> tuple[Array, Residual]:
    (x,) = inputs
    if x.shape[axis] == 0:
        return np.zeros_like(x), None
    y = x - x.max(axis=axis, keepdims=True)
    y -= np.log(np.exp(y).sum(axis=axis, keepdims=True))
    return y, None


@log_softmax_op.jvp_of("x")
def log_softmax_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, axis: int) -> Array:
    p = np.exp(out)
    p *= dx
    result: Array = dx - p.sum(axis=axis, keepdims=True)
    return result


@log_softmax_op.vjp_of("x")
def log_softmax_gx(g: Array, inputs: Any, out: Array, residual: Residual, *, axis: int) -> Array:
    gx = np.exp(out)
    gx *= -g.sum(axis=axis, keepdims=True)
    gx += g
    return gx


@log_softmax_op.public
def log_softmax(x: ArrayLike, axis: int = -1) -> Array:
    """y = x - m - log Σ_axis exp(x - m), m = max_axis x.

    Shapes: x s -> s; an empty axis gives the empty array, a 0-d array 0. Raises DomainError for the axis, DtypeError.

    >>> log_softmax(np.array([0.0, -1000.0]))
    array([    0., -1000.])
    """
    return along(log_softmax_op, x, axis)


# logsumexp: y = log Σ exp(x); residual (exp(x - shift), its sum)

logsumexp_op = Op("logsumexp", inputs=("x",))


@logsumexp_op.shape_rule
def logsumexp_shape(x: Shape, *, axis: tuple[int, ...], keepdims: bool) -> Shape:
    none_empty("logsumexp", "the maximum over", x, axis)
    return reduced_shape(x, axis, keepdims)


@logsumexp_op.forward
def logsumexp_y(inputs: tuple[Array], *, axis: tuple[int, ...], keepdims: bool) -> tuple[Array, Residual]:
    (x,) = inputs
    shift = x.max(axis=axis, keepdims=True)
    shift = np.where(np.isfinite(shift), shift, 0)  # inf - inf would be nan
    exps = np.exp(x - shift)
    total = exps.sum(axis=axis, keepdims=True)
    y = np.log(total) + shift
    return y if keepdims else y.reshape(reduced_shape(x.shape, axis, False)), (exps, total)


@logsumexp_op.jvp_of("x")
def logsumexp_dy_x(
    dx: Array, inputs: Any, out: Array, residual: tuple[Array, Array], *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    exps, total = residual
    result: Array = (exps / total * dx).sum(axis=axis, keepdims=keepdims)
    return result


@logsumexp_op.vjp_of("x")
def logsumexp_gx(
    g: Array, inputs: Any, out: Array, residual: tuple[Array, Array], *, axis: tuple[int, ...], keepdims: bool
) -> Array:
    exps, total = residual
    return exps * (kept(g, exps.shape, axis) / total)


@logsumexp_op.public
def logsumexp(x: ArrayLike, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False) -> Array:
    """y = m + log Σ_axis exp(x - m), m = max_axis x. `axis` is an int, a tuple or None (all axes).

    Shapes: x s -> s without the axes (with keepdims: 1 in their place). An empty axis gives -inf, a 0-d array itself.
    Raises DomainError for an axis that does not exist or is named twice, DtypeError.

    >>> logsumexp(np.array([[1000.0, 1000.0], [0.0, -1000.0]])).round(3)
    array([1000.693,    0.   ])
    """
    (x_,) = floats("logsumexp", x=x)
    axes = many_axes("logsumexp", axis, max(x_.ndim, 1))
    if x_.ndim == 0:
        axes = ()
    if any(x_.shape[position] == 0 for position in axes):  # nothing depends on x
        return np.full(reduced_shape(x_.shape, axes, bool(keepdims)), -np.inf, dtype=x_.dtype)
    return apply(logsumexp_op, x_, axis=axes, keepdims=bool(keepdims))
