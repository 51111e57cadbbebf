"""Convolutions (cross-correlations) with zero padding, over 1 to 3 spatial axes: each formula is written once.

j counts the groups, c and f the channels inside one. h, u and p are tuples, one index per spatial axis: h a cell of the
larger tensor, u a tap of the kernel, p a window. Tap u of window p is the cell stride p + dilation u - padding.
"""
from __future__ import annotations

from ..op import Extents, Op
from ..terms import Sum, equal, in_range, indicator, to_index

CELLS, TAPS, WINDOWS = "DHW", "TUV", "RPQ"
FORMS = {"1 spatial axis": 1, "2 spatial axes": 2, "3 spatial axes": 3}


def signatures(text):
    """A signature per form: DHW, TUV and RPQ become the last axes of each."""
    def of(count):
        axes = text
        for names in (CELLS, TAPS, WINDOWS):
            axes = axes.replace(names, ",".join(names[-count:]))
        return axes

    return {form: of(count) for form, count in FORMS.items()}


def attributes(*names):
    return " ".join(f"{name}_{axis}" for name in names for axis in CELLS.lower())


def spatial(size):
    return next(count for form, count in FORMS.items() if size.case.label.startswith(form))


def extents(size, names):
    """The extents CELLS, TAPS or WINDOWS of the form's spatial axes."""
    return tuple(getattr(size, name) for name in names[-spatial(size):])


def over(size, names):
    """The same to sum over: `for u in over(size, TAPS)` gives a tuple of indices."""
    return Extents(extents(size, names))


def along(size, name):
    """An attribute, for each of the form's spatial axes. An op without dilation has dilation 1."""
    if f"{name}_w" not in size.case.op.attributes:
        return (to_index(1),) * spatial(size)
    return tuple(getattr(size, f"{name}_{axis}") for axis in CELLS.lower()[-spatial(size):])


def computed(names, rule):
    """extents= for CELLS, TAPS or WINDOWS: the rule gives those of the form's spatial axes, the others are 1."""
    return {name: lambda size, k=k: rule(size)[k] if -k <= spatial(size) else to_index(1)
            for k, name in zip((-3, -2, -1), names, strict=True)}


def windows(extent, kernel, stride, padding, dilation):
    """How many windows fit: the output length of convolutions and pools."""
    return (extent + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def covered(count, kernel, stride, padding, dilation, output_padding):
    """How many cells so many windows cover, without the padding: the output length of transposed convolutions."""
    return (count - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1


def parameters(size):
    """(kernel, stride, padding, dilation) of each spatial axis."""
    return list(zip(extents(size, TAPS), *(along(size, n) for n in ("stride", "padding", "dilation")), strict=True))


def position(p, u, size):
    return tuple(s * i + d * k - pad for i, k, (_, s, pad, d) in zip(p, u, parameters(size), strict=True))


def inside(h, size):
    return indicator(*(in_range(i, n) for i, n in zip(h, extents(size, CELLS), strict=True)))


def hits(h, p, u, size):
    """[tap u of window p is h]"""
    return indicator(*map(equal, position(p, u, size), h))


def usual_domain(size):
    return [size.J >= 1, *(c for kernel, stride, padding, dilation in parameters(size)
                           for c in (kernel >= 1, stride >= 1, padding >= 0, dilation >= 1))]


# ---------------------------------------------------------------- conv
conv = Op(
    "conv", signatures("x[N,J,C,DHW] weight[J,F,C,TUV] bias[J,F] -> y[N,J,F,RPQ]"),
    attributes=attributes("stride", "padding", "dilation"),
    extents=computed(WINDOWS, lambda size: [
        windows(cells, *rest) for cells, rest in zip(extents(size, CELLS), parameters(size), strict=True)]),
    domain=lambda size: usual_domain(size) + [
        dilation * (kernel - 1) + 1 <= cells + 2 * padding
        for cells, (kernel, _, padding, dilation) in zip(extents(size, CELLS), parameters(size), strict=True)])


def correlation(x, weight, index, size):
    n, j, f, *p = index
    return Sum(inside(h := position(p, u, size), size) * x[n, j, c, h] * weight[j, f, c, u]
               for c in size.C for u in over(size, TAPS))


@conv.forward
def conv_y(x, weight, bias, index, size):
    _, j, f, *_ = index
    return correlation(x, weight, index, size) + bias[j, f]


@conv.jvp
def conv_dy(x, weight, dx, dweight, dbias, index, size):
    _, j, f, *_ = index
    return correlation(dx, weight, index, size) + correlation(x, dweight, index, size) + dbias[j, f]


@conv.vjp("x")
def conv_gx(weight, g, index, size):
    n, j, c, *h = index
    return Sum(hits(h, p, u, size) * g[n, j, f, p] * weight[j, f, c, u]
               for f in size.F for p in over(size, WINDOWS) for u in over(size, TAPS))


@conv.vjp("weight")
def conv_gweight(x, g, index, size):
    j, f, c, *u = index
    return Sum(inside(h := position(p, u, size), size) * x[n, j, c, h] * g[n, j, f, p]
               for n in size.N for p in over(size, WINDOWS))


@conv.vjp("bias")
def conv_gbias(g, j, f, size):
    return Sum(g[n, j, f, p] for n in size.N for p in over(size, WINDOWS))


# ---------------------------------------------------------------- conv_transpose
conv_transpose = Op(
    "conv_transpose", signatures("x[N,J,C,RPQ] weight[J,C,F,TUV] bias[J,F] -> y[N,J,F,DHW]"),
    attributes=attributes("stride", "padding", "dilation", "output_padding"),
    extents=computed(CELLS, lambda size: [
        covered(count, kernel, stride, padding, dilation, extra)
        for count, (kernel, stride, padding, dilation), extra in zip(
            extents(size, WINDOWS), parameters(size), along(size, "output_padding"), strict=True)]),
    domain=lambda size: usual_domain(size) + [
        c for count, cells, stride, extra in zip(
            *(extents(size, n) for n in (WINDOWS, CELLS)), *(along(size, n) for n in ("stride", "output_padding")),
            strict=True)
        for c in (count >= 1, extra >= 0, extra < stride, cells >= 1)])


def scattered(x, weight, index, size):
    n, j, f, *h = index
    return Sum(hits(h, p, u, size) * x[n, j, c, p] * weight[j, c, f, u]
               for c in size.C for p in over(size, WINDOWS) for u in over(size, TAPS))


@conv_transpose.forward
def conv_transpose_y(x, weight, bias, index, size):
    _, j, f, *_ = index
    return scattered(x, weight, index, size) + bias[j, f]


@conv_transpose.jvp
def conv_transpose_dy(x, weight, dx, dweight, dbias, index, size):
    _, j, f, *_ = index
    return scattered(dx, weight, index, size) + scattered(x, dweight, index, size) + dbias[j, f]


@conv_transpose.vjp("x")
def conv_transpose_gx(weight, g, index, size):
    n, j, c, *p = index
    return Sum(inside(h := position(p, u, size), size) * g[n, j, f, h] * weight[j, c, f, u]
               for f in size.F for u in over(size, TAPS))


@conv_transpose.vjp("weight")
def conv_transpose_gweight(x, g, index, size):
    j, c, f, *u = index
    return Sum(inside(h := position(p, u, size), size) * x[n, j, c, p] * g[n, j, f, h]
               for n in size.N for p in over(size, WINDOWS))


@conv_transpose.vjp("bias")
def conv_transpose_gbias(g, j, f, size):
    return Sum(g[n, j, f, h] for n in size.N for h in over(size, CELLS))


for op in (conv, conv_transpose):
    op.register()
