"""Convolutions by im2col: the windows of all samples become the columns of one matrix per group, and every direction is
a GEMM.

All kernels are for any number of spatial axes. N stands for the batch axes, joined; G for the groups, of C input and O
output channels each (of conv_transpose: the other way round); cells, taps and windows for the extents of the larger
tensor, of the kernel and of the smaller tensor. Along an axis, tap u of window p is the cell
stride p + dilation u - padding.

In memory the batch comes last: a tap of all windows of all samples is then copied, or added, in long runs, and no
result is rearranged. Ops that keep the order of their input's memory, such as relu and max_pool, keep it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import integer, spatial
from ..dtypes import floats
from ..errors import DomainError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply
from .linalg import product

Ints = tuple[int, ...]
Arrays = tuple[Array, ...]


def batch_last(x: Array, axes: int) -> Array:
    """(..., channels, cells) -> (channels, cells, N)"""
    joined = x.reshape((product(x.shape[: -axes - 1]), *x.shape[-axes - 1 :]))
    return joined.transpose((*range(1, axes + 2), 0))


def batch_first(y: Array, shape: Shape) -> Array:
    """(channels, cells, N) -> shape (..., channels, cells)"""
    return y.transpose((y.ndim - 1, *range(y.ndim - 1))).reshape(shape)


def padded_extents(cells: Shape, padding: Ints) -> Shape:
    return tuple(n + 2 * pad for n, pad in zip(cells, padding, strict=True))


def inside(cells: Shape, padding: Ints) -> tuple[slice, ...]:
    return tuple(slice(pad, pad + n) for n, pad in zip(cells, padding, strict=True))


def taps_of(kernel: Shape, windows: Shape, stride: Ints, dilation: Ints) -> Iterator[tuple[Any, Any]]:
    """Each tap, and the padded cells that it is in the windows."""
    for tap in np.ndindex(*kernel):
        starts = (d * u for d, u in zip(dilation, tap, strict=True))
        yield tap, tuple(slice(at, at + s * (n - 1) + 1, s) for at, s, n in zip(starts, stride, windows, strict=True))


def columns_of(
    x: Array, weight: Array, windows: Shape, groups: int, *, stride: Ints, padding: Ints, dilation: Ints, **_: Any
) -> Array:
    """x (..., G C, cells) -> (G, C taps, windows N): a column holds the cells of a window."""
    kernel = weight.shape[2:]
    x = batch_last(x, len(kernel))
    channels, *cells, N = x.shape
    padded = np.zeros_like(x, order="C", shape=(channels, *padded_extents(tuple(cells), padding), N))
    padded[:, *inside(tuple(cells), padding)] = x
    columns = padded  # already, if there is one tap and no stride
    if padded.shape[1:-1] != windows:
        columns = np.empty_like(padded, shape=(channels, *kernel, *windows, N))
        for tap, reached in taps_of(kernel, windows, stride, dilation):
            columns[:, *tap] = padded[:, *reached]
    return columns.reshape((groups, channels // groups * product(kernel), product(windows) * N))


def transposed(
    y: Array, weight: Array, shape: Shape, groups: int, *, stride: Ints, padding: Ints, dilation: Ints, **_: Any
) -> Array:
    """y (..., G O, windows) -> shape (..., G C, cells): weight times y, each cell the sum of the taps that read it."""
    kernel = weight.shape[2:]
    axes = len(kernel)
    N, channels, cells, windows = product(shape[: -axes - 1]), shape[-axes - 1], shape[-axes:], y.shape[-axes:]
    columns = matrices(weight, groups).transpose(0, 2, 1) @ grouped(y, weight, groups)
    columns = columns.reshape((channels, *kernel, *windows, N))
    x = np.zeros_like(columns, shape=(channels, *padded_extents(cells, padding), N))
    for tap, reached in taps_of(kernel, windows, stride, dilation):
        x[:, *reached] += columns[:, *tap]
    return batch_first(x[:, *inside(cells, padding)], shape)


def matrices(weight: Array, groups: int) -> Array:
    """(G A, B, taps) -> (G, A, B taps)"""
    return weight.reshape((groups, weight.shape[0] // groups, product(weight.shape[1:])))


def grouped(y: Array, weight: Array, groups: int) -> Array:
    """(..., G O, windows) -> (G, O, windows N)"""
    y = batch_last(y, weight.ndim - 2)
    return y.reshape((groups, y.shape[0] // groups, product(y.shape[1:])))


def ungrouped(y: Array, shape: Shape, axes: int) -> Array:
    """(G, O, windows N) -> shape (..., G O, windows)"""
    return batch_first(y.reshape((*shape[-axes - 1 :], product(shape[: -axes - 1]))), shape)


def correlated(y: Array, columns: Array, weight: Array) -> Array:
    """Σ y columnsᵀ over the windows: (G, O, windows N), (G, C taps, windows N) -> the shape of weight."""
    return (columns @ y.transpose(0, 2, 1)).transpose(0, 2, 1).reshape(weight.shape)  # faster than y @ columnsᵀ


def summed(g: Array, axes: int) -> Array:
    """(..., O, windows) -> (O,)"""
    channels = g.ndim - axes - 1
    result: Array = g.sum(axis=(*range(channels), *range(channels + 1, g.ndim)))
    return result


def spread(bias: Array, out: Array, axes: int) -> Array:
    """(O,) as (..., O, windows)"""
    return np.broadcast_to(bias.reshape((bias.shape[0],) + (1,) * axes), out.shape)


# What both shape rules check.


def spatial_axes(op: str, weight: Shape) -> int:
    if not 3 <= len(weight) <= 5:
        remedy = "weight has two axes of channels and 1 to 3 of the kernel"
        raise ShapeError(describe(op, "wrong rank", remedy, weight=weight))
    return len(weight) - 2


def check_attributes(op: str, weight: Shape, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> None:
    if groups < 1:
        raise DomainError(describe(op, "groups must be at least 1", "pass a positive integer", groups=groups))
    for window, step, pad, gap in zip(weight[2:], stride, padding, dilation, strict=True):
        if step < 1:
            raise DomainError(describe(op, "stride must be at least 1", "pass a positive stride", stride=stride))
        if pad < 0:
            raise DomainError(describe(op, "padding is negative", "pad by 0 or more", padding=padding))
        if gap < 1:
            raise DomainError(describe(op, "dilation must be at least 1", "1 is no dilation", dilation=dilation))
        if window < 1:
            raise ShapeError(describe(op, "the kernel is empty", "its extents are at least 1", weight=weight))


def check_channels(
    op: str, x: Shape, weight: Shape, inputs: int, outputs: int, bias: Shape | None, groups: int
) -> None:
    """inputs, outputs: the channels that weight has for x and for the output."""
    if len(x) < len(weight) - 1:
        raise ShapeError(describe(op, "wrong rank", "pass x (..., channels, spatial)", x=x, weight=weight))
    if x[1 - len(weight)] != inputs:
        what, remedy = "x and weight differ in the channels", "see the shapes that it takes"
        raise ShapeError(describe(op, what, remedy, x=x, weight=weight, groups=groups))
    if weight[0] % groups != 0:
        what, remedy = "the channels do not divide into groups", "the first axis of weight is a multiple of groups"
        raise ShapeError(describe(op, what, remedy, weight=weight, groups=groups))
    if bias is not None:
        if len(bias) != 1:
            raise ShapeError(describe(op, "wrong rank", "pass bias (O,)", bias=bias))
        if bias[0] != outputs:
            what, remedy = "bias and weight differ in the output channels O", "pass bias (O,)"
            raise ShapeError(describe(op, what, remedy, bias=bias, weight=weight, groups=groups))


# conv: y[..., o, p] = bias[o] + Σ_c,u x[..., c, stride p + dilation u - padding] weight[o, c, u], c in the group of o;
# residual (columns,)

conv_op = Op("conv", inputs=("x", "weight", "bias"), optional=("bias",))


@conv_op.shape_rule
def conv_shape(
    x: Shape,
    weight: Shape,
    bias: Shape | None = None,
    *,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Shape:
    axes = spatial_axes("conv", weight)
    check_attributes("conv", weight, stride, padding, dilation, groups)
    check_channels("conv", x, weight, weight[1] * groups, weight[0], bias, groups)
    out: Shape = ()
    for extent, window, step, pad, gap in zip(x[-axes:], weight[2:], stride, padding, dilation, strict=True):
        room = extent + 2 * pad - gap * (window - 1) - 1
        if room < 0:
            what, remedy = "the kernel is larger than the padded input", "pad more or use a smaller kernel"
            raise ShapeError(describe("conv", what, remedy, x=x, weight=weight, padding=padding, dilation=dilation))
        out += (room // step + 1,)
    return (*x[: -axes - 1], weight[0], *out)


@conv_op.forward
def conv_y(inputs: Arrays, *, groups: int, **window: Ints) -> tuple[Array, Residual]:
    x, weight, *bias = inputs
    axes, shape = weight.ndim - 2, conv_shape(x.shape, weight.shape, groups=groups, **window)
    columns = columns_of(x, weight, shape[-axes:], groups, **window)
    y = matrices(weight, groups) @ columns
    if bias:
        y += bias[0].reshape((groups, y.shape[1], 1))
    return ungrouped(y, shape, axes), (columns,)


@conv_op.jvp_of("x")
def conv_dy_x(dx: Array, inputs: Arrays, out: Array, residual: Any, *, groups: int, **window: Ints) -> Array:
    weight, axes = inputs[1], len(window["stride"])
    columns = columns_of(dx, weight, out.shape[-axes:], groups, **window)
    return ungrouped(matrices(weight, groups) @ columns, out.shape, axes)


@conv_op.jvp_of("weight")
def conv_dy_weight(dweight: Array, inputs: Arrays, out: Array, residual: Any, *, groups: int, **_: Any) -> Array:
    return ungrouped(matrices(dweight, groups) @ residual[0], out.shape, dweight.ndim - 2)


@conv_op.jvp_of("bias")
def conv_dy_bias(dbias: Array, inputs: Arrays, out: Array, residual: Any, *, stride: Ints, **_: Any) -> Array:
    return spread(dbias, out, len(stride))


@conv_op.vjp_of("x")
def conv_gx(g: Array, inputs: Arrays, out: Array, residual: Any, *, groups: int, **window: Ints) -> Array:
    x, weight = inputs[:2]
    return transposed(g, weight, x.shape, groups, **window)


@conv_op.vjp_of("weight")
def conv_gweight(g: Array, inputs: Arrays, out: Array, residual: Any, *, groups: int, **_: Any) -> Array:
    weight = inputs[1]
    return correlated(grouped(g, weight, groups), residual[0], weight)


@conv_op.vjp_of("bias")
def conv_gbias(g: Array, inputs: Arrays, out: Array, residual: Any, *, stride: Ints, **_: Any) -> Array:
    return summed(g, len(stride))


@conv_op.public
def conv(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Ints = 1,
    padding: int | Ints = 0,
    dilation: int | Ints = 1,
    groups: int = 1,
) -> Array:
    """Cross-correlation with zero padding over d = 1, 2 or 3 spatial axes; in one dimension and one group
    y[..., o, p] = bias[o] + Σ_c,u x[..., c, stride p + dilation u - padding] weight[o, c, u].

    The channels of x and of y divide into `groups` of equal size, in order; a group of y reads its group of x.
    Shapes: x (..., I, H...), weight (O, I / groups, U...), bias (O,) -> (..., O, P...), along each spatial axis
    P = floor((H + 2 padding - dilation (U - 1) - 1) / stride) + 1. `stride`, `padding` and `dilation` are an int or a
    tuple of d, in cells.
    Raises ShapeError where the channels do not match or the kernel does not fit, DomainError for stride, dilation or
    groups < 1 or padding < 0, DtypeError.

    >>> conv(np.ones((1, 3, 3)), np.ones((1, 1, 2, 2)), padding=1, stride=2)
    array([[[1., 2.],
            [2., 4.]]])
    >>> conv(np.array([[1.0, 2.0, 4.0, 8.0]]), np.array([[[1.0, 10.0]]]), dilation=2)
    array([[41., 82.]])
    """
    given = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    arrays = floats("conv", **given)
    axes = spatial_axes("conv", arrays[1].shape)
    return apply(
        conv_op,
        *arrays,
        stride=spatial("conv", "stride", stride, axes),
        padding=spatial("conv", "padding", padding, axes),
        dilation=spatial("conv", "dilation", dilation, axes),
        groups=integer("conv", "groups", groups),
    )


# conv_transpose: y[..., o, h] = bias[o] + Σ_c,p,u x[..., c, p] weight[c, o, u], stride p + dilation u - padding = h:
# the VJP of conv for x, so conv without a bias is its VJP for x

conv_transpose_op = Op("conv_transpose", inputs=("x", "weight", "bias"), optional=("bias",))


@conv_transpose_op.shape_rule
def conv_transpose_shape(
    x: Shape,
    weight: Shape,
    bias: Shape | None = None,
    *,
    stride: Ints,
    padding: Ints,
    output_padding: Ints,
    dilation: Ints,
    groups: int,
) -> Shape:
    op = "conv_transpose"
    axes = spatial_axes(op, weight)
    check_attributes(op, weight, stride, padding, dilation, groups)
    check_channels(op, x, weight, weight[0], weight[1] * groups, bias, groups)
    out: Shape = ()
    every_axis = zip(x[-axes:], weight[2:], stride, padding, output_padding, dilation, strict=True)
    for extent, window, step, pad, extra, gap in every_axis:
        if extra < 0 or extra >= step:
            what, remedy = "output_padding is outside [0, stride)", "it says which of `stride` lengths is meant"
            raise DomainError(describe(op, what, remedy, output_padding=output_padding, stride=stride))
        if extent < 1:
            raise ShapeError(describe(op, "the input is empty", "its spatial extents are at least 1", x=x))
        length = (extent - 1) * step - 2 * pad + gap * (window - 1) + extra + 1
        if length < 1:
            what, remedy = "the padding takes away the whole output", "pad less"
            raise ShapeError(describe(op, what, remedy, x=x, weight=weight, padding=padding))
        out += (length,)
    return (*x[: -axes - 1], weight[1] * groups, *out)


@conv_transpose_op.forward
def conv_transpose_y(inputs: Arrays, *, groups: int, **window: Ints) -> tuple[Array, Residual]:
    x, weight, *bias = inputs
    shape = conv_transpose_shape(x.shape, weight.shape, groups=groups, **window)
    y = transposed(x, weight, shape, groups, **window)
    if bias:
        y += spread(bias[0], y, weight.ndim - 2)
    return y, None


@conv_transpose_op.jvp_of("x")
def conv_transpose_dy_x(dx: Array, inputs: Arrays, out: Array, residual: Any, *, groups: int, **window: Ints) -> Array:
    return transposed(dx, inputs[1], out.shape, groups, **window)


@conv_transpose_op.jvp_of("weight")
def conv_transpose_dy_weight(
    dweight: Array, inputs: Arrays, out: Array, residual: Any, *, groups: int, **window: Ints
) -> Array:
    return transposed(inputs[0], dweight, out.shape, groups, **window)


@conv_transpose_op.jvp_of("bias")
def conv_transpose_dy_bias(dbias: Array, inputs: Arrays, out: Array, residual: Any, *, stride: Ints, **_: Any) -> Array:
    return spread(dbias, out, len(stride))


@conv_transpose_op.vjp_of("x")
def conv_transpose_gx(g: Array, inputs: Arrays, out: Array, residual: Any, *, groups: int, **window: Ints) -> Array:
    x, weight = inputs[:2]
    axes = weight.ndim - 2
    columns = columns_of(g, weight, x.shape[-axes:], groups, **window)
    return ungrouped(matrices(weight, groups) @ columns, x.shape, axes)


@conv_transpose_op.vjp_of("weight")
def conv_transpose_gweight(
    g: Array, inputs: Arrays, out: Array, residual: Any, *, groups: int, **window: Ints
) -> Array:
    x, weight = inputs[:2]
    columns = columns_of(g, weight, x.shape[2 - weight.ndim :], groups, **window)
    return correlated(grouped(x, weight, groups), columns, weight)


@conv_transpose_op.vjp_of("bias")
def conv_transpose_gbias(g: Array, inputs: Arrays, out: Array, residual: Any, *, stride: Ints, **_: Any) -> Array:
    return summed(g, len(stride))


@conv_transpose_op.public
def conv_transpose(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Ints = 1,
    padding: int | Ints = 0,
    output_padding: int | Ints = 0,
    dilation: int | Ints = 1,
    groups: int = 1,
) -> Array:
    """The adjoint of `conv` over d = 1, 2 or 3 spatial axes, plus a bias; in one dimension and one group
    y[..., o, h] = bias[o] + Σ_c,p,u x[..., c, p] weight[c, o, u] over stride p + dilation u - padding = h.

    The channels of x and of y divide into `groups` of equal size, in order; a group of y reads its group of x.
    Shapes: x (..., I, P...), weight (I, O / groups, U...), bias (O,) -> (..., O, H...), along each spatial axis
    H = (P - 1) stride - 2 padding + dilation (U - 1) + output_padding + 1: for output_padding = 0, ..., stride - 1 the
    lengths that `conv` maps to P. `stride`, `padding`, `output_padding` and `dilation` are an int or a tuple of d, in
    cells.
    Raises ShapeError where the channels do not match or P or H is below 1, DomainError for stride, dilation or
    groups < 1, padding < 0 or output_padding outside [0, stride), DtypeError.

    >>> conv_transpose(np.array([[1.0, 10.0]]), np.array([[[1.0, 2.0, 3.0]]]), stride=2)
    array([[ 1.,  2., 13., 20., 30.]])
    """
    given = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    arrays = floats("conv_transpose", **given)
    axes = spatial_axes("conv_transpose", arrays[1].shape)
    return apply(
        conv_transpose_op,
        *arrays,
        stride=spatial("conv_transpose", "stride", stride, axes),
        padding=spatial("conv_transpose", "padding", padding, axes),
        output_padding=spatial("conv_transpose", "output_padding", output_padding, axes),
        dilation=spatial("conv_transpose", "dilation", dilation, axes),
        groups=integer("conv_transpose", "groups", groups),
    )
