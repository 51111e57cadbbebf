"""Planted wrong rules: reduction."""

from ..ops.reduction import best, deviation, number_of_best
from ..terms import Sum, equal, indicator
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

plant(
    "var",
    "vjp-without-the-2",
    "adjoint",
    x=lambda x, g, i, n, size: deviation(x, i, n, size) * g[i] / (size.N - size.correction),
)
plant(
    "var",
    "vjp-without-the-mean",
    "adjoint",
    x=lambda x, g, i, n, size: 2 * x[i, n] * g[i] / (size.N - size.correction),
)
plant(
    "var",
    "both-without-correction",
    "derivative",
    jvp=lambda x, dx, i, size: 2 * Sum(deviation(x, i, n, size) * dx[i, n] for n in size.N) / size.N,
    x=lambda x, g, i, n, size: 2 * deviation(x, i, n, size) * g[i] / size.N,
)
plant("var", "as-many-as-the-correction", "bounds", fields={"domain": lambda size: [size.N >= 1]})

for op in ("max_axis", "min_axis"):
    plant(
        op,
        "all-of-g-to-each-tie",
        "adjoint",
        x=lambda x, winner, g, i, n: best(x, winner, i, n) * g[i],
    )
    plant(
        op,
        "all-to-the-first-in-the-vjp",
        "adjoint",
        x=lambda winner, g, i, n: indicator(equal(n, winner(i)[0])) * g[i],
    )
    plant(
        op,
        "sum-over-ties-in-both",
        "kink",
        jvp=lambda x, winner, dx, i, size: Sum(best(x, winner, i, n) * dx[i, n] for n in size.N),
        x=lambda x, winner, g, i, n: best(x, winner, i, n) * g[i],
    )
    plant(
        op,
        "the-others-in-both",
        "derivative",
        jvp=lambda x, winner, dx, i, size: (
            Sum((1 - best(x, winner, i, n)) * dx[i, n] for n in size.N) / number_of_best(x, winner, i, size)
        ),
        x=lambda x, winner, g, i, n, size: (1 - best(x, winner, i, n)) * g[i] / number_of_best(x, winner, i, size),
    )
    plant(op, "empty-axis-allowed", "bounds", fields={"domain": None})

plant(
    "cumsum",
    "vjp-not-reversed",
    "adjoint",
    x=lambda g, b, n, a, size: Sum(indicator(m <= n) * g[b, m, a] for m in size.N),
)
plant(
    "cumsum",
    "exclusive-in-both",
    "derivative",
    jvp=lambda dx, b, n, a, size: Sum(indicator(m < n) * dx[b, m, a] for m in size.N),
    x=lambda g, b, n, a, size: Sum(indicator(m > n) * g[b, m, a] for m in size.N),
)
plant(
    "cumsum",
    "reads-the-next",
    "bounds",
    jvp=lambda dx, b, n, a, size: Sum(indicator(m <= n) * dx[b, m + 1, a] for m in size.N),
)
