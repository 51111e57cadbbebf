"""Pooling tap by tap: for each position (u, v) in the window, a strided slice of x against a slice of the output. A
padded cell is in no slice, so that no minus infinity is needed, and the winner is a real cell also if all are -inf."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import integers, pair
from ..dtypes import floats
from ..errors import DomainError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply

# max_pool: y[..., p, q] = max_u,v x[..., stride p + u - padding, stride q + v - padding]; the first winner in row-major
# order has slope 1

max_pool_op = Op("max_pool", inputs=("x",))

Pair = tuple[int, int]
Cells = tuple[slice, slice]


def reach(tap: int, extent: int, windows: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Along one axis: the cells that a tap reads, and the windows that they belong to."""
    first = max(0, -((tap - padding) // stride))
    last = min(windows - 1, (extent - 1 + padding - tap) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = stride * first + tap - padding
    return slice(start, start + stride * (last - first) + 1, stride), slice(first, last + 1)


def taps(x: Shape, y: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Iterator[tuple[Cells, Cells]]:
    """(cells of x, cells of y) for each tap, row-major."""
    for u in range(kernel[0]):
        rows, p = reach(u, x[-2], y[-2], stride[0], padding[0])
        for v in range(kernel[1]):
            columns, q = reach(v, x[-1], y[-1], stride[1], padding[1])
            yield (rows, columns), (p, q)


def first_cells(x: Array, shape: Shape, stride: Pair, padding: Pair) -> Array:
    """The first real cell of each window: a copy to start the maximum from."""
    rows = np.maximum(np.arange(shape[-2]) * stride[0] - padding[0], 0)
    columns = np.maximum(np.arange(shape[-1]) * stride[1] - padding[1], 0)
    cells: Array = x[..., rows[:, None], columns]
    return cells


def wins(cell: Array, y: Array) -> Array:
    """Whether a cell attains the maximum; a nan is one."""
    result: Array = (cell == y) | (cell != cell)
    return result


@max_pool_op.shape_rule
def max_pool_shape(x: Shape, *, kernel: Pair, stride: Pair, padding: Pair) -> Shape:
    if len(x) < 2:
        raise ShapeError(describe("max_pool", "wrong rank", "pass x (...,H,W)", x=x))
    out: Shape = ()
    for extent, window, step, pad in zip(x[-2:], kernel, stride, padding, strict=True):
        if window < 1:
            raise DomainError(describe("max_pool", "kernel must be at least 1", "use (1, 1) or more", kernel=kernel))
        if step < 1:
            remedy = "pass a positive stride"
            raise DomainError(describe("max_pool", "stride must be at least 1", remedy, stride=stride))
        if pad < 0 or pad > window - 1:
            remedy = "use 0 <= padding < kernel"
            raise DomainError(
                describe("max_pool", "a window could be all padding", remedy, kernel=kernel, padding=padding)
            )
        if extent < 1:
            raise ShapeError(describe("max_pool", "the input is empty", "H and W must be at least 1", x=x))
        if extent + 2 * pad < window:
            what, remedy = "the kernel is larger than the padded input", "pad more or use a smaller kernel"
            raise ShapeError(describe("max_pool", what, remedy, x=x, kernel=kernel, padding=padding))
        out += ((extent + 2 * pad - window) // step + 1,)
    return x[:-2] + out


@max_pool_op.forward
def max_pool_y(inputs: tuple[Array], *, kernel: Pair, stride: Pair, padding: Pair) -> tuple[Array, Residual]:
    (x,) = inputs
    y = first_cells(x, max_pool_shape(x.shape, kernel=kernel, stride=stride, padding=padding), stride, padding)
    for cells, windows in taps(x.shape, y.shape, kernel, stride, padding):
        y[..., *windows] = np.maximum(y[..., *windows], x[..., *cells])
    return y, None


@max_pool_op.jvp_of("x")
def max_pool_dy_x(
    dx: Array, inputs: tuple[Array], out: Array, residual: Residual, *, kernel: Pair, stride: Pair, padding: Pair
) -> Array:
    (x,) = inputs
    dy = np.zeros_like(dx, shape=out.shape)
    backwards = reversed(list(taps(x.shape, out.shape, kernel, stride, padding)))  # so that the first has the last word
    for cells, windows in backwards:
        won = wins(x[..., *cells], out[..., *windows])
        dy[..., *windows] = np.where(won, dx[..., *cells], dy[..., *windows])
    return dy


@max_pool_op.vjp_of("x")
def max_pool_gx(
    g: Array, inputs: tuple[Array], out: Array, residual: Residual, *, kernel: Pair, stride: Pair, padding: Pair
) -> Array:
    (x,) = inputs
    gx = np.zeros_like(x)
    left = g.copy()  # what no cell has won so far
    for cells, windows in taps(x.shape, out.shape, kernel, stride, padding):
        won = wins(x[..., *cells], out[..., *windows])
        gx[..., *cells] += np.where(won, left[..., *windows], 0)
        left[..., *windows] = np.where(won, 0, left[..., *windows])
    return gx


@max_pool_op.public
def max_pool(
    x: ArrayLike,
    kernel: tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
) -> Array:
    """y[..., p, q] = max_u,v x[..., stride p + u - padding, stride q + v - padding] over the real cells. Of equal cells
    the first in row-major order takes the whole gradient; a nan wins.

    Shapes: x (...,H,W) -> (...,P,Q), P = floor((H + 2 padding - U) / stride) + 1 for kernel = (U, V), and Q likewise.
    `stride` (None: the kernel) and `padding` are an int or (vertical, horizontal), in cells.
    Raises ShapeError where the kernel does not fit, DomainError for stride < 1 or padding outside [0, kernel),
    DtypeError.

    >>> max_pool(np.array([[1.0, 2.0, 0.0], [3.0, 3.0, 5.0]]), (2, 2), stride=1)
    array([[3., 5.]])
    """
    (x_,) = floats("max_pool", x=x)
    window = pair("max_pool", "kernel", integers("max_pool", "kernel", kernel))
    steps = window if stride is None else pair("max_pool", "stride", stride)
    return apply(max_pool_op, x_, kernel=window, stride=steps, padding=pair("max_pool", "padding", padding))
