"""Convolution by im2col: the windows of x become the columns of one matrix, and every direction is one GEMM."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from ..attributes import pair
from ..dtypes import floats
from ..errors import DomainError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply
from .linalg import product

# conv: y[..., o, p, q] = bias[o] + Σ_c,u,v x[..., c, stride p + u - padding, stride q + v - padding] weight[o, c, u, v]
# Below N stands for the product of the batch axes; residual (columns,), columns (C U V, N P Q).

conv_op = Op("conv", inputs=("x", "weight", "bias"), optional=("bias",))

Pair = tuple[int, int]


def columns_of(x: Array, window: Pair, stride: Pair, padding: Pair) -> Array:
    """(..., C, H, W) -> (C U V, N P Q), a copy."""
    C, H, W = x.shape[-3:]
    N = product(x.shape[:-3])
    padded = np.zeros_like(x, shape=(N, C, H + 2 * padding[0], W + 2 * padding[1]))
    padded[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W] = x.reshape((N, C, H, W))
    windows = sliding_window_view(padded, window, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]
    P, Q = windows.shape[2:4]
    return windows.transpose(1, 4, 5, 0, 2, 3).reshape((C * window[0] * window[1], N * P * Q))


def rows_of(weight: Array) -> Array:
    """(O, C, U, V) -> (O, C U V)"""
    return weight.reshape((weight.shape[0], product(weight.shape[1:])))


def channels_last_batch(y: Array) -> Array:
    """(..., O, P, Q) -> (O, N P Q)"""
    O, P, Q = y.shape[-3:]
    N = product(y.shape[:-3])
    return y.reshape((N, O, P * Q)).transpose(1, 0, 2).reshape((O, N * P * Q))


def channels_after_batch(matrix: Array, shape: Shape) -> Array:
    """(O, N P Q) -> shape = (..., O, P, Q), a copy in row-major order."""
    O, P, Q = shape[-3:]
    N = product(shape[:-3])
    return matrix.reshape((O, N, P * Q)).transpose(1, 0, 2).copy().reshape(shape)


@conv_op.shape_rule
def conv_shape(x: Shape, weight: Shape, bias: Shape | None = None, *, stride: Pair, padding: Pair) -> Shape:
    if len(weight) != 4 or len(x) < 3:
        remedy = "pass x (...,C,H,W) and weight (O,C,U,V): only 2-D is supported yet"
        raise ShapeError(describe("conv", "wrong rank", remedy, x=x, weight=weight))
    if x[-3] != weight[1]:
        remedy = "x is (...,C,H,W), weight (O,C,U,V)"
        raise ShapeError(describe("conv", "x and weight differ in the channels C", remedy, x=x, weight=weight))
    if bias is not None:
        if len(bias) != 1:
            raise ShapeError(describe("conv", "wrong rank", "pass bias (O,)", bias=bias))
        if bias[0] != weight[0]:
            remedy = "pass bias (O,)"
            raise ShapeError(describe("conv", "bias and weight differ in O", remedy, bias=bias, weight=weight))
    out: Shape = ()
    for extent, window, step, pad in zip(x[-2:], weight[-2:], stride, padding, strict=True):
        if step < 1:
            raise DomainError(describe("conv", "stride must be at least 1", "pass a positive stride", stride=stride))
        if pad < 0:
            raise DomainError(describe("conv", "padding is negative", "pad by 0 or more", padding=padding))
        if window < 1:
            raise ShapeError(describe("conv", "the kernel is empty", "its extents are at least 1", weight=weight))
        if extent + 2 * pad < window:
            what, remedy = "the kernel is larger than the padded input", "pad more or use a smaller kernel"
            raise ShapeError(describe("conv", what, remedy, x=x, weight=weight, padding=padding))
        out += ((extent + 2 * pad - window) // step + 1,)
    return (*x[:-3], weight[0], *out)


@conv_op.forward
def conv_y(inputs: tuple[Array, ...], *, stride: Pair, padding: Pair) -> tuple[Array, Residual]:
    x, weight, *bias = inputs
    columns = columns_of(x, weight.shape[-2:], stride, padding)
    y = rows_of(weight) @ columns
    if bias:
        y += bias[0][:, None]
    return channels_after_batch(y, conv_shape(x.shape, weight.shape, stride=stride, padding=padding)), (columns,)


@conv_op.jvp_of("x")
def conv_dy_x(
    dx: Array, inputs: tuple[Array, ...], out: Array, residual: tuple[Array], *, stride: Pair, padding: Pair
) -> Array:
    weight = inputs[1]
    columns = columns_of(dx, weight.shape[-2:], stride, padding)
    return channels_after_batch(rows_of(weight) @ columns, out.shape)


@conv_op.jvp_of("weight")
def conv_dy_weight(
    dweight: Array, inputs: tuple[Array, ...], out: Array, residual: tuple[Array], *, stride: Pair, padding: Pair
) -> Array:
    (columns,) = residual
    return channels_after_batch(rows_of(dweight) @ columns, out.shape)


@conv_op.jvp_of("bias")
def conv_dy_bias(
    dbias: Array, inputs: tuple[Array, ...], out: Array, residual: tuple[Array], *, stride: Pair, padding: Pair
) -> Array:
    return np.broadcast_to(dbias[:, None, None], out.shape)


@conv_op.vjp_of("x")
def conv_gx(
    g: Array, inputs: tuple[Array, ...], out: Array, residual: tuple[Array], *, stride: Pair, padding: Pair
) -> Array:
    x, weight = inputs[:2]
    (C, H, W), (U, V), (P, Q) = x.shape[-3:], weight.shape[-2:], g.shape[-2:]
    N = product(x.shape[:-3])
    taps = (rows_of(weight).T @ channels_last_batch(g)).reshape((C, U, V, N, P, Q))
    padded = np.zeros_like(x, shape=(C, N, H + 2 * padding[0], W + 2 * padding[1]))
    for u in range(U):
        for v in range(V):
            rows = slice(u, u + stride[0] * (P - 1) + 1, stride[0])
            columns = slice(v, v + stride[1] * (Q - 1) + 1, stride[1])
            padded[:, :, rows, columns] += taps[:, u, v]
    inner = padded[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W]
    return inner.transpose(1, 0, 2, 3).copy().reshape(x.shape)


@conv_op.vjp_of("weight")
def conv_gweight(
    g: Array, inputs: tuple[Array, ...], out: Array, residual: tuple[Array], *, stride: Pair, padding: Pair
) -> Array:
    (columns,) = residual
    weight = inputs[1]
    return (channels_last_batch(g) @ columns.T).reshape(weight.shape)


@conv_op.vjp_of("bias")
def conv_gbias(
    g: Array, inputs: tuple[Array, ...], out: Array, residual: tuple[Array], *, stride: Pair, padding: Pair
) -> Array:
    result: Array = channels_last_batch(g).sum(axis=1)
    return result


@conv_op.public
def conv(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
) -> Array:
    """Two-dimensional cross-correlation with zero padding:
    y[..., o, p, q] = bias[o] + Σ_c,u,v x[..., c, stride p + u - padding, stride q + v - padding] weight[o, c, u, v].

    Shapes: x (...,C,H,W), weight (O,C,U,V), bias (O,) -> (...,O,P,Q), P = floor((H + 2 padding - U) / stride) + 1 and
    Q likewise. `stride` and `padding` are an int or (vertical, horizontal), in cells.
    Raises ShapeError where the kernel does not fit, DomainError for stride < 1 or padding < 0, DtypeError.

    >>> conv(np.ones((1, 3, 3)), np.ones((1, 1, 2, 2)), padding=1, stride=2)
    array([[[1., 2.],
            [2., 4.]]])
    """
    given = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    arrays = floats("conv", **given)
    return apply(conv_op, *arrays, stride=pair("conv", "stride", stride), padding=pair("conv", "padding", padding))
