"""Planted wrong rules: normalization."""

from ..ops.normalization import HALF, group, inverse_deviation, mean, row, scaled, scaled_along, standardized
from ..terms import Sum, function
from .fault import plant


def without_projection(t, x, eps, over):  # 10 and 11: the variance as a constant
    _, inverse = standardized(x, eps, over)
    return lambda *i: inverse * (t(*i) - mean(t, over))


plant(
    "layer_norm",
    "without-mean-of-g-xhat",
    "adjoint",
    x=lambda x, gamma, g, eps, batch, d, size: (  # 10
        without_projection(lambda e: g[batch, e] * gamma[e], row(x, batch), eps, [size.D])(d)
    ),
)
plant(
    "layer_norm",
    "without-mean-of-g",
    "adjoint",
    x=lambda x, gamma, g, eps, batch, d, size: (
        standardized(row(x, batch), eps, [size.D])[1]
        * (
            g[batch, d] * gamma[d]
            - standardized(row(x, batch), eps, [size.D])[0](d)
            * mean(lambda e: standardized(row(x, batch), eps, [size.D])[0](e) * g[batch, e] * gamma[e], [size.D])
        )
    ),
)
plant(
    "layer_norm",
    "variance-as-constant",
    "derivative",
    jvp=lambda x, gamma, dx, dgamma, dbeta, eps, batch, d, size: (
        without_projection(row(dx, batch), row(x, batch), eps, [size.D])(d) * gamma[d]
        + standardized(row(x, batch), eps, [size.D])[0](d) * dgamma[d]
        + dbeta[d]
    ),
)
plant(
    "layer_norm",
    "eps-forgotten",
    "bounds",
    forward=lambda x, batch, d, size: (
        x[batch, d]
        / function("sqrt", mean(lambda e: (x[batch, e] - mean(lambda c: x[batch, c], [size.D])) ** 2, [size.D]))
    ),
)
plant(
    "layer_norm",
    "gbeta-scaled",
    "adjoint",
    beta=lambda gamma, g, d, size: Sum(g[batch, d] * gamma[d] for batch in size.batch),
)

plant(
    "rms_norm",
    "scale-as-constant",
    "adjoint",
    x=lambda x, gamma, g, eps, batch, d, size: scaled(row(x, batch), eps, [size.D])[1] * g[batch, d] * gamma[d],
)
plant(
    "rms_norm",
    "scale-as-constant-in-both",
    "derivative",
    jvp=lambda x, gamma, dx, dgamma, eps, batch, d, size: (
        scaled(row(x, batch), eps, [size.D])[1] * dx[batch, d] * gamma[d]
        + scaled(row(x, batch), eps, [size.D])[0](d) * dgamma[d]
    ),
    x=lambda x, gamma, g, eps, batch, d, size: scaled(row(x, batch), eps, [size.D])[1] * g[batch, d] * gamma[d],
)
plant(
    "rms_norm",
    "gamma-forgotten",
    "adjoint",
    x=lambda x, g, eps, batch, d, size: scaled_along(row(g, batch), row(x, batch), eps, [size.D])(d),
)
plant("rms_norm", "eps-may-be-0", "bounds", fields={"elements": {}})

plant(
    "batch_norm",
    "variance-as-constant",
    "adjoint",
    x=lambda x, gamma, g, eps, c, d, size: (  # 11
        without_projection(row(g, c), row(x, c), eps, [size.D])(d) * gamma[c]
    ),
)
plant(
    "batch_norm",
    "variance-as-constant-in-both",
    "derivative",
    jvp=lambda x, gamma, dx, dgamma, dbeta, eps, c, d, size: (
        without_projection(row(dx, c), row(x, c), eps, [size.D])(d) * gamma[c]
        + standardized(row(x, c), eps, [size.D])[0](d) * dgamma[c]
        + dbeta[c]
    ),
    x=lambda x, gamma, g, eps, c, d, size: without_projection(row(g, c), row(x, c), eps, [size.D])(d) * gamma[c],
)
plant("batch_norm", "gbeta-scaled", "adjoint", beta=lambda gamma, g, c, size: Sum(g[c, d] * gamma[c] for d in size.D))
plant("batch_norm", "gbeta-mean", "adjoint", beta=lambda g, c, size: Sum(g[c, d] for d in size.D) / (size.D + 1))

plant(
    "batch_norm_eval",
    "gmean-without-gamma",
    "adjoint",
    mean=lambda var, g, eps, c, size: -inverse_deviation(var, eps, c) * Sum(g[c, d] for d in size.D),
)
plant(
    "batch_norm_eval",
    "gvar-without-the-half-in-both",
    "derivative",
    jvp=lambda x, gamma, mean, var, dx, dgamma, dbeta, dmean, dvar, eps, c, d: (
        (dx[c, d] - dmean[c]) * inverse_deviation(var, eps, c) * gamma[c]
        - (x[c, d] - mean[c]) * inverse_deviation(var, eps, c) ** 3 * dvar[c] * gamma[c]
        + (x[c, d] - mean[c]) * inverse_deviation(var, eps, c) * dgamma[c]
        + dbeta[c]
    ),
    var=lambda x, gamma, mean, var, g, eps, c, size: (
        -gamma[c] * inverse_deviation(var, eps, c) ** 3 * Sum(g[c, d] * (x[c, d] - mean[c]) for d in size.D)
    ),
)
plant(
    "batch_norm_eval",
    "gvar-without-the-cube",
    "adjoint",
    var=lambda x, gamma, mean, var, g, eps, c, size: (
        -HALF * gamma[c] * inverse_deviation(var, eps, c) * Sum(g[c, d] * (x[c, d] - mean[c]) for d in size.D)
    ),
)
plant("batch_norm_eval", "any-variance", "bounds", fields={"elements": {"eps": lambda eps: eps > 0}})

plant(
    "group_norm",
    "variance-as-constant",
    "adjoint",
    x=lambda x, gamma, g, eps, n, m, k, a, size: without_projection(
        lambda l, b: g[n, m, l, b] * gamma[m, l], group(x, n, m), eps, [size.K, size.A]
    )(k, a),
)
plant(
    "group_norm",
    "variance-as-constant-in-both",
    "derivative",
    jvp=lambda x, gamma, dx, dgamma, dbeta, eps, n, m, k, a, size: (
        without_projection(group(dx, n, m), group(x, n, m), eps, [size.K, size.A])(k, a) * gamma[m, k]
        + standardized(group(x, n, m), eps, [size.K, size.A])[0](k, a) * dgamma[m, k]
        + dbeta[m, k]
    ),
    x=lambda x, gamma, g, eps, n, m, k, a, size: without_projection(
        lambda l, b: g[n, m, l, b] * gamma[m, l], group(x, n, m), eps, [size.K, size.A]
    )(k, a),
)
plant(
    "group_norm",
    "gbeta-of-the-group",
    "adjoint",
    beta=lambda g, m, size: Sum(g[n, m, k, a] for n in size.N for k in size.K for a in size.A),
)
plant("group_norm", "eps-may-be-0", "bounds", fields={"elements": {}})
