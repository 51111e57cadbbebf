"""Planted wrong rules: pooling."""

from __future__ import annotations

from ..ops.convolution import CELLS, TAPS, WINDOWS, along, extents, hits, inside, over, parameters, position
from ..ops.pooling import average, bounds, count, exp_sum, max_pool, pool_domain, share
from ..terms import Sum, equal, function, indicator
from .fault import plant


# ---------------------------------------------------------------- max_pool
def start(p, size):
    return position(p, (0,) * len(p), size)


def every_tied_cell(g, index, size):  # 8
    n, *h = index
    return Sum(hits(h, p, u, size) * g[n, p] for u in over(size, TAPS) for p in over(size, WINDOWS))


def to_the_window_start(g, index, size):
    n, *h = index
    return Sum(indicator(*map(equal, start(p, size), h)) * g[n, p] for p in over(size, WINDOWS))


def of_the_window_start(dx, index, size):
    n, *p = index
    return inside(start(p, size), size) * dx[n, start(p, size)]


def any_padding(size):
    bounds = [pad <= d * (k - 1) for k, _, pad, d in parameters(size)]
    return [c for c in pool_domain(size) if c not in bounds]


def any_dilation(size):
    bounds = [cells >= d for cells, d in zip(extents(size, CELLS), along(size, "dilation"), strict=True)]
    return [c for c in max_pool.domain(size) if c not in bounds] + [cells >= 1 for cells in extents(size, CELLS)]


plant("max_pool", "every-tied-cell", "adjoint", x=every_tied_cell)
plant("max_pool", "to-the-window-start", "adjoint", x=to_the_window_start)
plant("max_pool", "both-of-the-window-start", "derivative", jvp=of_the_window_start, x=to_the_window_start)
plant("max_pool", "padding-as-wide-as-the-window", "bounds", fields={"domain": any_padding})
plant("max_pool", "dilation-beyond-the-input", "bounds", fields={"domain": any_dilation})


# ---------------------------------------------------------------- avg_pool
def by_the_window(g, index, size):  # 9: the forward divides by the cells where it does not count the padding
    n, *h = index
    taps = Sum(1 for u in over(size, TAPS))
    return Sum(hits(h, p, u, size) * g[n, p] / taps for u in over(size, TAPS) for p in over(size, WINDOWS))


def summed(x, index, size):
    n, *p = index
    return Sum(inside(h := position(p, u, size), size) * x[n, h] for u in over(size, TAPS))


def spread(g, index, size):
    n, *h = index
    return Sum(hits(h, p, u, size) * g[n, p] for u in over(size, TAPS) for p in over(size, WINDOWS))


def stride_forgotten(g, index, size):
    n, *h = index

    def cell(p, u):
        return (i + k - pad for i, k, (_, _, pad, _) in zip(p, u, parameters(size), strict=True))

    return Sum(
        indicator(*map(equal, cell(p, u), h)) * g[n, p] / count(p, size)
        for u in over(size, TAPS)
        for p in over(size, WINDOWS)
    )


plant("avg_pool", "divided-by-the-window-in-the-vjp", "adjoint", x=by_the_window)
plant("avg_pool", "stride-forgotten", "adjoint", x=stride_forgotten)
plant("avg_pool", "both-not-divided", "derivative", jvp=lambda dx, index, size: summed(dx, index, size), x=spread)
plant("avg_pool", "windows-of-padding-alone", "bounds", fields={"domain": any_padding})


# ---------------------------------------------------------------- smooth_max_pool
def times_beta(x, dx, beta, index, size):
    n, *p = index
    total = Sum(
        inside(h := position(p, u, size), size) * function("exp", beta * x[n, h]) * dx[n, h] for u in over(size, TAPS)
    )
    return beta * total / exp_sum(x, beta, n, p, size)


def vjp_times_beta(x, g, beta, index, size):
    n, *h = index
    return Sum(
        hits(h, p, u, size) * beta * function("exp", beta * x[index]) * g[n, p] / exp_sum(x, beta, n, p, size)
        for u in over(size, TAPS)
        for p in over(size, WINDOWS)
    )


def beta_forgotten(x, g, beta, index, size):
    n, *h = index
    return Sum(
        hits(h, p, u, size) * function("exp", x[index]) * g[n, p] / exp_sum(x, beta, n, p, size)
        for u in over(size, TAPS)
        for p in over(size, WINDOWS)
    )


plant("smooth_max_pool", "both-times-beta", "derivative", jvp=times_beta, x=vjp_times_beta)
plant("smooth_max_pool", "beta-forgotten-in-the-weights", "adjoint", x=beta_forgotten)
plant("smooth_max_pool", "jvp-is-the-mean", "derivative", jvp=lambda dx, index, size: average(dx, index, size))
plant("smooth_max_pool", "windows-of-padding-alone", "bounds", fields={"domain": any_padding})
plant("smooth_max_pool", "beta-may-be-0", "bounds", fields={"elements": {}})


# ---------------------------------------------------------------- adaptive_avg_pool
def only_the_window_of(g, index, size):
    """As if the windows did not overlap: each cell is given to the window floor(h P / H)."""
    n, *h = index
    p = tuple(
        i * windows // cells for i, cells, windows in zip(h, extents(size, CELLS), extents(size, WINDOWS), strict=True)
    )
    return share(h, p, size) * g[n, p]


def in_the_window(h, p, size):
    return indicator(*((start <= i) & (i < end) for i, (start, end) in zip(h, bounds(p, size), strict=True)))


def window_sum(dx, index, size):
    n, *p = index
    return Sum(in_the_window(h, p, size) * dx[n, h] for h in over(size, CELLS))


def spread_sum(g, index, size):
    n, *h = index
    return Sum(in_the_window(h, p, size) * g[n, p] for p in over(size, WINDOWS))


def closed_windows(x, index, size):
    """As if the end of a window were in it."""
    n, *p = index
    ends = [(start, end + 1) for start, end in bounds(p, size)]

    def guard(h):
        return indicator(*((start <= i) & (i < end) for i, (start, end) in zip(h, ends, strict=True)))

    def cell(u):
        return tuple(start + i for i, (start, _) in zip(u, ends, strict=True))

    return Sum(guard(cell(u)) * x[n, cell(u)] for u in over(size, CELLS))


plant("adaptive_avg_pool", "windows-do-not-overlap", "adjoint", x=only_the_window_of)
plant("adaptive_avg_pool", "both-not-divided", "derivative", jvp=window_sum, x=spread_sum)
plant("adaptive_avg_pool", "end-in-the-window", "bounds", forward=closed_windows)
