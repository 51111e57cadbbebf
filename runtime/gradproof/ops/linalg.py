"""Matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import broadcast_shape
from ..dtypes import floats
from ..errors import ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply
from .explicit import broadcasted, released, reshaped


def product(extents: Shape) -> int:
    total = 1
    for extent in extents:
        total *= extent
    return total


# linear: y[..., o] = Σ_i x[..., i] weight[o, i] + bias[o]

linear_op = Op("linear", inputs=("x", "weight", "bias"), optional=("bias",))


def flat(x: Array) -> Array:
    """(..., I) -> (rows, I), so that every product is one GEMM."""
    return x.reshape((product(x.shape[:-1]), x.shape[-1]))


@linear_op.shape_rule
def linear_shape(x: Shape, weight: Shape, bias: Shape | None = None) -> Shape:
    if len(x) < 1 or len(weight) != 2:
        raise ShapeError(describe("linear", "wrong rank", "pass x (...,I) and weight (O,I)", x=x, weight=weight))
    if x[-1] != weight[1]:
        raise ShapeError(
            describe("linear", "x and weight differ in I", "weight is (O,I), as in PyTorch", x=x, weight=weight)
        )
    if bias is not None:
        if len(bias) != 1:
            raise ShapeError(describe("linear", "wrong rank", "pass bias (O,)", bias=bias))
        if bias[0] != weight[0]:
            raise ShapeError(
                describe("linear", "bias and weight differ in O", "pass bias (O,)", bias=bias, weight=weight)
            )
    return (*x[:-1], weight[0])


@linear_op.forward
def linear_y(inputs: tuple[Array, ...]) -> tuple[Array, Residual]:
    x, weight, *bias = inputs
    y = flat(x) @ weight.T
    if bias:
        y += bias[0]
    return y.reshape(x.shape[:-1] + weight.shape[:1]), None


@linear_op.jvp_of("x")
def linear_dy_x(dx: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    weight = inputs[1]
    return (flat(dx) @ weight.T).reshape(out.shape)


@linear_op.jvp_of("weight")
def linear_dy_weight(dweight: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    x = inputs[0]
    return (flat(x) @ dweight.T).reshape(out.shape)


@linear_op.jvp_of("bias")
def linear_dy_bias(dbias: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    return np.broadcast_to(dbias, out.shape)


@linear_op.vjp_of("x")
def linear_gx(g: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    x, weight = inputs[:2]
    return (flat(g) @ weight).reshape(x.shape)


@linear_op.vjp_of("weight")
def linear_gweight(g: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    x = inputs[0]
    return flat(g).T @ flat(x)


@linear_op.vjp_of("bias")
def linear_gbias(g: Array, inputs: tuple[Array, ...], out: Array, residual: Residual) -> Array:
    result: Array = flat(g).sum(axis=0)
    return result


@linear_op.public
def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Array:
    """y[..., o] = Σ_i x[..., i] weight[o, i] + bias[o].

    Shapes: x (...,I), weight (O,I), bias (O,) -> (...,O). Raises ShapeError, DtypeError.

    >>> linear(np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
    array([3.5, 6. ])
    """
    given = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    return apply(linear_op, *floats("linear", **given))


# matmul: c[..., n, m] = Σ_k a[..., n, k] b[..., k, m]; at the entry the batch axes are equal

matmul_op = Op("matmul", inputs=("a", "b"))


def transposed(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


@matmul_op.shape_rule
def matmul_shape(a: Shape, b: Shape) -> Shape:
    if len(a) < 2 or len(a) != len(b):
        raise ShapeError(describe("matmul", "the ranks do not fit", "pass a (...,N,K) and b (...,K,M)", a=a, b=b))
    for first, second in zip(a[:-2], b[:-2], strict=True):
        if first != second:
            raise ShapeError(describe("matmul", "the batch axes differ", "broadcast first", a=a, b=b))
    if a[-1] != b[-2]:
        raise ShapeError(describe("matmul", "a and b differ in K", "pass a (...,N,K) and b (...,K,M)", a=a, b=b))
    return (*a[:-1], b[-1])


@matmul_op.forward
def matmul_c(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    a, b = inputs
    return a @ b, None


@matmul_op.jvp_of("a")
def matmul_dc_a(da: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Any:
    _, b = inputs
    return da @ b


@matmul_op.jvp_of("b")
def matmul_dc_b(db: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Any:
    a, _ = inputs
    return a @ db


@matmul_op.vjp_of("a")
def matmul_ga(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Any:
    _, b = inputs
    return g @ transposed(b)


@matmul_op.vjp_of("b")
def matmul_gb(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Any:
    a, _ = inputs
    return transposed(a) @ g


@matmul_op.public
def matmul(a: ArrayLike, b: ArrayLike) -> Array:
    """c[..., n, m] = Σ_k a[..., n, k] b[..., k, m]; also written `a @ b`.

    Shapes: a (...,N,K), b (...,K,M) -> (...,N,M). Batch axes broadcast; a 1-D operand is a row on the left and a
    column on the right, and its axis is dropped from the result, as in NumPy. Raises ShapeError, DtypeError.

    >>> matmul(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0]))
    array([-1., -1.])
    """
    a_, b_ = floats("matmul", a=a, b=b)
    if a_.ndim == 0 or b_.ndim == 0:
        raise ShapeError(
            describe("matmul", "an operand has no axes", "multiply by a number with *", a=a_.shape, b=b_.shape)
        )
    left, right = a_.shape, b_.shape
    row, column = left if len(left) > 1 else (1, *left), right if len(right) > 1 else (*right, 1)
    if row[-1] != column[-2]:
        raise ShapeError(describe("matmul", "a and b differ in K", "pass a (...,N,K) and b (...,K,M)", a=left, b=right))
    if len(column) == 2:  # one GEMM, however many batch axes
        batch, rows = row[:-2], (product(row[:-1]), row[-1])
        c = apply(matmul_op, reshaped(a_, rows), reshaped(b_, column))
    else:
        batch = broadcast_shape("matmul", a=row[:-2], b=column[:-2])
        a_ = broadcasted(reshaped(a_, row), batch + row[-2:])
        b_ = broadcasted(reshaped(b_, column), batch + column[-2:])
        c = apply(matmul_op, a_, b_)
    kept = (row[-2:-1] if len(left) > 1 else ()) + (column[-1:] if len(right) > 1 else ())
    return released(reshaped(c, batch + kept))
