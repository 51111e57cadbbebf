"""Planted wrong rules: pooling."""

from ..ops.pooling import position
from ..terms import Sum, equal, in_range, indicator
from .fault import plant

plant(
    "max_pool",
    "every-tied-cell",
    "adjoint",
    x=lambda x, g, batch, h, w, size: Sum(  # 8
        indicator(equal(size.stride_h * p + u - size.padding_h, h), equal(size.stride_w * q + v - size.padding_w, w))
        * g[batch, p, q]
        for p in size.P
        for q in size.Q
        for u in size.U
        for v in size.V
    ),
)
plant(
    "max_pool",
    "to-the-window-start",
    "adjoint",
    x=lambda g, batch, h, w, size: Sum(
        indicator(*(equal(s, t) for s, t in zip(position(p, q, 0, 0, size), (h, w), strict=True))) * g[batch, p, q]
        for p in size.P
        for q in size.Q
    ),
)
plant(
    "max_pool",
    "padding-as-wide-as-the-window",
    "bounds",
    fields={
        "domain": lambda size: [
            size.U >= 1,
            size.V >= 1,
            size.stride_h >= 1,
            size.stride_w >= 1,
            size.H >= 1,
            size.W >= 1,
            size.padding_h >= 0,
            size.padding_w >= 0,
            size.U <= size.H + 2 * size.padding_h,
            size.V <= size.W + 2 * size.padding_w,
        ]
    },
)
plant(
    "max_pool",
    "jvp-of-the-first-cell",
    "derivative",
    jvp=lambda dx, winner, batch, p, q, size: (
        indicator(*(in_range(i, n) for i, n in zip(position(p, q, 0, 0, size), (size.H, size.W), strict=True)))
        * dx[batch, position(p, q, 0, 0, size)]
    ),
)
