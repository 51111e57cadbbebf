"""Normalisation over the last axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import number
from ..dtypes import floats
from ..errors import DomainError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply

# layer_norm: y = gamma xhat + beta, xhat = (x - mean x) scale, scale = 1 / sqrt(var x + eps); residual (xhat, scale)

layer_norm_op = Op("layer_norm", inputs=("x", "gamma", "beta"))


def mean(x: Array) -> Array:
    result: Array = x.sum(axis=-1, keepdims=True) / x.shape[-1]
    return result


def normalised(t: Array, xhat: Array, scale: Array) -> Array:
    """scale (t - mean t - xhat mean(t xhat)): the Jacobian of xhat is symmetric, so this is its JVP and its VJP."""
    result: Array = scale * (t - mean(t) - xhat * mean(t * xhat))
    return result


def leading(x: Array) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


@layer_norm_op.shape_rule
def layer_norm_shape(x: Shape, gamma: Shape, beta: Shape, *, eps: float) -> Shape:
    if len(x) < 1 or len(gamma) != 1 or len(beta) != 1:
        raise ShapeError(
            describe("layer_norm", "wrong rank", "pass x (...,D), gamma (D,), beta (D,)", x=x, gamma=gamma, beta=beta)
        )
    if x[-1] != gamma[0] or x[-1] != beta[0]:
        raise ShapeError(
            describe("layer_norm", "x, gamma and beta differ in D", "make them equal", x=x, gamma=gamma, beta=beta)
        )
    if x[-1] < 1:
        raise ShapeError(describe("layer_norm", "the last axis is empty", "D must be at least 1", x=x))
    if not eps > 0:
        raise DomainError(describe("layer_norm", "eps must be positive", "1e-5 is usual", eps=eps))
    return x


@layer_norm_op.forward
def layer_norm_y(inputs: tuple[Array, Array, Array], *, eps: float) -> tuple[Array, Residual]:
    x, gamma, beta = inputs
    centred = x - mean(x)
    scale = 1 / np.sqrt(mean(centred * centred) + eps)
    xhat = centred * scale
    return xhat * gamma + beta, (xhat, scale)


@layer_norm_op.jvp_of("x")
def layer_norm_dy_x(
    dx: Array, inputs: tuple[Array, Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    _, gamma, _ = inputs
    xhat, scale = residual
    return normalised(dx, xhat, scale) * gamma


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
    return normalised(g * gamma, xhat, scale)


@layer_norm_op.vjp_of("gamma")
def layer_norm_ggamma(
    g: Array, inputs: tuple[Array, Array, Array], out: Array, residual: tuple[Array, Array], *, eps: float
) -> Array:
    xhat, _ = residual
    result: Array = (g * xhat).sum(axis=leading(g))
    return result


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
    return apply(layer_norm_op, *arrays, eps=number("layer_norm", "eps", eps))
