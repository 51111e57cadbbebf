"""Convolutions (cross-correlations) with zero padding."""
from ..op import Op
from ..terms import Sum, equal, in_range, indicator


def windows(extent, kernel, stride, padding):
    """How many windows fit: the output length of convolutions and pools."""
    return (extent + 2 * padding - kernel) // stride + 1


conv = Op(
    "conv", "x[...,C,H,W] weight[F,C,U,V] bias[F] -> y[...,F,P,Q]",
    attributes="stride_h stride_w padding_h padding_w",
    extents={"P": lambda size: windows(size.H, size.U, size.stride_h, size.padding_h),
             "Q": lambda size: windows(size.W, size.V, size.stride_w, size.padding_w)},
    domain=lambda size: [size.U >= 1, size.V >= 1, size.stride_h >= 1, size.stride_w >= 1, size.padding_h >= 0,
                         size.padding_w >= 0,
                         size.U <= size.H + 2 * size.padding_h, size.V <= size.W + 2 * size.padding_w])


def padded(x, batch, c, h, w, size):
    """x with zeros around it."""
    return indicator(in_range(h, size.H), in_range(w, size.W)) * x[batch, c, h, w]


def correlation(x, weight, batch, f, p, q, size):
    return Sum(padded(x, batch, c, size.stride_h * p + u - size.padding_h, size.stride_w * q + v - size.padding_w, size)
               * weight[f, c, u, v] for c in size.C for u in size.U for v in size.V)


@conv.forward
def conv_y(x, weight, bias, batch, f, p, q, size):
    return correlation(x, weight, batch, f, p, q, size) + bias[f]


@conv.jvp
def conv_dy(x, weight, dx, dweight, dbias, batch, f, p, q, size):
    return correlation(dx, weight, batch, f, p, q, size) + correlation(x, dweight, batch, f, p, q, size) + dbias[f]


@conv.vjp("x")
def conv_gx(weight, g, batch, c, h, w, size):
    return Sum(indicator(equal(h, size.stride_h * p + u - size.padding_h),
                         equal(w, size.stride_w * q + v - size.padding_w))
               * g[batch, f, p, q] * weight[f, c, u, v]
               for f in size.F for p in size.P for q in size.Q for u in size.U for v in size.V)


@conv.vjp("weight")
def conv_gweight(x, g, f, c, u, v, size):
    return Sum(padded(x, batch, c, size.stride_h * p + u - size.padding_h, size.stride_w * q + v - size.padding_w, size)
               * g[batch, f, p, q] for batch in size.batch for p in size.P for q in size.Q)


@conv.vjp("bias")
def conv_gbias(g, f, size):
    return Sum(g[batch, f, p, q] for batch in size.batch for p in size.P for q in size.Q)


conv.register()
