"""Planted wrong rules: reduction."""

from ..terms import Sum, indicator
from .fault import plant

plant("reduce_sum", "vjp-divides", "adjoint", x=lambda g, i, size: g[i] / (size.N + 1))
plant(
    "reduce_sum",
    "jvp-skips-last",
    "derivative",
    jvp=lambda dx, i, size: Sum(indicator(n + 1 < size.N) * dx[i, n] for n in size.N),
)
plant("reduce_sum", "vjp-reads-n", "bounds", x=lambda g, n: g[n])
plant("reduce_mean", "vjp-without-division", "adjoint", x=lambda g, i: g[i])
plant("reduce_mean", "divides-by-the-kept", "adjoint", x=lambda g, i, size: g[i] / (size.I + 1))
plant("reduce_mean", "empty-axis-allowed", "bounds", fields={"domain": None})
