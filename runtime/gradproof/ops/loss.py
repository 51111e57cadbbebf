"""Losses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..dtypes import floats
from ..errors import ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply

# mse_loss: y = mean (yhat - target)²

mse_loss_op = Op("mse_loss", inputs=("yhat", "target"))


def slope(inputs: tuple[Array, Array]) -> Array:
    """dy/dyhat = 2 (yhat - target) / n, and dy/dtarget is its negative."""
    yhat, target = inputs
    return (yhat - target) * 2 / yhat.size


@mse_loss_op.shape_rule
def mse_loss_shape(yhat: Shape, target: Shape) -> Shape:
    if len(yhat) != len(target):
        raise ShapeError(
            describe("mse_loss", "the ranks differ", "broadcast or reshape one first", yhat=yhat, target=target)
        )
    for first, second in zip(yhat, target, strict=True):
        if first != second:
            raise ShapeError(
                describe("mse_loss", "the shapes differ", "broadcast or reshape one first", yhat=yhat, target=target)
            )
        if first == 0:
            raise ShapeError(describe("mse_loss", "the mean of nothing is undefined", "pass data", yhat=yhat))
    return ()


@mse_loss_op.forward
def mse_loss_y(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    yhat, target = inputs
    difference = yhat - target
    return np.sum(difference * difference) / yhat.size, None


@mse_loss_op.jvp_of("yhat")
def mse_loss_dy_yhat(dyhat: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    result: Array = np.sum(slope(inputs) * dyhat)
    return result


@mse_loss_op.jvp_of("target")
def mse_loss_dy_target(dtarget: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    result: Array = -np.sum(slope(inputs) * dtarget)
    return result


@mse_loss_op.vjp_of("yhat")
def mse_loss_gyhat(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    return g * slope(inputs)


@mse_loss_op.vjp_of("target")
def mse_loss_gtarget(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    return -g * slope(inputs)


@mse_loss_op.public
def mse_loss(yhat: ArrayLike, target: ArrayLike) -> Array:
    """y = Σ (yhat - target)² / n, n the number of elements, with a gradient to both.

    Shapes: yhat s, target s -> (). They do not broadcast: (N,1) against (N,) is a well-known mistake, not a wish.
    Raises ShapeError, also for empty arrays, DtypeError.

    >>> mse_loss(np.array([1.0, 2.0]), np.array([0.0, 2.0]))
    array(0.5)
    """
    return apply(mse_loss_op, *floats("mse_loss", yhat=yhat, target=target))
