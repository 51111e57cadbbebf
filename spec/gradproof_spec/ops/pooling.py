"""Pools. The window of output (p, q) has the cells (u, v); its real cells are those inside the input."""
from ..op import Op
from ..terms import Sum, equal, in_range, indicator
from .convolution import windows

max_pool = Op(
    "max_pool", "x[...,H,W] -> y[...,P,Q]",
    attributes="U V stride_h stride_w padding_h padding_w",
    extents={"P": lambda size: windows(size.H, size.U, size.stride_h, size.padding_h),
             "Q": lambda size: windows(size.W, size.V, size.stride_w, size.padding_w)},
    domain=lambda size: [size.U >= 1, size.V >= 1, size.stride_h >= 1, size.stride_w >= 1, size.H >= 1, size.W >= 1,
                         size.padding_h >= 0, size.padding_w >= 0, size.padding_h < size.U, size.padding_w < size.V,
                         size.U <= size.H + 2 * size.padding_h, size.V <= size.W + 2 * size.padding_w])


def position(p, q, u, v, size):
    return size.stride_h * p + u - size.padding_h, size.stride_w * q + v - size.padding_w


@max_pool.first_argmax("winner", "u v", exists=lambda p, q, size: (
    [0, size.padding_h - size.stride_h * p], [0, size.padding_w - size.stride_w * q]))
def cell(x, batch, p, q, u, v, size):
    h, w = position(p, q, u, v, size)
    return in_range(h, size.H) & in_range(w, size.W), x[batch, h, w]


@max_pool.forward
def max_pool_y(x, winner, batch, p, q, size):
    return x[batch, position(p, q, *winner(batch, p, q), size)]


@max_pool.jvp
def max_pool_dy(dx, winner, batch, p, q, size):
    return dx[batch, position(p, q, *winner(batch, p, q), size)]


@max_pool.vjp("x")
def max_pool_gx(winner, g, batch, h, w, size):
    def hit(p, q):
        i, j = position(p, q, *winner(batch, p, q), size)
        return indicator(equal(i, h), equal(j, w))

    return Sum(hit(p, q) * g[batch, p, q] for p in size.P for q in size.Q)


max_pool.register()
