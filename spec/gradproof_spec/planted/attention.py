"""Planted wrong rules: attention."""

from __future__ import annotations

from typing import Any

from ..ops.attention import (
    allowed,
    centred,
    gcontext,
    gqueries,
    gvalues,
    head_score_cotangents,
    head_weights,
    projected,
    softmax_of,
    weights,
)
from ..terms import TRUE, ZERO, Sum
from .fault import plant


# ---------------------------------------------------------------- scaled_dot_product_attention
def unmasked(q: Any, k: Any, b: Any, n: Any, scale: Any, size: Any) -> Any:
    return softmax_of(lambda m: scale * Sum(q[b, n, e] * k[b, m, e] for e in size.E), lambda m: TRUE, size.M)


def gweight(v: Any, g: Any, b: Any, n: Any, size: Any) -> Any:
    return lambda m: Sum(g[b, n, f] * v[b, m, f] for f in size.F)


plant(
    "scaled_dot_product_attention",
    "gk-without-the-mask",
    "adjoint",
    k=lambda q, k, v, g, b, m, e, scale, size: Sum(
        scale * centred(unmasked(q, k, b, n, scale, size), gweight(v, g, b, n, size), size.M)(m) * q[b, n, e]
        for n in size.N
    ),
)
plant(
    "scaled_dot_product_attention",
    "gv-without-the-mask",
    "adjoint",
    v=lambda q, k, g, b, m, f, scale, size: Sum(unmasked(q, k, b, n, scale, size)(m) * g[b, n, f] for n in size.N),
)
plant(
    "scaled_dot_product_attention",
    "gk-without-scale",
    "adjoint",
    k=lambda case, q, k, v, g, b, m, e, scale, size: Sum(
        centred(weights(case, q, k, b, n, scale, size), gweight(v, g, b, n, size), size.M)(m) * q[b, n, e]
        for n in size.N
    ),
)
plant(
    "scaled_dot_product_attention",
    "gq-without-the-sum",
    "adjoint",
    q=lambda case, q, k, v, g, b, n, e, scale, size: Sum(
        scale * weights(case, q, k, b, n, scale, size)(m) * gweight(v, g, b, n, size)(m) * k[b, m, e] for m in size.M
    ),
)  # 15
plant(
    "scaled_dot_product_attention",
    "weights-held-fixed",
    "derivative",
    jvp=lambda case, q, k, dv, b, n, f, scale, size: Sum(
        weights(case, q, k, b, n, scale, size)(m) * dv[b, m, f] for m in size.M
    ),
    q=lambda g: ZERO,
    k=lambda g: ZERO,
)
plant(
    "scaled_dot_product_attention",
    "blocked-keys-in-the-denominator",
    "derivative",
    forward=lambda q, k, v, b, n, f, scale, size: Sum(
        unmasked(q, k, b, n, scale, size)(m) * v[b, m, f] for m in size.M
    ),
)


# ---------------------------------------------------------------- multi_head_attention
plant(
    "multi_head_attention",
    "gx-of-the-queries-only",
    "adjoint",
    x=lambda case, x, wq, wk, wv, wo, g, b, n, d, scale, size: Sum(
        gqueries(case, x, wq, wk, wv, wo, g, b, n, h, e, scale, size) * wq[d, h, e] for h in size.H for e in size.E
    ),
)


def gwk_with_the_keys(
    case: Any, x: Any, wq: Any, wk: Any, wv: Any, wo: Any, g: Any, d: Any, h: Any, e: Any, scale: Any, size: Any
) -> Any:
    def gs(b: Any, n: Any) -> Any:
        return head_score_cotangents(case, x, wq, wk, wv, wo, g, b, h, n, scale, size)

    return Sum(
        x[b, m, d] * gs(b, n)(m) * projected(x, wk, b, n, h, e, size) for b in size.B for n in size.N for m in size.N
    )


plant("multi_head_attention", "gwk-reads-the-keys", "adjoint", wk=gwk_with_the_keys)
plant(
    "multi_head_attention",
    "gwv-swaps-query-and-key",
    "adjoint",
    wv=lambda case, x, wq, wk, wo, g, d, h, e, scale, size: Sum(
        x[b, n, d] * head_weights(case, x, wq, wk, b, h, n, scale, size)(m) * gcontext(wo, g, b, m, h, e, size)
        for b in size.B
        for n in size.N
        for m in size.N
    ),
)
plant(
    "multi_head_attention",
    "input-moves-the-values-only",
    "derivative",
    x=lambda case, x, wq, wk, wv, wo, g, b, n, d, scale, size: Sum(
        gvalues(case, x, wq, wk, wo, g, b, n, h, e, scale, size) * wv[d, h, e] for h in size.H for e in size.E
    ),
    jvp=lambda case, x, wq, wk, wv, wo, dx, b, n, d, scale, size: Sum(
        head_weights(case, x, wq, wk, b, h, n, scale, size)(m) * projected(dx, wv, b, m, h, e, size) * wo[h, e, d]
        for h in size.H
        for e in size.E
        for m in size.N
    ),
)


# 3: the rows (n, h e) of a projection read as (h, n, e): element (h, n, e) is at position (h n + n) e + e of the matrix
def split_directly(x: Any, w: Any, b: Any, n: Any, h: Any, e: Any, size: Any) -> Any:
    position, width = (h * size.N + n) * size.E + e, size.H * size.E
    row, column = position // width, position % width
    return projected(x, w, b, row, column // size.E, column % size.E, size)


def heads_split_directly(
    case: Any, x: Any, wq: Any, wk: Any, wv: Any, wo: Any, b: Any, n: Any, d: Any, scale: Any, size: Any
) -> Any:
    def context(h: Any, e: Any) -> Any:
        w = softmax_of(
            lambda m: scale * Sum(
                split_directly(x, wq, b, n, h, j, size) * split_directly(x, wk, b, m, h, j, size) for j in size.E
            ),
            allowed(case, b, n),
            size.N,
        )
        return Sum(w(m) * split_directly(x, wv, b, m, h, e, size) for m in size.N)

    return Sum(context(h, e) * wo[h, e, d] for h in size.H for e in size.E)


plant(
    "multi_head_attention",
    "heads-by-direct-reshape",
    "law",
    law="is-its-composition",
    forward=heads_split_directly,
)
