"""Pools over 1 to 3 spatial axes. The cells of window p are those of its taps u that lie inside x, not the padding.

h, u and p are tuples, one index per spatial axis, as in convolution.py.
"""
from __future__ import annotations

from math import prod

from ..op import Op, nonzero
from ..terms import Sum, equal, function, in_range, indicator
from .convolution import (
    CELLS,
    TAPS,
    WINDOWS,
    along,
    attributes,
    computed,
    extents,
    hits,
    inside,
    over,
    parameters,
    position,
    signatures,
    windows,
)


def pool_extents():
    return {**computed(TAPS, lambda size: along(size, "kernel")),
            **computed(WINDOWS, lambda size: [
                windows(cells, *rest) for cells, rest in zip(extents(size, CELLS), parameters(size), strict=True)])}


def pool_domain(size):
    """Every window has a cell."""
    return [c for cells, (kernel, stride, padding, dilation) in zip(extents(size, CELLS), parameters(size), strict=True)
            for c in (kernel >= 1, stride >= 1, dilation >= 1, padding >= 0, padding <= dilation * (kernel - 1),
                      cells >= dilation, dilation * (kernel - 1) + 1 <= cells + 2 * padding)]


def pool(name, forms, more="", **fields):
    return Op(name, forms, attributes=attributes("kernel", "stride", "padding", *more.split()),
              extents=pool_extents(), domain=pool_domain, **fields)


X_TO_Y = signatures("x[N,DHW] -> y[N,RPQ]")

# ---------------------------------------------------------------- max_pool
max_pool = pool("max_pool", X_TO_Y, "dilation")


def first_taps(r, p, q, size):
    """Taps among which one is a cell; an axis that the form lacks has one window, of one tap."""
    axes = parameters(size)
    found = [[0, -((stride * i - padding) // dilation)]
             for i, (_, stride, padding, dilation) in zip((r, p, q)[-len(axes):], axes, strict=True)]
    return [[0]] * (3 - len(found)) + found


@max_pool.first_argmax("winner", "t u v", exists=first_taps)
def cell(x, n, r, p, q, t, u, v, size):
    axes = len(parameters(size))
    h = position((r, p, q)[-axes:], (t, u, v)[-axes:], size)
    return cells_only(h, size), x[n, h]


def cells_only(h, size):
    condition = True
    for i, extent in zip(h, extents(size, CELLS), strict=True):
        condition = in_range(i, extent) & condition
    return condition


def won(winner, index, size):
    """The cell that wins a window."""
    n, *p = index
    return position(p, winner(n, *(0,) * (3 - len(p)), *p)[-len(p):], size)


@max_pool.forward
def max_pool_y(x, winner, n, index, size):
    return x[n, won(winner, index, size)]


@max_pool.jvp
def max_pool_dy(dx, winner, n, index, size):
    return dx[n, won(winner, index, size)]


@max_pool.vjp("x")
def max_pool_gx(winner, g, index, size):
    n, *h = index
    return Sum(indicator(*map(equal, won(winner, (n, *p), size), h)) * g[n, p] for p in over(size, WINDOWS))


# ---------------------------------------------------------------- avg_pool
avg_pool = pool("avg_pool", {**X_TO_Y, **{f"{form} without padding": text for form, text in X_TO_Y.items()}})


def count(p, size):
    """What a window is divided by: all its taps, or its cells."""
    if size.case.label.endswith("without padding"):
        return Sum(inside(position(p, u, size), size) for u in over(size, TAPS))
    return prod(extents(size, TAPS))


def average(x, index, size):
    n, *p = index
    total = Sum(inside(h := position(p, u, size), size) * x[n, h] for u in over(size, TAPS))
    return total / count(p, size)


@avg_pool.forward
def avg_pool_y(x, index, size):
    return average(x, index, size)


@avg_pool.jvp
def avg_pool_dy(dx, index, size):
    return average(dx, index, size)


@avg_pool.vjp("x")
def avg_pool_gx(g, index, size):
    n, *h = index
    return Sum(hits(h, p, u, size) * g[n, p] / count(p, size) for u in over(size, TAPS) for p in over(size, WINDOWS))


# ---------------------------------------------------------------- smooth_max_pool
smooth_max_pool = pool("smooth_max_pool", X_TO_Y, reals="beta", elements={"beta": nonzero})


def exp_sum(x, beta, n, p, size):
    return Sum(inside(h := position(p, u, size), size) * function("exp", beta * x[n, h]) for u in over(size, TAPS))


@smooth_max_pool.forward
def smooth_max_pool_y(x, beta, index, size):
    n, *p = index
    return function("log", exp_sum(x, beta, n, p, size)) / beta


@smooth_max_pool.jvp
def smooth_max_pool_dy(x, dx, beta, index, size):
    n, *p = index
    return Sum(inside(h := position(p, u, size), size) * function("exp", beta * x[n, h]) * dx[n, h]
               for u in over(size, TAPS)) / exp_sum(x, beta, n, p, size)


@smooth_max_pool.vjp("x")
def smooth_max_pool_gx(x, g, beta, index, size):
    n, *h = index
    return Sum(hits(h, p, u, size) * function("exp", beta * x[index]) * g[n, p] / exp_sum(x, beta, n, p, size)
               for u in over(size, TAPS) for p in over(size, WINDOWS))


# ---------------------------------------------------------------- adaptive_avg_pool
adaptive_avg_pool = Op(
    "adaptive_avg_pool", X_TO_Y,
    domain=lambda size: [n >= 1 for names in (CELLS, WINDOWS) for n in extents(size, names)])


def bounds(p, size):
    """The cells [start, end) of a window, along each axis: floor(p H / P) and ceil((p + 1) H / P)."""
    return [(i * cells // windows, ((i + 1) * cells + windows - 1) // windows)
            for i, cells, windows in zip(p, extents(size, CELLS), extents(size, WINDOWS), strict=True)]


def share(h, p, size):
    """What a cell counts in a window."""
    cells = prod(end - start for start, end in bounds(p, size))
    inside_it = ((start <= i) & (i < end) for i, (start, end) in zip(h, bounds(p, size), strict=True))
    return indicator(*inside_it) / cells


def adaptive_average(x, index, size):
    n, *p = index
    return Sum(share(h, p, size) * x[n, h] for h in over(size, CELLS))


@adaptive_avg_pool.forward
def adaptive_avg_pool_y(x, index, size):
    return adaptive_average(x, index, size)


@adaptive_avg_pool.jvp
def adaptive_avg_pool_dy(dx, index, size):
    return adaptive_average(dx, index, size)


@adaptive_avg_pool.vjp("x")
def adaptive_avg_pool_gx(g, index, size):
    n, *h = index
    return Sum(share(h, p, size) * g[n, p] for p in over(size, WINDOWS))


for op in (max_pool, avg_pool, smooth_max_pool, adaptive_avg_pool):
    op.register()
