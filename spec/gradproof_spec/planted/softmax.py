"""Planted wrong rules: softmax."""

from __future__ import annotations

from typing import Any

from ..ops.softmax import probability, share
from ..terms import Sum, function
from .fault import plant

plant(
    "softmax",
    "vjp-without-the-sum",
    "adjoint",
    x=lambda x, g, b, n, a, size: probability(x, b, n, a, size) * g[b, n, a],
)  # 15
plant(
    "softmax",
    "sum-without-probability",
    "adjoint",
    x=lambda x, g, b, n, a, size: probability(x, b, n, a, size) * (g[b, n, a] - Sum(g[b, m, a] for m in size.N)),
)
plant(
    "softmax",
    "both-without-the-sum",
    "derivative",
    x=lambda x, g, b, n, a, size: probability(x, b, n, a, size) * g[b, n, a],
    jvp=lambda x, dx, b, n, a, size: probability(x, b, n, a, size) * dx[b, n, a],
)
plant(
    "softmax",
    "over-the-wrong-axis",
    "derivative",
    forward=lambda x, b, n, a, size: function("exp", x[b, n, a]) / Sum(function("exp", x[b, n, c]) for c in size.A),
)


def log_softmax_vjp_as_jvp(x: Any, dx: Any, b: Any, n: Any, a: Any, size: Any) -> Any:
    return dx[b, n, a] - probability(x, b, n, a, size) * Sum(dx[b, m, a] for m in size.N)


plant("log_softmax", "vjp-formula-as-jvp", "derivative", jvp=log_softmax_vjp_as_jvp)  # 1
plant("log_softmax", "vjp-formula-as-jvp-adjoint", "adjoint", jvp=log_softmax_vjp_as_jvp)  # 1
plant(
    "log_softmax",
    "softmax-vjp",
    "adjoint",
    x=lambda x, g, b, n, a, size: g[b, n, a] - Sum(probability(x, b, m, a, size) * g[b, m, a] for m in size.N),
)
plant("log_softmax", "without-the-sum", "adjoint", x=lambda x, g, b, n, a: g[b, n, a])

plant("logsumexp", "vjp-without-probability", "adjoint", x=lambda g, i: g[i])
plant("logsumexp", "vjp-exp-without-the-sum", "adjoint", x=lambda x, g, i, n: function("exp", x[i, n]) * g[i])
plant(
    "logsumexp",
    "mean-of-exp-in-both",
    "derivative",
    jvp=lambda x, dx, i, size: Sum(share(x, i, n, size) * dx[i, n] for n in size.N) / size.N,
    x=lambda x, g, i, n, size: share(x, i, n, size) * g[i] / size.N,
)
