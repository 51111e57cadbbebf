"""Reading and adding at integer indices."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import dtypes
from ..dtypes import floats
from ..errors import DomainError, GraphError, IndexRangeError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import Traced, apply
from .explicit import released, reshaped
from .linalg import product
from .structural import slice_range

Mode = Literal["zero", "raise"]


def pick(x: Array, indices: Array) -> Array:
    """x[indices[k]], and 0 where the index is outside."""
    if x.shape[0] == 0:  # no row to read, not even for an index that is masked out below
        return np.zeros_like(x, shape=indices.shape + x.shape[1:])
    inside = (indices >= 0) & (indices < x.shape[0])
    rows = x.take(np.where(inside, indices, 0), axis=0)
    rows[~inside, ...] = 0  # faster than np.where, which would read all of it again
    return rows


def add_at(y: Array, indices: Array, v: Array) -> Array:
    """y, in row-major order, changed to y[indices[k]] += v[k] for each index that is inside."""
    inside, columns = (indices >= 0) & (indices < y.shape[0]), product(y.shape[1:])
    rows = indices[inside].astype(np.intp)  # their products do not fit into small integers
    places = rows[:, None] * columns + np.arange(columns)  # np.add.at is fast on one axis only
    np.add.at(y.reshape(-1), places.reshape(-1), v[inside].reshape(-1))
    return y


def checked_indices(op: str, x: Array, indices: ArrayLike, mode: str = "zero") -> Array:
    indices_ = dtypes.indices(op, "indices", indices, beside=x)
    if mode not in ("zero", "raise"):
        raise DomainError(describe(op, "unknown mode", "use 'zero' or 'raise'", mode=mode))
    if mode == "raise" and isinstance(indices_, Traced):
        remedy = "use mode='zero', or pass them as an array"
        raise GraphError(describe(op, "mode='raise' needs the values of the indices", remedy, indices=indices_))
    if mode == "raise" and x.ndim > 0:
        outside = (indices_ < 0) | (indices_ >= x.shape[0])
        if outside.any():
            raise outside_error(op, int(indices_[outside][0]), x)
    return indices_


def outside_error(op: str, index: int, x: Array) -> IndexRangeError:
    extent = "N" if x.ndim == 1 else "R"
    values = {"index": index, extent: x.shape[0]}
    return IndexRangeError(describe(op, "an index is outside x", f"use 0 <= index < {extent}", **values))


# gather_rows: y[k, c] = x[indices[k], c], and 0 where indices[k] is outside [0, R)

gather_rows_op = Op("gather_rows", inputs=("x", "indices"), differentiable=("x",))


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
    return add_at(np.zeros_like(x, order="C"), indices, g)


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
    return apply(gather_rows_op, x_, checked_indices("gather_rows", x_, indices, mode))


# scatter_add: y = x, and y[indices[k]] += v[k] for each index in [0, N)

scatter_add_op = Op("scatter_add", inputs=("x", "v", "indices"), differentiable=("x", "v"))


@scatter_add_op.shape_rule
def scatter_add_shape(x: Shape, v: Shape, indices: Shape) -> Shape:
    if len(x) < 1 or len(indices) != 1 or len(v) != len(x):
        remedy = "pass x (N,...), v (K,...), indices (K,)"
        raise ShapeError(describe("scatter_add", "wrong rank", remedy, x=x, v=v, indices=indices))
    for have, want in zip(v, (indices[0], *x[1:]), strict=True):
        if have != want:
            remedy = "v has one row like those of x per index"
            raise ShapeError(describe("scatter_add", "the shapes do not fit", remedy, x=x, v=v, indices=indices))
    return x


@scatter_add_op.forward
def scatter_add_y(inputs: tuple[Array, Array, Array]) -> tuple[Array, Residual]:
    x, v, indices = inputs
    return add_at(x.copy(), indices, v), None


@scatter_add_op.jvp_of("x")
def scatter_add_dy_x(dx: Array, inputs: tuple[Array, Array, Array], out: Array, residual: Residual) -> Array:
    return dx


@scatter_add_op.jvp_of("v")
def scatter_add_dy_v(dv: Array, inputs: tuple[Array, Array, Array], out: Array, residual: Residual) -> Array:
    x, _, indices = inputs
    return add_at(np.zeros_like(x, order="C"), indices, dv)


@scatter_add_op.vjp_of("x")
def scatter_add_gx(g: Array, inputs: tuple[Array, Array, Array], out: Array, residual: Residual) -> Array:
    return g


@scatter_add_op.vjp_of("v")
def scatter_add_gv(g: Array, inputs: tuple[Array, Array, Array], out: Array, residual: Residual) -> Array:
    _, _, indices = inputs
    return pick(g, indices)


@scatter_add_op.public
def scatter_add(x: ArrayLike, v: ArrayLike, indices: ArrayLike) -> Array:
    """y[n, ...] = x[n, ...] + Σ_k [indices[k] = n] v[k, ...]. Repeated indices add up; an index outside [0, N),
    negative too, is dropped, and its row of v gets no gradient. x is not changed.

    Shapes: x (N,...), v (K,...), indices (K,) of any integer dtype -> (N,...). Raises ShapeError, DtypeError.

    >>> scatter_add(np.zeros(3), np.array([1.0, 2.0, 4.0, 8.0]), [1, 1, 0, 7])
    array([4., 3., 0.])
    """
    x_, v_ = floats("scatter_add", x=x, v=v)
    return apply(scatter_add_op, x_, v_, checked_indices("scatter_add", x_, indices))


# Cases of these. A Python int is a static index and must be inside; an array, also of one index, is data.


def need_inside(op: str, x: Array, index: ArrayLike) -> None:
    if type(index) is int and not 0 <= index < x.shape[0]:
        raise outside_error(op, index, x)


def gathered(op: str, x: ArrayLike, indices: ArrayLike, mode: str, rank: int, index_rank: int | None) -> Array:
    (x_,) = floats(op, x=x)
    indices_ = checked_indices(op, x_, indices, mode)
    if x_.ndim != rank or (index_rank is not None and indices_.ndim != index_rank):
        wanted = f"x of rank {rank} and indices of {'any rank' if index_rank is None else f'rank {index_rank}'}"
        raise ShapeError(describe(op, "wrong rank", f"pass {wanted}", x=x_.shape, indices=indices_.shape))
    need_inside(op, x_, indices)
    if type(indices) is int:
        return released(reshaped(slice_range(x_, indices, 1), x_.shape[1:]))
    rows = apply(gather_rows_op, reshaped(x_, (*x_.shape, 1)[:2]), reshaped(indices_, (indices_.size,)))
    return released(reshaped(rows, (*indices_.shape, *x_.shape[1:])))


def gather_scalar(x: ArrayLike, index: ArrayLike, mode: Mode = "zero") -> Array:
    """y = x[index]. A Python int outside [0, N), negative too, raises IndexRangeError; an integer array outside gives 0
    and no gradient, with mode="raise" IndexRangeError.

    Shapes: x (N,), index () -> (). Raises ShapeError, DtypeError, IndexRangeError.

    >>> gather_scalar(np.array([1.0, 2.0]), 1)
    array(2.)
    >>> gather_scalar(np.array([1.0, 2.0]), np.array(5))
    array(0.)
    """
    return gathered("gather_scalar", x, index, mode, 1, 0)


def gather_row(x: ArrayLike, index: ArrayLike, mode: Mode = "zero") -> Array:
    """y[c] = x[index, c]. A Python int outside [0, R), negative too, raises IndexRangeError; an integer array outside
    gives a row of zeros and no gradient, with mode="raise" IndexRangeError.

    Shapes: x (R,C), index () -> (C,). Raises ShapeError, DtypeError, IndexRangeError.

    >>> gather_row(np.array([[1.0, 2.0], [3.0, 4.0]]), 1)
    array([3., 4.])
    """
    return gathered("gather_row", x, index, mode, 2, 0)


def gather_vec(x: ArrayLike, indices: ArrayLike, mode: Mode = "zero") -> Array:
    """y[k] = x[indices[k]]. An index outside [0, N), negative too, gives 0 and no gradient; with mode="raise" it raises
    IndexRangeError. Repeated indices add up in the gradient.

    Shapes: x (N,), indices (K,) of any integer dtype -> (K,). Raises ShapeError, DtypeError, IndexRangeError.

    >>> gather_vec(np.array([1.0, 2.0]), [1, 1, -1])
    array([2., 2., 0.])
    """
    return gathered("gather_vec", x, indices, mode, 1, 1)


def embedding(ids: ArrayLike, weight: ArrayLike, mode: Mode = "zero") -> Array:
    """y[..., c] = weight[ids[...], c]: gather_rows of weight, for ids of any shape. An id outside [0, R), negative too,
    gives zeros and no gradient; with mode="raise", and for a Python int, it raises IndexRangeError.

    Shapes: ids s of any integer dtype, weight (R,C) -> (*s,C). Raises ShapeError, DtypeError, IndexRangeError.

    >>> embedding(np.array([[1, 0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[[3., 4.],
            [1., 2.]]])
    """
    return gathered("embedding", weight, ids, mode, 2, None)


def scattered(op: str, x: ArrayLike, v: ArrayLike, indices: ArrayLike, rank: int) -> Array:
    x_, v_ = floats(op, x=x, v=v)
    indices_ = checked_indices(op, x_, indices)
    if x_.ndim != rank or indices_.ndim > 1 or v_.shape != indices_.shape + x_.shape[1:]:
        remedy = f"x has rank {rank}, v the shape of x[indices]"
        raise ShapeError(describe(op, "the shapes do not fit", remedy, x=x_.shape, v=v_.shape, indices=indices_.shape))
    need_inside(op, x_, indices)
    return apply(scatter_add_op, x_, reshaped(v_, (indices_.size, *x_.shape[1:])), reshaped(indices_, (indices_.size,)))


def scatter_add_vec(x: ArrayLike, v: ArrayLike, indices: ArrayLike) -> Array:
    """x with v added at x[indices]. A Python int outside [0, N), negative too, raises IndexRangeError; what an integer
    array has outside is dropped. Repeated indices add up.

    Shapes: x (N,), v (), indices () -> (N,); or x (N,), v (K,), indices (K,) -> (N,). Raises ShapeError, DtypeError,
    IndexRangeError.

    >>> scatter_add_vec(np.array([1.0, 2.0]), 10.0, 1)
    array([ 1., 12.])
    """
    return scattered("scatter_add_vec", x, v, indices, 1)


def scatter_add_row(x: ArrayLike, v: ArrayLike, indices: ArrayLike) -> Array:
    """x with the row v, or the rows of v, added at x[indices, :]. A Python int outside [0, R), negative too, raises
    IndexRangeError; what an integer array has outside is dropped. Repeated indices add up.

    Shapes: x (R,C), v (C,), indices () -> (R,C); or x (R,C), v (K,C), indices (K,) -> (R,C). Raises ShapeError,
    DtypeError, IndexRangeError.

    >>> scatter_add_row(np.zeros((2, 2)), np.array([1.0, 2.0]), 1)
    array([[0., 0.],
           [1., 2.]])
    """
    return scattered("scatter_add_row", x, v, indices, 2)
