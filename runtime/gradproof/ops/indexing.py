"""Rows picked by index."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import dtypes
from ..dtypes import floats
from ..errors import DomainError, IndexRangeError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply

# gather_rows: y[k, c] = x[indices[k], c], and 0 where indices[k] is outside [0, R)

gather_rows_op = Op("gather_rows", inputs=("x", "indices"), differentiable=("x",))


def pick(x: Array, indices: Array) -> Array:
    if x.shape[0] == 0:  # no row to read, not even for an index that is masked out below
        return np.zeros_like(x, shape=indices.shape + x.shape[1:])
    inside = (indices >= 0) & (indices < x.shape[0])
    return np.where(inside[:, None], x[np.where(inside, indices, 0)], 0)


@gather_rows_op.shape_rule
def gather_rows_shape(x: Shape, indices: Shape) -> Shape:
    if len(x) != 2 or len(indices) != 1:
        raise ShapeError(describe("gather_rows", "wrong rank", "pass x (R,C) and indices (K,)", x=x, indices=indices))
    return (indices[0], x[1])


@gather_rows_op.forward
def gather_rows_y(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    x, indices = inputs
    return pick(x, indices), None


@gather_rows_op.jvp_of("x")
def gather_rows_dy_x(dx: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    _, indices = inputs
    return pick(dx, indices)


@gather_rows_op.vjp_of("x")
def gather_rows_gx(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    x, indices = inputs
    gx = np.zeros_like(x)
    if x.shape[0] != 0:
        inside = (indices >= 0) & (indices < x.shape[0])
        np.add.at(gx, np.where(inside, indices, 0), np.where(inside[:, None], g, 0))
    return gx


@gather_rows_op.public
def gather_rows(x: ArrayLike, indices: ArrayLike, mode: Literal["zero", "raise"] = "zero") -> Array:
    """y[k, c] = x[indices[k], c]. An index outside [0, R), negative too, gives a row of zeros and no gradient; with
    mode="raise" it raises IndexRangeError. Repeated indices add up in the gradient.

    Shapes: x (R,C), indices (K,) of any integer dtype -> (K,C). Raises ShapeError, DtypeError, IndexRangeError.

    >>> gather_rows(np.array([[1.0, 2.0], [3.0, 4.0]]), [1, 1, -1])
    array([[3., 4.],
           [3., 4.],
           [0., 0.]])
    """
    (x_,) = floats("gather_rows", x=x)
    indices_ = dtypes.indices("gather_rows", "indices", indices, beside=x_)
    if mode not in ("zero", "raise"):
        raise DomainError(describe("gather_rows", "unknown mode", "use 'zero' or 'raise'", mode=mode))
    if mode == "raise" and x_.ndim > 0:
        outside = (indices_ < 0) | (indices_ >= x_.shape[0])
        if outside.any():
            index = int(indices_[outside][0])
            raise IndexRangeError(
                describe("gather_rows", "an index is outside x", "use 0 <= index < R", index=index, R=x_.shape[0])
            )
    return apply(gather_rows_op, x_, indices_)
