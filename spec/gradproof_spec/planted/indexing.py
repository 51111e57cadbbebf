"""Planted wrong rules: indexing."""

from ..terms import Sum, equal, in_range, indicator
from .fault import plant

plant("gather_rows", "jvp-zero", "derivative", jvp=lambda dx, indices, k, c, size: 0 * dx[0, c])  # 2
plant("gather_rows", "jvp-zero-adjoint", "adjoint", jvp=lambda dx, indices, k, c, size: 0 * dx[0, c])  # 2
plant(
    "gather_rows",
    "repeats-dropped",
    "adjoint",  # 13: only the first row that reads r keeps its cotangent
    x=lambda indices, g, r, c, size: Sum(
        indicator(equal(indices[k], r)) * g[k, c] / (1 + Sum(indicator(equal(indices[j], r), j < k) for j in size.K))
        for k in size.K
    ),
)
plant("gather_rows", "no-bounds-guard", "bounds", forward=lambda x, indices, k, c, size: x[indices[k], c])
plant(
    "gather_rows",
    "clipped-instead-of-zero",
    "derivative",
    forward=lambda x, indices, k, c, size: (
        indicator(in_range(indices[k], size.R)) * x[indices[k], c] + indicator(indices[k] < 0, size.R >= 1) * x[0, c]
    ),
)

plant(
    "scatter_add",
    "jvp-ignores-v",
    "derivative",
    jvp=lambda dx, r, c: dx[r, c],
)
plant(
    "scatter_add",
    "both-ignore-v",
    "derivative",
    jvp=lambda dx, r, c: dx[r, c],
    v=lambda indices, g, k, c, size: 0 * indicator(in_range(indices[k], size.R)) * g[indices[k], c],
)
plant("scatter_add", "no-bounds-guard", "bounds", v=lambda indices, g, k, c: g[indices[k], c])
plant(
    "scatter_add",
    "vjp-x-loses-what-is-added-to",
    "adjoint",
    x=lambda indices, g, r, c, size: (
        indicator(equal(Sum(indicator(equal(indices[k], r)) for k in size.K), 0)) * g[r, c]
    ),
)
plant(
    "scatter_add",
    "clipped-instead-of-dropped",
    "derivative",
    forward=lambda x, v, indices, r, c, size: (
        x[r, c] + Sum(indicator(equal(indices[k], r) | (indices[k] < 0) & equal(r, 0)) * v[k, c] for k in size.K)
    ),
)
