"""Planted wrong rules: linalg."""

from ..terms import Sum, indicator
from .fault import plant

plant(
    "linear",
    "bias-forgotten-in-jvp",
    "derivative",
    jvp=lambda x, weight, dx, dweight, dbias, batch, o, size: Sum(
        dx[batch, i] * weight[o, i] + x[batch, i] * dweight[o, i] for i in size.I
    ),
)
plant("linear", "gbias-doubled", "adjoint", bias=lambda g, o, size: 2 * Sum(g[batch, o] for batch in size.batch))
plant(
    "linear",
    "gweight-transposed",
    "bounds",
    weight=lambda x, g, o, i, size: Sum(g[batch, i] * x[batch, o] for batch in size.batch),
)
plant(
    "matmul",
    "not-transposed",
    "bounds",
    a=lambda b, g, batch, n, k, size: Sum(g[batch, n, m] * b[batch, m, k] for m in size.M),
)
plant(
    "matmul",
    "wrong-extent",
    "bounds",
    a=lambda b, g, batch, n, k, size: Sum(g[batch, n, m] * b[batch, k, m] for m in size.N),
)
plant(
    "matmul", "sign", "adjoint", b=lambda a, g, batch, k, m, size: -Sum(a[batch, n, k] * g[batch, n, m] for n in size.N)
)
plant(
    "matmul",
    "skips-last-row",
    "adjoint",
    b=lambda a, g, batch, k, m, size: Sum(indicator(n + 1 < size.N) * a[batch, n, k] * g[batch, n, m] for n in size.N),
)
plant(
    "matmul",
    "jvp-one-term",
    "derivative",
    jvp=lambda da, b, db, batch, n, m, size: Sum(da[batch, n, k] * b[batch, k, m] for k in size.K),
)
