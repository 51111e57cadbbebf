"""Normalisation: over the last axis, per channel over a batch, per group of channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import integer, number, one_axis, small_number
from ..dtypes import floats
from ..errors import DomainError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply
from .reduction import count

# The statistics are over `axis`, a tuple of non-negative ints: xhat = (x - mean x) scale, scale = 1 / sqrt(var x + eps)


def mean(x: Array, axis: tuple[int, ...]) -> Array:
    result: Array = x.sum(axis=axis, keepdims=True) / count(x.shape, axis)
    return result


def summed_products(a: Array, b: Array, axis: tuple[int, ...]) -> Array:
    """Σ a b, without the array of the products."""
    every = list(range(a.ndim))
    result: Array = np.einsum(a, every, b, every, [position for position in every if position not in axis])
    return result


def mean_product(a: Array, b: Array, axis: tuple[int, ...]) -> Array:
    extents = tuple(1 if position in axis else extent for position, extent in enumerate(a.shape))
    return summed_products(a, b, axis).reshape(extents) / count(a.shape, axis)


def standardised(x: Array, eps: float, axis: tuple[int, ...]) -> tuple[Array, Array]:
    """(xhat, scale), with the biased variance in two passes."""
    xhat = x - mean(x, axis)
    scale = 1 / np.sqrt(mean_product(xhat, xhat, axis) + eps)
    xhat *= scale
    return xhat, scale


def normalised(t: Array, xhat: Array, scale: Array, axis: tuple[int, ...]) -> Array:
    """scale (t - mean t - xhat mean(t xhat)): the Jacobian of xhat is symmetric, so this is its JVP and its VJP."""
    result = xhat * -mean_product(t, xhat, axis)
    result += t
    result -= mean(t, axis)
    result *= scale
    return result


def require_positive_eps(op: str, eps: float, usual: str = "1e-5") -> None:
    if not eps > 0:
        raise DomainError(describe(op, "eps must be positive", f"{usual} is usual", eps=eps))


# Over the last axis.


def last(x: Array) -> tuple[int, ...]:
    return (x.ndim - 1,)


def leading(x: Array) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


def last_axis_shape(op: str, x: Shape, **vectors: Shape) -> Shape:
    names = " and ".join(f"{name} (D,)" for name in vectors)
    if len(x) < 1 or any(len(vector) != 1 for vector in vectors.values()):
        raise ShapeError(describe(op, "wrong rank", f"pass x (...,D), {names}", x=x, **vectors))
    for vector in vectors.values():
        if x[-1] != vector[0]:
            raise ShapeError(describe(op, "the arrays differ in D", f"pass x (...,D), {names}", x=x, **vectors))
    if x[-1] < 1:
        raise ShapeError(describe(op, "the last axis is empty", "D must be at least 1", x=x))
    return x


# layer_norm: y = gamma xhat + beta over the last axis; residual (xhat, scale)

layer_norm_op = Op("layer_norm", inputs=("x", "gamma", "beta"))


@layer_norm_op.shape_rule
def layer_norm_shape(x: Shape, gamma: Shape, beta: Shape, *, eps: float) -> Shape:
    require_positive_eps("layer_norm", eps)
    return last_axis_shape("layer_norm", x, gamma=gamma, beta=beta)


@layer_norm_op.forward
def layer_norm_y(inputs: tuple[Array, Array, Array], *, eps: float) -> tuple[Array, Residual]:
    x, gamma, beta = inputs
    xhat, scale = standardised(x, eps, last(x))
    y = xhat * gamma
    y += beta
    return y, (xhat, scale)


@layer_norm_op.jvp_of("x")
def layer_norm_dy_x(
    dx: Array, inputs: tuple[Array, Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    _, gamma, _ = inputs
    xhat, scale = residual
    return normalised(dx, xhat, scale, last(dx)) * gamma


@layer_norm_op.jvp_of("gamma")
def layer_norm_dy_gamma(
    dgamma: Array, inputs: tuple[Array, Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    xhat, _ = residual
    return xhat * dgamma


@layer_norm_op.jvp_of("beta")
def layer_norm_dy_beta(
    dbeta: Array, inputs: tuple[Array, Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    return np.broadcast_to(dbeta, out.shape)


@layer_norm_op.vjp_of("x")
def layer_norm_gx(
    g: Array, inputs: tuple[Array, Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    _, gamma, _ = inputs
    xhat, scale = residual
    return normalised(g * gamma, xhat, scale, last(g))


@layer_norm_op.vjp_of("gamma")
def layer_norm_ggamma(
    g: Array, inputs: tuple[Array, Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    xhat, _ = residual
    return summed_products(g, xhat, leading(g))


@layer_norm_op.vjp_of("beta")
def layer_norm_gbeta(
    g: Array, inputs: tuple[Array, Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    result: Array = g.sum(axis=leading(g))
    return result


@layer_norm_op.public
def layer_norm(x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, eps: float = 1e-5) -> Array:
    """y = gamma (x - mean x) / sqrt(var x + eps) + beta over the last axis, with the biased variance in two passes.

    Shapes: x (...,D), gamma (D,), beta (D,) -> (...,D). Raises ShapeError, DomainError for eps <= 0, DtypeError.
    Source: Ba, Kiros, Hinton, "Layer Normalization", 2016, arXiv:1607.06450.

    >>> layer_norm(np.array([-1.0, 1.0]), np.ones(2), np.zeros(2), eps=1e-12).round(6)
    array([-1.,  1.])
    """
    arrays = floats("layer_norm", x=x, gamma=gamma, beta=beta)
    return apply(layer_norm_op, *arrays, eps=small_number("layer_norm", "eps", eps, arrays[0].dtype))


# rms_norm: y = gamma xhat, xhat = x scale, scale = 1 / sqrt(mean(x²) + eps); residual (xhat, scale)

rms_norm_op = Op("rms_norm", inputs=("x", "gamma"))


def scaled(t: Array, xhat: Array, scale: Array) -> Array:
    """scale (t - xhat mean(t xhat)): the Jacobian of xhat is symmetric, so this is its JVP and its VJP."""
    result = xhat * -mean_product(t, xhat, last(t))
    result += t
    result *= scale
    return result


@rms_norm_op.shape_rule
def rms_norm_shape(x: Shape, gamma: Shape, *, eps: float) -> Shape:
    require_positive_eps("rms_norm", eps, "1e-6")
    return last_axis_shape("rms_norm", x, gamma=gamma)


@rms_norm_op.forward
def rms_norm_y(inputs: tuple[Array, Array], *, eps: float) -> tuple[Array, Residual]:
    x, gamma = inputs
    scale = 1 / np.sqrt(mean_product(x, x, last(x)) + eps)
    xhat = x * scale
    return xhat * gamma, (xhat, scale)


@rms_norm_op.jvp_of("x")
def rms_norm_dy_x(
    dx: Array, inputs: tuple[Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    _, gamma = inputs
    return scaled(dx, *residual) * gamma


@rms_norm_op.jvp_of("gamma")
def rms_norm_dy_gamma(
    dgamma: Array, inputs: tuple[Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    xhat, _ = residual
    return xhat * dgamma


@rms_norm_op.vjp_of("x")
def rms_norm_gx(
    g: Array, inputs: tuple[Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    _, gamma = inputs
    return scaled(g * gamma, *residual)


@rms_norm_op.vjp_of("gamma")
def rms_norm_ggamma(
    g: Array, inputs: tuple[Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    xhat, _ = residual
    return summed_products(g, xhat, leading(g))


@rms_norm_op.public
def rms_norm(x: ArrayLike, gamma: ArrayLike, eps: float = 1e-6) -> Array:
    """y = gamma x / sqrt(mean(x²) + eps) over the last axis.

    Shapes: x (...,D), gamma (D,) -> (...,D). Raises ShapeError, DomainError for eps <= 0, DtypeError.
    Source: Zhang, Sennrich, "Root Mean Square Layer Normalization", 2019, arXiv:1910.07467.

    >>> rms_norm(np.array([-3.0, 3.0]), np.ones(2)).round(6)
    array([-1.,  1.])
    """
    arrays = floats("rms_norm", x=x, gamma=gamma)
    return apply(rms_norm_op, *arrays, eps=small_number("rms_norm", "eps", eps, arrays[0].dtype))


# Per channel.


def without(axis: int, x: Array) -> tuple[int, ...]:
    """All axes but one."""
    return tuple(position for position in range(x.ndim) if position != axis)


def along(axis: int, vector: Array, x: Array) -> Array:
    """A vector over the channels, so that it broadcasts against x."""
    return vector.reshape((1,) * axis + vector.shape + (1,) * (x.ndim - axis - 1))


def channels_shape(op: str, x: Shape, channel_axis: int, **vectors: Shape) -> Shape:
    if channel_axis < 0 or channel_axis >= len(x):
        remedy = "use 0 <= channel_axis < rank"
        raise DomainError(describe(op, "there is no such axis", remedy, channel_axis=channel_axis, x=x))
    for vector in vectors.values():
        if len(vector) != 1:
            raise ShapeError(describe(op, "wrong rank", f"pass {', '.join(vectors)} as (C,)", x=x, **vectors))
        if vector[0] != x[channel_axis]:
            remedy = f"pass {', '.join(vectors)} as (C,), C the extent of the axis {channel_axis} of x"
            raise ShapeError(describe(op, "the arrays differ in C", remedy, x=x, **vectors))
    return x


# batch_norm: y = gamma xhat + beta, statistics over all axes but the channels; residual (xhat, scale)

batch_norm_op = Op("batch_norm", inputs=("x", "gamma", "beta"))

Three = tuple[Array, Array, Array]


@batch_norm_op.shape_rule
def batch_norm_shape(x: Shape, gamma: Shape, beta: Shape, *, eps: float, channel_axis: int) -> Shape:
    require_positive_eps("batch_norm", eps)
    channels_shape("batch_norm", x, channel_axis, gamma=gamma, beta=beta)
    for position, extent in enumerate(x):
        if position != channel_axis and extent < 1:
            raise ShapeError(describe("batch_norm", "a channel has no element", "pass data", x=x))
    return x


@batch_norm_op.forward
def batch_norm_y(inputs: Three, *, eps: float, channel_axis: int) -> tuple[Array, Residual]:
    x, gamma, beta = inputs
    xhat, scale = standardised(x, eps, without(channel_axis, x))
    y = xhat * along(channel_axis, gamma, x)
    y += along(channel_axis, beta, x)
    return y, (xhat, scale)


@batch_norm_op.jvp_of("x")
def batch_norm_dy_x(
    dx: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, eps: float, channel_axis: int
) -> Array:
    _, gamma, _ = inputs
    xhat, scale = residual
    return normalised(dx, xhat, scale * along(channel_axis, gamma, dx), without(channel_axis, dx))


@batch_norm_op.jvp_of("gamma")
def batch_norm_dy_gamma(
    dgamma: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, eps: float, channel_axis: int
) -> Array:
    xhat, _ = residual
    return xhat * along(channel_axis, dgamma, xhat)


@batch_norm_op.jvp_of("beta")
def batch_norm_dy_beta(
    dbeta: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, eps: float, channel_axis: int
) -> Array:
    return np.broadcast_to(along(channel_axis, dbeta, out), out.shape)


@batch_norm_op.vjp_of("x")
def batch_norm_gx(
    g: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, eps: float, channel_axis: int
) -> Array:
    _, gamma, _ = inputs
    xhat, scale = residual
    return normalised(g, xhat, scale * along(channel_axis, gamma, g), without(channel_axis, g))


@batch_norm_op.vjp_of("gamma")
def batch_norm_ggamma(
    g: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, eps: float, channel_axis: int
) -> Array:
    xhat, _ = residual
    return summed_products(g, xhat, without(channel_axis, g))


@batch_norm_op.vjp_of("beta")
def batch_norm_gbeta(
    g: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, eps: float, channel_axis: int
) -> Array:
    result: Array = g.sum(axis=without(channel_axis, g))
    return result


@batch_norm_op.public
def batch_norm(x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, eps: float = 1e-5, channel_axis: int = 1) -> Array:
    """y = gamma (x - mean x) / sqrt(var x + eps) + beta, mean and biased variance of each channel over all other axes.

    Shapes: x of any rank that has the axis, gamma (C,), beta (C,) -> the shape of x; a channel needs an element.
    Raises ShapeError, DomainError for eps <= 0 and for the axis, DtypeError.
    Source: Ioffe, Szegedy, "Batch Normalization", 2015, arXiv:1502.03167.

    >>> batch_norm(np.array([[-1.0, 0.0], [1.0, 4.0]]), np.ones(2), np.zeros(2), eps=1e-12).round(6)
    array([[-1., -1.],
           [ 1.,  1.]])
    """
    arrays = floats("batch_norm", x=x, gamma=gamma, beta=beta)
    axis = one_axis("batch_norm", channel_axis, arrays[0].ndim)
    return apply(batch_norm_op, *arrays, eps=small_number("batch_norm", "eps", eps, arrays[0].dtype), channel_axis=axis)


# batch_norm_eval: y = gamma xhat + beta, xhat = (x - mean) scale, scale = 1 / sqrt(var + eps); residual (scale,)

batch_norm_eval_op = Op("batch_norm_eval", inputs=("x", "gamma", "beta", "mean", "var"))

Five = tuple[Array, Array, Array, Array, Array]


@batch_norm_eval_op.shape_rule
def batch_norm_eval_shape(
    x: Shape, gamma: Shape, beta: Shape, mean: Shape, var: Shape, *, eps: float, channel_axis: int
) -> Shape:
    require_positive_eps("batch_norm_eval", eps)
    return channels_shape("batch_norm_eval", x, channel_axis, gamma=gamma, beta=beta, mean=mean, var=var)


@batch_norm_eval_op.forward
def batch_norm_eval_y(inputs: Five, *, eps: float, channel_axis: int) -> tuple[Array, Residual]:
    x, gamma, beta, mean, var = inputs
    scale = 1 / np.sqrt(var + eps)
    y = x - along(channel_axis, mean, x)
    y *= along(channel_axis, scale * gamma, x)
    y += along(channel_axis, beta, x)
    return y, (scale,)


@batch_norm_eval_op.jvp_of("x")
def batch_norm_eval_dy_x(
    dx: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    (_, gamma, *_), (scale,) = inputs, residual
    return dx * along(channel_axis, scale * gamma, out)


@batch_norm_eval_op.jvp_of("gamma")
def batch_norm_eval_dy_gamma(
    dgamma: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    (x, _, _, mean, _), (scale,) = inputs, residual
    return (x - along(channel_axis, mean, x)) * along(channel_axis, scale * dgamma, x)


@batch_norm_eval_op.jvp_of("beta")
def batch_norm_eval_dy_beta(
    dbeta: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    return np.broadcast_to(along(channel_axis, dbeta, out), out.shape)


@batch_norm_eval_op.jvp_of("mean")
def batch_norm_eval_dy_mean(
    dmean: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    (_, gamma, *_), (scale,) = inputs, residual
    return np.broadcast_to(along(channel_axis, -scale * gamma * dmean, out), out.shape)


@batch_norm_eval_op.jvp_of("var")
def batch_norm_eval_dy_var(
    dvar: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    (x, gamma, _, mean, _), (scale,) = inputs, residual
    return (x - along(channel_axis, mean, x)) * along(channel_axis, scale * scale * scale * gamma * dvar / -2, x)


@batch_norm_eval_op.vjp_of("x")
def batch_norm_eval_gx(
    g: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    (_, gamma, *_), (scale,) = inputs, residual
    return g * along(channel_axis, scale * gamma, g)


def sum_of_deviations(g: Array, x: Array, mean: Array, axis: int) -> Array:
    """Σ g (x - mean), per channel."""
    return summed_products(g, x - along(axis, mean, x), without(axis, x))


@batch_norm_eval_op.vjp_of("gamma")
def batch_norm_eval_ggamma(
    g: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    (x, _, _, mean, _), (scale,) = inputs, residual
    return sum_of_deviations(g, x, mean, channel_axis) * scale


@batch_norm_eval_op.vjp_of("beta")
def batch_norm_eval_gbeta(
    g: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    result: Array = g.sum(axis=without(channel_axis, g))
    return result


@batch_norm_eval_op.vjp_of("mean")
def batch_norm_eval_gmean(
    g: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    (_, gamma, *_), (scale,) = inputs, residual
    total: Array = g.sum(axis=without(channel_axis, g))
    return -scale * gamma * total


@batch_norm_eval_op.vjp_of("var")
def batch_norm_eval_gvar(
    g: Array, inputs: Five, out: Array, residual: tuple[Array], *, eps: float, channel_axis: int
) -> Array:
    (x, gamma, _, mean, _), (scale,) = inputs, residual
    return scale * scale * scale * gamma * sum_of_deviations(g, x, mean, channel_axis) / -2


@batch_norm_eval_op.public
def batch_norm_eval(
    x: ArrayLike,
    gamma: ArrayLike,
    beta: ArrayLike,
    mean: ArrayLike,
    var: ArrayLike,
    eps: float = 1e-5,
    channel_axis: int = 1,
) -> Array:
    """y = gamma (x - mean) / sqrt(var + eps) + beta, with a given mean and variance of each channel. A gradient to all
    five. Defined for var + eps > 0.

    Shapes: x of any rank that has the axis, gamma, beta, mean, var (C,) -> the shape of x.
    Raises ShapeError, DomainError for eps <= 0 and for the axis, DtypeError.
    Source: Ioffe, Szegedy, "Batch Normalization", 2015, arXiv:1502.03167.

    >>> batch_norm_eval(np.array([[3.0, 4.0]]), np.ones(2), np.zeros(2), [1.0, 2.0], [4.0, 1.0]).round(3)
    array([[1., 2.]])
    """
    arrays = floats("batch_norm_eval", x=x, gamma=gamma, beta=beta, mean=mean, var=var)
    axis = one_axis("batch_norm_eval", channel_axis, arrays[0].ndim)
    return apply(batch_norm_eval_op, *arrays, eps=number("batch_norm_eval", "eps", eps), channel_axis=axis)


# group_norm: y = gamma xhat + beta, statistics over a group of channels and all positions; residual (xhat, scale)

group_norm_op = Op("group_norm", inputs=("x", "gamma", "beta"))

ROW = (2,)  # the axis of a group's elements in `grouped`


def grouped(x: Array, num_groups: int) -> Array:
    """x as (N, groups, elements of a group)."""
    return x.reshape((x.shape[0], num_groups, count(x.shape, tuple(range(1, x.ndim))) // num_groups))


def grouped_shape(op: str, x: Shape, gamma: Shape, beta: Shape, eps: float) -> Shape:
    require_positive_eps(op, eps)
    if len(x) < 2:
        raise ShapeError(describe(op, "wrong rank", "pass x (N,C,...)", x=x))
    channels_shape(op, x, 1, gamma=gamma, beta=beta)
    for extent in x[1:]:
        if extent < 1:
            raise ShapeError(describe(op, "a group has no element", "pass data", x=x))
    return x


@group_norm_op.shape_rule
def group_norm_shape(x: Shape, gamma: Shape, beta: Shape, *, num_groups: int, eps: float) -> Shape:
    if num_groups < 1:
        remedy = "use a divisor of the number of channels"
        raise DomainError(describe("group_norm", "num_groups must be at least 1", remedy, num_groups=num_groups))
    grouped_shape("group_norm", x, gamma, beta, eps)
    if x[1] % num_groups != 0:
        what, remedy = "the groups differ in size", "use a divisor of the number of channels"
        raise ShapeError(describe("group_norm", what, remedy, x=x, num_groups=num_groups))
    return x


@group_norm_op.forward
def group_norm_y(inputs: Three, *, num_groups: int, eps: float) -> tuple[Array, Residual]:
    x, gamma, beta = inputs
    rows, scale = standardised(grouped(x, num_groups), eps, ROW)
    xhat = rows.reshape(x.shape)
    y = xhat * along(1, gamma, x)
    y += along(1, beta, x)
    return y, (xhat, scale)


@group_norm_op.jvp_of("x")
def group_norm_dy_x(
    dx: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, num_groups: int, eps: float
) -> Array:
    _, gamma, _ = inputs
    xhat, scale = residual
    rows = normalised(grouped(dx, num_groups), grouped(xhat, num_groups), scale, ROW)
    return rows.reshape(dx.shape) * along(1, gamma, dx)


@group_norm_op.jvp_of("gamma")
def group_norm_dy_gamma(
    dgamma: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, num_groups: int, eps: float
) -> Array:
    xhat, _ = residual
    return xhat * along(1, dgamma, xhat)


@group_norm_op.jvp_of("beta")
def group_norm_dy_beta(
    dbeta: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, num_groups: int, eps: float
) -> Array:
    return np.broadcast_to(along(1, dbeta, out), out.shape)


@group_norm_op.vjp_of("x")
def group_norm_gx(
    g: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, num_groups: int, eps: float
) -> Array:
    _, gamma, _ = inputs
    xhat, scale = residual
    gxhat = g * along(1, gamma, g)
    return normalised(grouped(gxhat, num_groups), grouped(xhat, num_groups), scale, ROW).reshape(g.shape)


@group_norm_op.vjp_of("gamma")
def group_norm_ggamma(
    g: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, num_groups: int, eps: float
) -> Array:
    xhat, _ = residual
    return summed_products(g, xhat, without(1, g))


@group_norm_op.vjp_of("beta")
def group_norm_gbeta(
    g: Array, inputs: Three, out: Array, residual: tuple[Array, Array], *, num_groups: int, eps: float
) -> Array:
    result: Array = g.sum(axis=without(1, g))
    return result


@group_norm_op.public
def group_norm(x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, num_groups: int, eps: float = 1e-5) -> Array:
    """y = gamma (x - mean x) / sqrt(var x + eps) + beta, mean and biased variance of each sample over C / num_groups
    consecutive channels and all positions.

    Shapes: x (N,C,...), gamma (C,), beta (C,) -> (N,C,...). Raises ShapeError, also where num_groups does not divide C,
    DomainError for num_groups < 1 and eps <= 0, DtypeError.
    Source: Wu, He, "Group Normalization", 2018, arXiv:1803.08494.

    >>> group_norm(np.array([[-1.0, 1.0, 0.0, 4.0]]), np.ones(4), np.zeros(4), num_groups=2, eps=1e-12).round(6)
    array([[-1.,  1., -1.,  1.]])
    """
    arrays = floats("group_norm", x=x, gamma=gamma, beta=beta)
    groups = integer("group_norm", "num_groups", num_groups)
    return apply(group_norm_op, *arrays, num_groups=groups, eps=small_number("group_norm", "eps", eps, arrays[0].dtype))


def instance_norm(x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, eps: float = 1e-5) -> Array:
    """y = gamma (x - mean x) / sqrt(var x + eps) + beta, mean and biased variance of each sample and channel over all
    positions; `group_norm` with a group for each channel.

    Shapes: x (N,C,...) with at least one axis of positions, gamma (C,), beta (C,) -> (N,C,...).
    Raises ShapeError, DomainError for eps <= 0, DtypeError.
    Source: Ulyanov, Vedaldi, Lempitsky, "Instance Normalization", 2016, arXiv:1607.08022.

    >>> instance_norm(np.array([[[-1.0, 1.0], [0.0, 4.0]]]), np.ones(2), np.zeros(2), eps=1e-12).round(6)
    array([[[-1.,  1.],
            [-1.,  1.]]])
    """
    x_, gamma_, beta_ = floats("instance_norm", x=x, gamma=gamma, beta=beta)
    eps = small_number("instance_norm", "eps", eps, x_.dtype)
    if x_.ndim < 3:
        raise ShapeError(describe("instance_norm", "there are no positions", "pass x (N,C,...)", x=x_.shape))
    grouped_shape("instance_norm", x_.shape, gamma_.shape, beta_.shape, eps)
    return apply(group_norm_op, x_, gamma_, beta_, num_groups=x_.shape[1], eps=eps)
