"""Pooling tap by tap: for each tap of the window, a strided slice of x against a slice of the output. A padded cell is
in no slice: the winner is a cell of x also if all are -inf.

All kernels are for any number of spatial axes, as many as the kernel has. Along an axis, tap u of window p is the cell
stride p + dilation u - padding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import integers, number, spatial
from ..dtypes import floats
from ..errors import DomainError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..special import parted
from ..tape import apply
from .linalg import product

Ints = tuple[int, ...]
Index = tuple[Any, ...]


def reach(tap: int, extent: int, windows: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Along one axis: the cells that a tap reads, and the windows that they belong to."""
    first = max(0, -((tap - padding) // stride))
    last = min(windows - 1, (extent - 1 + padding - tap) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = stride * first + tap - padding
    return slice(start, start + stride * (last - first) + 1, stride), slice(first, last + 1)


def taps(
    x: Shape, y: Shape, *, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints | None = None
) -> Iterator[tuple[Index, Index]]:
    """(cells of x, cells of y) for each tap, row-major."""
    axes = len(kernel)
    for tap in np.ndindex(*kernel):
        at = tap if dilation is None else (u * d for u, d in zip(tap, dilation, strict=True))
        along = [reach(*axis) for axis in zip(at, x[-axes:], y[-axes:], stride, padding, strict=True)]
        yield (..., *(cells for cells, _ in along)), (..., *(windows for _, windows in along))


def slab(axis: int, cells: int | slice) -> Index:
    """Cells of one axis, counted from the last, of any array."""
    return (..., cells, *(slice(None),) * (-axis - 1))


def steps(
    x: Shape, y: Shape, *, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints | None = None
) -> Iterator[tuple[int, Shape, list[tuple[slice, slice]]]]:
    """A pool as pools of one axis after the other: the axis, the extents behind the step, and for each tap its cells
    and its windows. This takes fewer taps."""
    for axis in range(-len(kernel), 0):
        at = range(kernel[axis]) if dilation is None else range(0, kernel[axis] * dilation[axis], dilation[axis])
        reached = [reach(tap, x[axis], y[axis], stride[axis], padding[axis]) for tap in at]
        yield axis, (*y[: len(y) + axis + 1], *x[len(x) + axis + 1 :]), reached


def start(x: Array, axis: int, count: int, reached: list[tuple[slice, slice]]) -> Array:
    """A cell of each window to start the maximum from: a copy."""
    for cells, windows in reached:
        if windows == slice(0, count):
            return np.copy(x[slab(axis, cells)])  # in the order of memory of x
    some = [next(range(x.shape[axis])[cells][p - windows.start] for cells, windows in reached
                 if windows.start <= p < windows.stop) for p in range(count)]  # fmt: skip
    return x.take(some, axis)


def largest(x: Array, shape: Shape, **window: Ints) -> Array:
    """The maximum over each window."""
    for axis, _, reached in steps(x.shape, shape, **window):
        whole = [tap for tap in reached if tap[1] == slice(0, shape[axis])]
        if len(whole) > 1:
            (first, _), (second, _) = whole[:2]
            y = np.maximum(x[slab(axis, first)], x[slab(axis, second)])
            reached = [tap for tap in reached if tap not in whole[:2]]
        else:
            y = start(x, axis, shape[axis], reached)
        for cells, windows in reached:
            np.maximum(y[slab(axis, windows)], x[slab(axis, cells)], out=y[slab(axis, windows)])
        x = y
    return x


def pool_shape(op: str, x: Shape, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints | None = None) -> Shape:
    axes = len(kernel)
    if not 1 <= axes <= 3:
        remedy = "pass a tuple of length 1 to 3"
        raise DomainError(describe(op, "kernel needs one entry per spatial axis", remedy, kernel=kernel))
    if len(x) < axes:
        remedy = "x needs one spatial axis per entry of kernel"
        raise ShapeError(describe(op, "wrong rank", remedy, x=x, kernel=kernel))
    dilation = (1,) * axes if dilation is None else dilation
    out: Shape = ()
    for extent, window, step, pad, gap in zip(x[-axes:], kernel, stride, padding, dilation, strict=True):
        if window < 1:
            raise DomainError(describe(op, "kernel must be at least 1", "1 leaves an axis as it is", kernel=kernel))
        if step < 1:
            raise DomainError(describe(op, "stride must be at least 1", "pass a positive stride", stride=stride))
        if gap < 1:
            raise DomainError(describe(op, "dilation must be at least 1", "1 is no dilation", dilation=dilation))
        if pad < 0 or pad > gap * (window - 1):
            what, remedy = "a window could be all padding", "use 0 <= padding <= dilation (kernel - 1)"
            raise DomainError(describe(op, what, remedy, kernel=kernel, padding=padding, dilation=dilation))
        if extent < gap:
            what, remedy = "a window could miss the input", "every extent is at least the dilation, and at least 1"
            raise ShapeError(describe(op, what, remedy, x=x, dilation=dilation))
        room = extent + 2 * pad - gap * (window - 1) - 1
        if room < 0:
            what, remedy = "the kernel is larger than the padded input", "pad more or use a smaller kernel"
            raise ShapeError(describe(op, what, remedy, x=x, kernel=kernel, padding=padding, dilation=dilation))
        out += (room // step + 1,)
    return x[:-axes] + out


def pooled(op: Op, x: ArrayLike, kernel: Any, stride: Any, padding: Any, **more: Any) -> Array:
    """Apply a pool, its attributes normalised."""
    (x_,) = floats(op.name, x=x)
    window = integers(op.name, "kernel", kernel)
    steps = window if stride is None else spatial(op.name, "stride", stride, len(window))
    return apply(op, x_, kernel=window, stride=steps, padding=spatial(op.name, "padding", padding, len(window)), **more)


# max_pool: y[..., p] = max_u x[..., stride p + dilation u - padding]; the first winner in row-major order has slope 1

max_pool_op = Op("max_pool", inputs=("x",))


def wins(cell: Array, y: Array) -> Array:
    """Whether a cell attains the maximum; a nan is one."""
    result: Array = (cell == y) | (cell != cell)
    return result


@max_pool_op.shape_rule
def max_pool_shape(x: Shape, *, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Shape:
    return pool_shape("max_pool", x, kernel, stride, padding, dilation)


@max_pool_op.forward
def max_pool_y(inputs: tuple[Array], **window: Ints) -> tuple[Array, Residual]:
    (x,) = inputs
    return largest(x, max_pool_shape(x.shape, **window), **window), None


@max_pool_op.jvp_of("x")
def max_pool_dy_x(dx: Array, inputs: tuple[Array], out: Array, residual: Residual, **window: Ints) -> Array:
    (x,) = inputs
    dy = np.zeros_like(dx, shape=out.shape)
    backwards = reversed(list(taps(x.shape, out.shape, **window)))  # so that the first has the last word
    for cells, windows in backwards:
        won = wins(x[cells], out[windows])
        dy[windows] = np.where(won, dx[cells], dy[windows])
    return dy


@max_pool_op.vjp_of("x")
def max_pool_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, kernel: Ints, stride: Ints, padding: Ints,
    dilation: Ints,
) -> Array:  # fmt: skip
    (x,) = inputs
    apart = all(s > d * (k - 1) for k, s, d in zip(kernel, stride, dilation, strict=True))
    tiled = apart and not any(padding) and x.size == out.size * product(kernel)  # every cell is in a window
    gx, left = np.empty_like(x) if tiled else np.zeros_like(x), np.empty_like(out)
    left[...] = g  # what no cell has won so far, in the order of memory of x and out
    every = list(taps(x.shape, out.shape, kernel=kernel, stride=stride, padding=padding, dilation=dilation))
    for cells, windows in every:
        share, rest = left[windows], None
        if (cells, windows) != every[-1]:  # to the last tap goes what no other has won
            won = wins(np.copy(x[cells]), out[windows])  # a copy: what is side by side is compared faster
            share, rest = parted(won, share)
        if apart:
            gx[cells] = share
        else:
            gx[cells] += share
        if rest is not None:
            left[windows] = rest
    return gx


@max_pool_op.public
def max_pool(
    x: ArrayLike,
    kernel: Ints,
    stride: int | Ints | None = None,
    padding: int | Ints = 0,
    dilation: int | Ints = 1,
) -> Array:
    """The maximum over windows of d = 1, 2 or 3 spatial axes, one per entry of `kernel`; in one dimension
    y[..., p] = max_u x[..., stride p + dilation u - padding] over the cells inside x. Of equal cells the first in
    row-major order takes the whole gradient; a nan wins.

    Shapes: x (..., H...) -> (..., P...), along each spatial axis
    P = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. `stride` (None: the kernel), `padding` and
    `dilation` are an int or a tuple of d, in cells.
    Raises ShapeError where the kernel does not fit or an extent is below the dilation, DomainError for stride or
    dilation < 1 or padding outside [0, dilation (kernel - 1)] (every window has a cell), DtypeError.

    >>> max_pool(np.array([[1.0, 2.0, 0.0], [3.0, 3.0, 5.0]]), (2, 2), stride=1)
    array([[3., 5.]])
    """
    window = integers("max_pool", "kernel", kernel)
    gaps = spatial("max_pool", "dilation", dilation, len(window))
    return pooled(max_pool_op, x, window, stride, padding, dilation=gaps)


# avg_pool: y[..., p] = Σ_u x[..., stride p + u - padding] / count[p], count the taps or those inside x

avg_pool_op = Op("avg_pool", inputs=("x",))


def added(x: Array, shape: Shape, **window: Ints) -> Array:
    """The sum over each window, of one axis after the other."""
    for axis, extents, reached in steps(x.shape, shape, **window):
        y = np.zeros_like(x, shape=extents)
        for cells, windows in reached:
            y[slab(axis, windows)] += x[slab(axis, cells)]
        x = y
    return x


def shared(g: Array, shape: Shape, **window: Ints) -> Array:
    """Its transpose: to each cell the sum over the windows that it is in."""
    for axis, _, reached in steps(shape, g.shape, **window):
        x = np.zeros_like(g, shape=(*g.shape[:axis], shape[axis], *g.shape[g.ndim + axis + 1 :]))
        for cells, windows in reached:
            x[slab(axis, cells)] += g[slab(axis, windows)]
        g = x
    return g


def count(x: Array, y: Shape, count_include_pad: bool, kernel: Ints, stride: Ints, padding: Ints) -> Any:
    """What each window is divided by."""
    if count_include_pad or not any(padding):
        return product(kernel)
    along = []
    for extent, windows, taps, step, pad in zip(
        x.shape[-len(kernel) :], y[-len(kernel) :], kernel, stride, padding, strict=True
    ):
        start = np.arange(windows) * step - pad
        along.append(np.minimum(start + taps, extent) - np.maximum(start, 0))
    return reduce(np.multiply.outer, along).astype(x.dtype)


@avg_pool_op.shape_rule
def avg_pool_shape(x: Shape, *, kernel: Ints, stride: Ints, padding: Ints, count_include_pad: bool) -> Shape:
    return pool_shape("avg_pool", x, kernel, stride, padding)


@avg_pool_op.forward
def avg_pool_y(inputs: tuple[Array], *, count_include_pad: bool, **window: Ints) -> tuple[Array, Residual]:
    (x,) = inputs
    shape = pool_shape("avg_pool", x.shape, **window)
    return added(x, shape, **window) / count(x, shape, count_include_pad, **window), None


@avg_pool_op.jvp_of("x")
def avg_pool_dy_x(
    dx: Array, inputs: tuple[Array], out: Array, residual: Residual, *, count_include_pad: bool, **window: Ints
) -> Array:
    result: Array = added(dx, out.shape, **window) / count(dx, out.shape, count_include_pad, **window)
    return result


@avg_pool_op.vjp_of("x")
def avg_pool_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, count_include_pad: bool, **window: Ints
) -> Array:
    (x,) = inputs
    return shared(g / count(x, out.shape, count_include_pad, **window), x.shape, **window)


@avg_pool_op.public
def avg_pool(
    x: ArrayLike,
    kernel: Ints,
    stride: int | Ints | None = None,
    padding: int | Ints = 0,
    count_include_pad: bool = True,
) -> Array:
    """The mean over windows of d = 1, 2 or 3 spatial axes, one per entry of `kernel`; in one dimension
    y[..., p] = Σ_u x[..., stride p + u - padding] / kernel over the cells inside x. With count_include_pad=False a
    window is divided by the number of its cells inside x instead.

    Shapes: x (..., H...) -> (..., P...), along each spatial axis P = floor((H + 2 padding - kernel) / stride) + 1.
    `stride` (None: the kernel) and `padding` are an int or a tuple of d, in cells.
    Raises ShapeError where the kernel does not fit or x is empty along a spatial axis, DomainError for stride < 1 or
    padding outside [0, kernel), DtypeError.

    >>> avg_pool(np.array([1.0, 3.0, 5.0]), (2,), padding=1)
    array([0.5, 4. ])
    >>> avg_pool(np.array([1.0, 3.0, 5.0]), (2,), padding=1, count_include_pad=False)
    array([1., 4.])
    """
    return pooled(avg_pool_op, x, kernel, stride, padding, count_include_pad=bool(count_include_pad))


# smooth_max_pool: y[..., p] = log(Σ_u exp(beta x[..., stride p + u - padding])) / beta; residual (shift, total), where
# total = Σ_u exp(beta (x - shift)) and shift is the x of the window for which beta x is largest

smooth_max_pool_op = Op("smooth_max_pool", inputs=("x",))


@smooth_max_pool_op.shape_rule
def smooth_max_pool_shape(x: Shape, *, kernel: Ints, stride: Ints, padding: Ints, beta: float) -> Shape:
    if beta == 0:
        remedy = "use a positive one, or a negative one for a smooth minimum"
        raise DomainError(describe("smooth_max_pool", "beta must not be 0", remedy, beta=beta))
    return pool_shape("smooth_max_pool", x, kernel, stride, padding)


@smooth_max_pool_op.forward
def smooth_max_pool_y(inputs: tuple[Array], *, beta: float, **window: Ints) -> tuple[Array, Residual]:
    (x,) = inputs
    shape = pool_shape("smooth_max_pool", x.shape, **window)
    sign = 1 if beta > 0 else -1
    shift = sign * largest(sign * x, shape, dilation=(1,) * len(window["kernel"]), **window)
    shift = np.where(np.isfinite(shift), shift, 0)  # inf - inf would be nan
    total = np.zeros_like(shift)
    for cells, windows in taps(x.shape, shape, **window):
        total[windows] += np.exp((x[cells] - shift[windows]) * beta)
    return shift + np.log(total) / beta, (shift, total)


@smooth_max_pool_op.jvp_of("x")
def smooth_max_pool_dy_x(
    dx: Array, inputs: tuple[Array], out: Array, residual: tuple[Array, Array], *, beta: float, **window: Ints
) -> Array:
    (x,), (shift, total) = inputs, residual
    dy = np.zeros_like(dx, shape=out.shape)
    for cells, windows in taps(x.shape, out.shape, **window):
        dy[windows] += np.exp((x[cells] - shift[windows]) * beta) * dx[cells]
    dy /= total
    return dy


@smooth_max_pool_op.vjp_of("x")
def smooth_max_pool_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: tuple[Array, Array], *, beta: float, **window: Ints
) -> Array:
    (x,), (shift, total) = inputs, residual
    gx, share = np.zeros_like(x), g / total
    for cells, windows in taps(x.shape, out.shape, **window):
        gx[cells] += np.exp((x[cells] - shift[windows]) * beta) * share[windows]
    return gx


@smooth_max_pool_op.public
def smooth_max_pool(
    x: ArrayLike,
    kernel: Ints,
    stride: int | Ints | None = None,
    padding: int | Ints = 0,
    beta: float = 1.0,
) -> Array:
    """A smooth maximum (beta > 0) or minimum (beta < 0) over windows of d = 1, 2 or 3 spatial axes, one per entry of
    `kernel`; in one dimension y[..., p] = log(Σ_u exp(beta x[..., stride p + u - padding])) / beta over the cells
    inside x. It is shifted by the x that beta x is largest for, so that no exp overflows.

    Shapes: x (..., H...) -> (..., P...), along each spatial axis P = floor((H + 2 padding - kernel) / stride) + 1.
    `stride` (None: the kernel) and `padding` are an int or a tuple of d, in cells.
    Raises ShapeError where the kernel does not fit or x is empty along a spatial axis, DomainError for beta = 0,
    stride < 1 or padding outside [0, kernel), DtypeError.

    >>> smooth_max_pool(np.array([1000.0, 1000.0, -1000.0]), (2,), stride=1, beta=2.0)
    array([1000.34657359, 1000.        ])
    """
    beta_ = number("smooth_max_pool", "beta", beta)
    if not math.isfinite(beta_):
        raise DomainError(describe("smooth_max_pool", "beta must be finite", "use max_pool for the limit", beta=beta_))
    return pooled(smooth_max_pool_op, x, kernel, stride, padding, beta=beta_)


# adaptive_avg_pool: y[..., p] = mean of x[..., h], floor(p H / P) <= h < ceil((p + 1) H / P), axis by axis

adaptive_avg_pool_op = Op("adaptive_avg_pool", inputs=("x",))


def adaptive_bounds(x: Shape, output_size: Ints) -> list[list[tuple[int, int]]]:
    """(start, end) of the windows along each spatial axis."""
    return [
        [(p * extent // windows, -(-(p + 1) * extent // windows)) for p in range(windows)]
        for extent, windows in zip(x[-len(output_size) :], output_size, strict=True)
    ]


def split(x: Array, axis: int, size: int) -> Array:
    """An axis, counted from the last, as windows and their cells: (..., H, ...) -> (..., H / size, size, ...)."""
    at = x.ndim + axis
    return x.reshape((*x.shape[:at], x.shape[at] // size, size, *x.shape[at + 1 :]))


def window_means(x: Array, output_size: Ints) -> Array:
    for axis, along in enumerate(adaptive_bounds(x.shape, output_size), -len(output_size)):
        size, rest = divmod(x.shape[axis], len(along))
        if rest == 0:  # windows of one size, side by side
            x = split(x, axis, size).sum(axis=axis) / size
            continue
        x = np.stack([x[slab(axis, slice(*at))].sum(axis=axis) / (at[1] - at[0]) for at in along], axis=axis)
    return x


@adaptive_avg_pool_op.shape_rule
def adaptive_avg_pool_shape(x: Shape, *, output_size: Ints) -> Shape:
    op, axes = "adaptive_avg_pool", len(output_size)
    if not 1 <= axes <= 3:
        what, remedy = "output_size needs one entry per spatial axis", "pass a tuple of length 1 to 3"
        raise DomainError(describe(op, what, remedy, output_size=output_size))
    if len(x) < axes:
        remedy = "x needs one spatial axis per entry of output_size"
        raise ShapeError(describe(op, "wrong rank", remedy, x=x, output_size=output_size))
    for extent, windows in zip(x[-axes:], output_size, strict=True):
        if windows < 1:
            remedy = "pass positive integers"
            raise DomainError(describe(op, "output_size must be at least 1", remedy, output_size=output_size))
        if extent < 1:
            raise ShapeError(describe(op, "the input is empty", "its spatial extents are at least 1", x=x))
    return x[:-axes] + output_size


@adaptive_avg_pool_op.forward
def adaptive_avg_pool_y(inputs: tuple[Array], *, output_size: Ints) -> tuple[Array, Residual]:
    return window_means(inputs[0], output_size), None


@adaptive_avg_pool_op.jvp_of("x")
def adaptive_avg_pool_dy_x(
    dx: Array, inputs: tuple[Array], out: Array, residual: Residual, *, output_size: Ints
) -> Array:
    return window_means(dx, output_size)


@adaptive_avg_pool_op.vjp_of("x")
def adaptive_avg_pool_gx(g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, output_size: Ints) -> Array:
    (x,) = inputs
    for axis, along in enumerate(adaptive_bounds(x.shape, output_size), -len(output_size)):
        gx = np.zeros_like(g, shape=(*g.shape[:axis], x.shape[axis], *g.shape[g.ndim + axis + 1 :]))
        size, rest = divmod(x.shape[axis], len(along))
        if rest == 0:
            cells = split(gx, axis, size)
            cells[...] = np.expand_dims(g / size, g.ndim + axis + 1)
            g = gx
            continue
        for p, (start, end) in enumerate(along):
            gx[slab(axis, slice(start, end))] += g[slab(axis, slice(p, p + 1))] / (end - start)
        g = gx
    return g


@adaptive_avg_pool_op.public
def adaptive_avg_pool(x: ArrayLike, output_size: Ints) -> Array:
    """The mean over `output_size` windows along each of d = 1, 2 or 3 spatial axes, one entry per axis; in one
    dimension y[..., p] is the mean of the x[..., h] with floor(p H / P) <= h < ceil((p + 1) H / P), as in PyTorch.

    Shapes: x (..., H...) -> (..., P...), P... = output_size.
    Raises ShapeError where x is empty along a spatial axis, DomainError for output_size < 1, DtypeError.

    >>> adaptive_avg_pool(np.array([1.0, 2.0, 3.0, 4.0, 6.0]), (2,))
    array([2.        , 4.33333333])
    """
    (x_,) = floats("adaptive_avg_pool", x=x)
    return apply(adaptive_avg_pool_op, x_, output_size=integers("adaptive_avg_pool", "output_size", output_size))


# The pools of 1, 2 and 3 spatial axes, whose kernel may be an int.


def max_pool1d(
    x: ArrayLike, kernel: int | Ints, stride: Any = None, padding: int | Ints = 0, dilation: int | Ints = 1
) -> Array:
    """`max_pool` over the last axis: x (..., W) -> (..., Q). `kernel` is an int or a tuple of 1.

    >>> max_pool1d(np.array([1.0, 3.0, 2.0, 0.0]), 2)
    array([3., 2.])
    """
    return max_pool(x, spatial("max_pool1d", "kernel", kernel, 1), stride, padding, dilation)


def max_pool2d(
    x: ArrayLike, kernel: int | Ints, stride: Any = None, padding: int | Ints = 0, dilation: int | Ints = 1
) -> Array:
    """`max_pool` over the last two axes: x (..., H, W) -> (..., P, Q). `kernel` is an int or a tuple of 2.

    >>> max_pool2d(np.array([[1.0, 3.0], [2.0, 0.0]]), 2)
    array([[3.]])
    """
    return max_pool(x, spatial("max_pool2d", "kernel", kernel, 2), stride, padding, dilation)


def max_pool3d(
    x: ArrayLike, kernel: int | Ints, stride: Any = None, padding: int | Ints = 0, dilation: int | Ints = 1
) -> Array:
    """`max_pool` over the last three axes: x (..., D, H, W) -> (..., R, P, Q). `kernel` is an int or a tuple of 3.

    >>> max_pool3d(np.array([[[1.0, 3.0], [2.0, 0.0]]]), (1, 2, 1))
    array([[[2., 3.]]])
    """
    return max_pool(x, spatial("max_pool3d", "kernel", kernel, 3), stride, padding, dilation)


def avg_pool1d(
    x: ArrayLike, kernel: int | Ints, stride: Any = None, padding: int | Ints = 0, count_include_pad: bool = True
) -> Array:
    """`avg_pool` over the last axis: x (..., W) -> (..., Q). `kernel` is an int or a tuple of 1.

    >>> avg_pool1d(np.array([1.0, 3.0, 2.0, 0.0]), 2)
    array([2., 1.])
    """
    return avg_pool(x, spatial("avg_pool1d", "kernel", kernel, 1), stride, padding, count_include_pad)


def avg_pool2d(
    x: ArrayLike, kernel: int | Ints, stride: Any = None, padding: int | Ints = 0, count_include_pad: bool = True
) -> Array:
    """`avg_pool` over the last two axes: x (..., H, W) -> (..., P, Q). `kernel` is an int or a tuple of 2.

    >>> avg_pool2d(np.array([[1.0, 3.0], [2.0, 0.0]]), 2)
    array([[1.5]])
    """
    return avg_pool(x, spatial("avg_pool2d", "kernel", kernel, 2), stride, padding, count_include_pad)


def avg_pool3d(
    x: ArrayLike, kernel: int | Ints, stride: Any = None, padding: int | Ints = 0, count_include_pad: bool = True
) -> Array:
    """`avg_pool` over the last three axes: x (..., D, H, W) -> (..., R, P, Q). `kernel` is an int or a tuple of 3.

    >>> avg_pool3d(np.array([[[1.0, 3.0], [2.0, 0.0]]]), (1, 2, 1))
    array([[[1.5, 1.5]]])
    """
    return avg_pool(x, spatial("avg_pool3d", "kernel", kernel, 3), stride, padding, count_include_pad)
