"""Convolutions by im2col: the cells that windows read become the columns of matrices, and every direction is a GEMM.

All kernels are for any number of spatial axes. N stands for the batch axes, joined; G for the groups, of C channels
each in the larger tensor and O in the smaller one (input and output of conv; of conv_transpose, the other way round);
cells, taps and windows for the extents of the larger tensor, of the kernel and of the smaller tensor. Along an axis,
tap u of window p is the cell stride p + dilation u - padding.

The first spatial axis is the outer one, the others are the inner ones. Columns are made along the inner axes alone,
one matrix per outer cell. The matrices of successive outer cells, one below the other in memory, are the columns of an
outer window: what windows share is there once (Cho and Brand, 2017). Where that does not serve, the outer axis is one
of extent 1, and the columns of all windows are one matrix.

In memory the batch comes last: a tap of a row of windows of all samples is copied, or added, in one run, and no result
is rearranged. Ops that keep the order of their input's memory, such as relu and max_pool, keep it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from ..attributes import integer, spatial
from ..dtypes import floats
from ..errors import DomainError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply
from .linalg import product

Ints = tuple[int, ...]
Arrays = tuple[Array, ...]


class Layout(NamedTuple):
    """What a convolution does; from `cells` on per axis, the outer one first."""

    N: int
    G: int
    C: int
    O: int
    cells: Shape
    taps: Shape
    windows: Shape
    stride: Ints
    padding: Ints
    dilation: Ints


def layout_of(
    large: Shape, weight: Shape, small: Shape, *, stride: Ints, padding: Ints, dilation: Ints, groups: int, **_: Any
) -> Layout:
    """Of a larger tensor (..., G C, cells), weight (G O, C, taps) and a smaller tensor (..., G O, windows)."""
    axes = len(weight) - 2
    N, taps, windows = product(small[: -axes - 1]), weight[2:], small[-axes:]
    along: tuple[Shape, ...] = (large[-axes:], taps, windows, stride, padding, dilation)
    one, several = groups == stride[0] == dilation[0] == 1, axes > 1 < taps[0] > padding[0]
    long = large[-axes] > 0 and N * product(windows[1:]) >= 4 * weight[0]  # products of small matrices are slow
    if not (one and several and long):
        along = tuple((n, *axis) for n, axis in zip((1, 1, 1, 1, 0, 1), along, strict=True))
    return Layout(N, groups, weight[1], weight[0] // groups, *along)


def batch_last(x: Array, at: Layout, channels: int, extents: Shape) -> Array:
    """(..., G channels, extents) -> (G, outer, channels, inner, N)"""
    x = x.reshape((at.N, at.G, channels, *extents))
    return x.transpose((1, 3, 2, *range(4, x.ndim), 0))


def batch_first(y: Array, shape: Shape) -> Array:
    """(G, outer, channels, inner, N) -> shape (..., G channels, extents)"""
    return y.transpose((y.ndim - 1, 0, 2, 1, *range(3, y.ndim - 1))).reshape(shape)


def inside(padding: Ints, cells: Shape) -> tuple[slice, ...]:
    return tuple(slice(pad, pad + n) for pad, n in zip(padding, cells, strict=True))


def inner_taps(at: Layout) -> Iterator[tuple[Any, Any]]:
    """Each tap along the inner axes, and the padded cells that it is in the windows."""
    for tap in np.ndindex(*at.taps[1:]):
        along = zip(tap, at.windows[1:], at.stride[1:], at.dilation[1:], strict=True)
        yield tap, tuple(slice(d * u, d * u + s * (n - 1) + 1, s) for u, n, s, d in along)


def successive(matrices: Array, count: int) -> Array:
    """(G, outer + count - 1, K, columns) -> (G, outer, count K, columns): each above those after it, not copied."""
    if count == 1:
        return matrices
    windows = sliding_window_view(matrices, count, axis=1).transpose(0, 1, 4, 2, 3)
    G, outer, _, K, columns = windows.shape
    return windows.reshape((G, outer, count * K, columns))


def columns_of(x: Array, at: Layout) -> Array:
    """x (..., G C, cells) -> (G, outer windows, outer taps C inner taps, inner windows N): the cells of the windows."""
    cells = batch_last(x, at, at.C, at.cells)
    if any(at.padding):
        padded = tuple(n + 2 * pad for n, pad in zip(at.cells, at.padding, strict=True))
        outer, *inner = inside(at.padding, at.cells)
        unpadded, cells = cells, np.zeros_like(cells, order="C", shape=(at.G, padded[0], at.C, *padded[1:], at.N))
        cells[:, outer, :, *inner] = unpadded
    columns = cells  # already, if there is one inner tap and no stride
    if cells.shape[3:-1] != at.windows[1:]:
        columns = np.empty_like(cells, order="C", shape=(*cells.shape[:3], *at.taps[1:], *at.windows[1:], at.N))
        for tap, reached in inner_taps(at):
            columns[:, :, :, *tap] = cells[:, :, :, *reached]
    columns = columns.reshape((at.G, cells.shape[1], at.C * product(at.taps[1:]), product(at.windows[1:]) * at.N))
    return successive(columns, at.taps[0])


def correlated(weight: Array, columns: Array, at: Layout) -> Array:
    """weight times the columns -> (G, outer windows, O, inner windows N)"""
    taps = product(at.taps[1:])
    matrix = weight.reshape((at.G, 1, at.O, at.C, at.taps[0], taps)).transpose(0, 1, 2, 4, 3, 5)
    return matrix.reshape((at.G, 1, at.O, columns.shape[2])) @ columns


def as_smaller(y: Array, at: Layout, shape: Shape) -> Array:
    """(G, outer windows, O, inner windows N) -> shape (..., G O, windows)"""
    return batch_first(y.reshape((at.G, at.windows[0], at.O, *at.windows[1:], at.N)), shape)


def stretches(at: Layout) -> Iterator[tuple[slice, slice, int]]:
    """Runs of outer cells that are in the windows of the same outer taps, counted from the last: the cells, the taps,
    and the first window that reads the first cell. Taps are missing at both ends only."""
    def taps(h: int) -> tuple[int, int]:
        first = h + at.padding[0] - at.taps[0] + 1
        return max(0, -first), min(at.taps[0], at.windows[0] - first)

    for (start, stop), run in groupby(range(at.cells[0]), taps):
        cells = list(run)
        yield slice(cells[0], cells[-1] + 1), slice(start, stop), cells[0] + at.padding[0] - at.taps[0] + 1 + start


def transposed(weight: Array, y: Array, at: Layout, shape: Shape) -> Array:
    """y (..., G O, windows) -> shape (..., G C, cells): weight times y, each cell the sum of the taps that read it."""
    taps, inner_windows = product(at.taps[1:]), at.windows[1:]
    rows = batch_last(y, at, at.O, at.windows).reshape((at.G, at.windows[0], at.O, product(inner_windows) * at.N))
    matrix = weight.reshape((at.G, 1, at.O, at.C, at.taps[0], taps))[:, :, :, :, ::-1].transpose(0, 1, 3, 5, 4, 2)
    columns = np.empty_like(rows, shape=(at.G, at.cells[0], at.C * taps, rows.shape[3]))
    for cells, read, first in stretches(at):
        count = read.stop - read.start
        part = matrix[:, :, :, :, read].reshape((at.G, 1, at.C * taps, count * at.O))
        reading = rows[:, first : first + cells.stop - cells.start + count - 1]
        times = np.multiply if count * at.O == 1 else np.matmul  # ten times as fast for a column times a row
        times(part, successive(reading, count), out=columns[:, cells])
    columns = columns.reshape((at.G, at.cells[0], at.C, *at.taps[1:], *inner_windows, at.N))
    padded = tuple(n + 2 * pad for n, pad in zip(at.cells[1:], at.padding[1:], strict=True))
    x = np.zeros_like(columns, shape=(at.G, at.cells[0], at.C, *padded, at.N))
    for tap, reached in inner_taps(at):
        x[:, :, :, *reached] += columns[:, :, :, *tap]
    return batch_first(x[:, :, :, *inside(at.padding[1:], at.cells[1:])], shape)


def weight_gradient(y: Array, columns: Array, at: Layout, shape: Shape) -> Array:
    """Σ y columnsᵀ over the windows: y (..., G O, windows) and the columns of x -> (G O, C, taps)"""
    y = batch_last(y, at, at.O, at.windows).reshape((at.G, at.windows[0], at.O, columns.shape[3]))
    found: Array = (columns @ y.transpose(0, 1, 3, 2)).sum(axis=1)  # faster than y @ columnsᵀ
    by_tap = found.reshape((at.G, at.taps[0], at.C, product(at.taps[1:]), at.O))
    return by_tap.transpose(0, 4, 2, 1, 3).reshape(shape)


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
# residual (columns,), or None where windows share theirs: those are made again quickly

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
def conv_y(inputs: Arrays, **attributes: Any) -> tuple[Array, Residual]:
    x, weight, *bias = inputs
    shape = conv_shape(x.shape, weight.shape, **attributes)
    at = layout_of(x.shape, weight.shape, shape, **attributes)
    columns = columns_of(x, at)
    y = correlated(weight, columns, at)
    if bias:
        y += bias[0].reshape((at.G, 1, at.O, 1))
    return as_smaller(y, at, shape), None if at.taps[0] > 1 else (columns,)


@conv_op.jvp_of("x")
def conv_dy_x(dx: Array, inputs: Arrays, out: Array, residual: Any, **attributes: Any) -> Array:
    at = layout_of(dx.shape, inputs[1].shape, out.shape, **attributes)
    return as_smaller(correlated(inputs[1], columns_of(dx, at), at), at, out.shape)


@conv_op.jvp_of("weight")
def conv_dy_weight(dweight: Array, inputs: Arrays, out: Array, residual: Any, **attributes: Any) -> Array:
    x = inputs[0]
    at = layout_of(x.shape, dweight.shape, out.shape, **attributes)
    columns = columns_of(x, at) if residual is None else residual[0]
    return as_smaller(correlated(dweight, columns, at), at, out.shape)


@conv_op.jvp_of("bias")
def conv_dy_bias(dbias: Array, inputs: Arrays, out: Array, residual: Any, *, stride: Ints, **_: Any) -> Array:
    return spread(dbias, out, len(stride))


@conv_op.vjp_of("x")
def conv_gx(g: Array, inputs: Arrays, out: Array, residual: Any, **attributes: Any) -> Array:
    x, weight = inputs[:2]
    return transposed(weight, g, layout_of(x.shape, weight.shape, g.shape, **attributes), x.shape)


@conv_op.vjp_of("weight")
def conv_gweight(g: Array, inputs: Arrays, out: Array, residual: Any, **attributes: Any) -> Array:
    x, weight = inputs[:2]
    at = layout_of(x.shape, weight.shape, g.shape, **attributes)
    columns = columns_of(x, at) if residual is None else residual[0]
    return weight_gradient(g, columns, at, weight.shape)


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
def conv_transpose_y(inputs: Arrays, **attributes: Any) -> tuple[Array, Residual]:
    x, weight, *bias = inputs
    shape = conv_transpose_shape(x.shape, weight.shape, **attributes)
    y = transposed(weight, x, layout_of(shape, weight.shape, x.shape, **attributes), shape)
    if bias:
        y += spread(bias[0], y, weight.ndim - 2)
    return y, None


@conv_transpose_op.jvp_of("x")
def conv_transpose_dy_x(dx: Array, inputs: Arrays, out: Array, residual: Any, **attributes: Any) -> Array:
    weight = inputs[1]
    return transposed(weight, dx, layout_of(out.shape, weight.shape, dx.shape, **attributes), out.shape)


@conv_transpose_op.jvp_of("weight")
def conv_transpose_dy_weight(dweight: Array, inputs: Arrays, out: Array, residual: Any, **attributes: Any) -> Array:
    x = inputs[0]
    return transposed(dweight, x, layout_of(out.shape, dweight.shape, x.shape, **attributes), out.shape)


@conv_transpose_op.jvp_of("bias")
def conv_transpose_dy_bias(dbias: Array, inputs: Arrays, out: Array, residual: Any, *, stride: Ints, **_: Any) -> Array:
    return spread(dbias, out, len(stride))


@conv_transpose_op.vjp_of("x")
def conv_transpose_gx(g: Array, inputs: Arrays, out: Array, residual: Any, **attributes: Any) -> Array:
    x, weight = inputs[:2]
    at = layout_of(g.shape, weight.shape, x.shape, **attributes)
    return as_smaller(correlated(weight, columns_of(g, at), at), at, x.shape)


@conv_transpose_op.vjp_of("weight")
def conv_transpose_gweight(g: Array, inputs: Arrays, out: Array, residual: Any, **attributes: Any) -> Array:
    x, weight = inputs[:2]
    at = layout_of(g.shape, weight.shape, x.shape, **attributes)
    return weight_gradient(x, columns_of(g, at), at, weight.shape)


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
