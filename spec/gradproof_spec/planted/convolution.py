"""Planted wrong rules: convolution."""

from __future__ import annotations

from ..ops.convolution import (
    CELLS,
    TAPS,
    WINDOWS,
    along,
    computed,
    conv,
    conv_transpose,
    correlation,
    extents,
    hits,
    inside,
    over,
    parameters,
    position,
    scattered,
)
from ..terms import Sum, equal, indicator, to_index
from .fault import plant


# ---------------------------------------------------------------- conv
def padding_sign_flipped(weight, g, index, size):  # 14
    n, j, c, *h = index

    def hit(p, u):
        at = (s * i + d * k + pad for i, k, (_, s, pad, d) in zip(p, u, parameters(size), strict=True))
        return indicator(*map(equal, at, h))

    return Sum(
        hit(p, u) * g[n, j, f, p] * weight[j, f, c, u]
        for f in size.F
        for u in over(size, TAPS)
        for p in over(size, WINDOWS)
    )


def kernel_flipped(weight, g, index, size):
    n, j, c, *h = index

    def flipped(u):
        return tuple(extent - 1 - i for extent, i in zip(extents(size, TAPS), u, strict=True))

    return Sum(
        hits(h, p, u, size) * g[n, j, f, p] * weight[j, f, c, flipped(u)]
        for f in size.F
        for u in over(size, TAPS)
        for p in over(size, WINDOWS)
    )


def dilation_forgotten(x, g, index, size):
    j, f, c, *u = index

    def cell(p):
        return tuple(s * i + k - pad for i, k, (_, s, pad, _) in zip(p, u, parameters(size), strict=True))

    return Sum(inside(cell(p), size) * x[n, j, c, cell(p)] * g[n, j, f, p] for n in size.N for p in over(size, WINDOWS))


def padding_read(x, weight, bias, index, size):
    n, j, f, *p = index
    return (
        Sum(x[n, j, c, position(p, u, size)] * weight[j, f, c, u] for c in size.C for u in over(size, TAPS))
        + bias[j, f]
    )


def weight_forgotten(x, weight, dx, dweight, dbias, index, size):
    _, j, f, *_ = index
    return correlation(dx, weight, index, size) + dbias[j, f]


def first_group_read(weight, g, index, size):
    n, j, c, *h = index
    return Sum(
        hits(h, p, u, size) * g[n, j, f, p] * weight[0, f, c, u]
        for f in size.F
        for u in over(size, TAPS)
        for p in over(size, WINDOWS)
    )


plant("conv", "padding-sign-flipped", "adjoint", x=padding_sign_flipped)
plant("conv", "kernel-flipped", "adjoint", x=kernel_flipped)
plant("conv", "dilation-forgotten-in-gweight", "adjoint", weight=dilation_forgotten)
plant("conv", "first-group-for-all", "adjoint", x=first_group_read)
plant("conv", "padding-read-instead-of-zero", "bounds", forward=padding_read)
plant("conv", "both-forget-weight", "derivative", jvp=weight_forgotten, weight=lambda x, g, index, size: 0)


# 4: division by 0 gives 0, so stride 0 has one output, which the forward computes; no cell's gradient reads it
def stride_zero(size):
    strides = along(size, "stride")
    return [c for c in conv.domain(size) if c not in [s >= 1 for s in strides]] + [equal(s, 0) for s in strides]


def nothing_at_stride_zero(weight, g, index, size):
    n, j, c, *h = index
    return Sum(
        indicator(*(s >= 1 for s in along(size, "stride"))) * hits(h, p, u, size) * g[n, j, f, p] * weight[j, f, c, u]
        for f in size.F
        for u in over(size, TAPS)
        for p in over(size, WINDOWS)
    )


ONE_WINDOW = computed(WINDOWS, lambda size: [to_index(1)] * len(extents(size, CELLS)))
plant(
    "conv",
    "phantom-output-at-stride-0",
    "adjoint",
    fields={"domain": stride_zero, "extents": ONE_WINDOW},
    x=nothing_at_stride_zero,
)


def stride_zero_allowed(size):
    strides = along(size, "stride")
    return [c for c in conv.domain(size) if c not in [s >= 1 for s in strides]] + [s >= 0 for s in strides]


plant("conv", "stride-0-allowed", "bounds", fields={"domain": stride_zero_allowed})


# ---------------------------------------------------------------- conv_transpose
def stride_forgotten(x, g, index, size):
    j, c, f, *u = index

    def cell(p):
        return tuple(i + d * k - pad for i, k, (_, _, pad, d) in zip(p, u, parameters(size), strict=True))

    return Sum(inside(cell(p), size) * x[n, j, c, p] * g[n, j, f, cell(p)] for n in size.N for p in over(size, WINDOWS))


def cropped_read(weight, g, index, size):
    n, j, c, *p = index
    return Sum(g[n, j, f, position(p, u, size)] * weight[j, c, f, u] for f in size.F for u in over(size, TAPS))


def transpose_forgets_x(x, weight, dx, dweight, dbias, index, size):
    _, j, f, *_ = index
    return scattered(x, dweight, index, size) + dbias[j, f]


def any_output_padding(size):
    return [c for c in conv_transpose.domain(size) if c not in [e >= 1 for e in extents(size, CELLS)]]


plant("conv_transpose", "stride-forgotten-in-gweight", "adjoint", weight=stride_forgotten)
plant("conv_transpose", "cropped-cell-read", "bounds", x=cropped_read)
plant(
    "conv_transpose",
    "both-forget-x",
    "derivative",
    jvp=transpose_forgets_x,
    x=lambda weight, g, index, size: 0,
)
plant("conv_transpose", "output-all-cropped", "bounds", fields={"domain": any_output_padding})
