"""Planted wrong rules: convolution."""

from __future__ import annotations

from typing import Any

from ..ops.convolution import correlation, padded
from ..terms import Condition, Sum, equal, indicator
from .fault import plant

plant(
    "conv",
    "padding-sign-flipped",
    "adjoint",
    x=lambda weight, g, batch, c, h, w, size: Sum(  # 14
        indicator(equal(h, size.stride_h * p + u + size.padding_h), equal(w, size.stride_w * q + v - size.padding_w))
        * g[batch, f, p, q]
        * weight[f, c, u, v]
        for f in size.F
        for p in size.P
        for q in size.Q
        for u in size.U
        for v in size.V
    ),
)
plant(
    "conv",
    "kernel-flipped",
    "adjoint",
    x=lambda weight, g, batch, c, h, w, size: Sum(
        indicator(equal(h, size.stride_h * p + u - size.padding_h), equal(w, size.stride_w * q + v - size.padding_w))
        * g[batch, f, p, q]
        * weight[f, c, size.U - 1 - u, v]
        for f in size.F
        for p in size.P
        for q in size.Q
        for u in size.U
        for v in size.V
    ),
)
plant(
    "conv",
    "stride-forgotten-in-gweight",
    "adjoint",
    weight=lambda x, g, f, c, u, v, size: Sum(
        padded(x, batch, c, p + u - size.padding_h, q + v - size.padding_w, size) * g[batch, f, p, q]
        for batch in size.batch
        for p in size.P
        for q in size.Q
    ),
)
plant(
    "conv",
    "padding-read-instead-of-zero",
    "bounds",
    forward=lambda x, weight, bias, batch, f, p, q, size: (
        Sum(
            x[batch, c, size.stride_h * p + u - size.padding_h, size.stride_w * q + v - size.padding_w]
            * weight[f, c, u, v]
            for c in size.C
            for u in size.U
            for v in size.V
        )
        + bias[f]
    ),
)
plant(
    "conv",
    "jvp-forgets-weight",
    "derivative",
    jvp=lambda x, weight, dx, dweight, dbias, batch, f, p, q, size: (
        correlation(dx, weight, batch, f, p, q, size) + dbias[f]
    ),
)


def conv_domain_with_stride_zero(size: Any) -> list[Condition]:
    return [
        *(size.U >= 1, size.V >= 1, size.stride_h >= 0, size.stride_w >= 0, size.padding_h >= 0, size.padding_w >= 0),
        *(size.U <= size.H + 2 * size.padding_h, size.V <= size.W + 2 * size.padding_w),
    ]


plant("conv", "stride-0-allowed", "bounds", fields={"domain": conv_domain_with_stride_zero})  # 4
