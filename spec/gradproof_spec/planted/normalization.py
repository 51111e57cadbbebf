"""Planted wrong rules: normalization."""

from ..ops.normalization import mean, standardized
from ..terms import Sum, function
from .fault import plant

plant(
    "layer_norm",
    "without-mean-of-g-xhat",
    "adjoint",
    x=lambda x, gamma, g, eps, batch, d, size: (  # 10
        standardized(x, eps, batch, size)[1] * (g[batch, d] * gamma[d] - mean(lambda e: g[batch, e] * gamma[e], size))
    ),
)
plant(
    "layer_norm",
    "without-mean-of-g",
    "adjoint",
    x=lambda x, gamma, g, eps, batch, d, size: (
        standardized(x, eps, batch, size)[1]
        * (
            g[batch, d] * gamma[d]
            - standardized(x, eps, batch, size)[0](d)
            * mean(lambda e: standardized(x, eps, batch, size)[0](e) * g[batch, e] * gamma[e], size)
        )
    ),
)
plant(
    "layer_norm",
    "variance-as-constant",
    "derivative",
    jvp=lambda x, gamma, dx, dgamma, dbeta, eps, batch, d, size: (
        standardized(x, eps, batch, size)[1] * (dx[batch, d] - mean(lambda e: dx[batch, e], size)) * gamma[d]
        + standardized(x, eps, batch, size)[0](d) * dgamma[d]
        + dbeta[d]
    ),
)
plant(
    "layer_norm",
    "eps-forgotten",
    "bounds",
    forward=lambda x, batch, d, size: (
        x[batch, d] / function("sqrt", mean(lambda e: (x[batch, e] - mean(lambda c: x[batch, c], size)) ** 2, size))
    ),
)
plant(
    "layer_norm",
    "gbeta-scaled",
    "adjoint",
    beta=lambda gamma, g, d, size: Sum(g[batch, d] * gamma[d] for batch in size.batch),
)
