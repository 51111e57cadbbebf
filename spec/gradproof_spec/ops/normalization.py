"""Normalization: over the last axis, per channel over a batch, per group of channels.

`over` holds the extents of the statistics; x and t are functions of the indices below them.
"""
from fractions import Fraction

from ..op import Extents, Op, positive
from ..terms import ONE, Sum, function

HALF = Fraction(1, 2)


def mean(term, over):
    total = Sum(term(*i) for i in Extents(over))
    for n in range(len(over)):
        total = total / over[n]
    return total


def standardized(x, eps, over):
    """(xhat, 1 / standard deviation), biased variance."""
    center = mean(x, over)
    variance = mean(lambda *i: (x(*i) - center) ** 2, over)
    inverse = ONE / function("sqrt", variance + eps)
    return lambda *i: (x(*i) - center) * inverse, inverse


def along(t, x, eps, over):
    """The tangent of xhat along t; its Jacobian is symmetric."""
    xhat, inverse = standardized(x, eps, over)
    mean_t, projection = mean(t, over), mean(lambda *i: xhat(*i) * t(*i), over)
    return lambda *i: inverse * (t(*i) - mean_t - xhat(*i) * projection)


# Ba, Kiros, Hinton 2016, arXiv:1607.06450
layer_norm = Op("layer_norm", "x[...,D] gamma[D] beta[D] -> y[...,D]", reals="eps", elements={"eps": positive},
                domain=lambda size: [size.D >= 1])


def row(x, batch):
    return lambda d: x[batch, d]


@layer_norm.forward
def layer_norm_y(x, gamma, beta, eps, batch, d, size):
    xhat, _ = standardized(row(x, batch), eps, [size.D])
    return xhat(d) * gamma[d] + beta[d]


@layer_norm.jvp
def layer_norm_dy(x, gamma, dx, dgamma, dbeta, eps, batch, d, size):
    xhat, _ = standardized(row(x, batch), eps, [size.D])
    return along(row(dx, batch), row(x, batch), eps, [size.D])(d) * gamma[d] + xhat(d) * dgamma[d] + dbeta[d]


@layer_norm.vjp("x")
def layer_norm_gx(x, gamma, g, eps, batch, d, size):
    return along(lambda e: g[batch, e] * gamma[e], row(x, batch), eps, [size.D])(d)


@layer_norm.vjp("gamma")
def layer_norm_ggamma(x, g, eps, d, size):
    return Sum(g[batch, d] * standardized(row(x, batch), eps, [size.D])[0](d) for batch in size.batch)


@layer_norm.vjp("beta")
def layer_norm_gbeta(g, d, size):
    return Sum(g[batch, d] for batch in size.batch)


# Zhang, Sennrich 2019, arXiv:1910.07467
rms_norm = Op("rms_norm", "x[...,D] gamma[D] -> y[...,D]", reals="eps", elements={"eps": positive},
              domain=lambda size: [size.D >= 1])


def scaled(x, eps, over):
    """(xhat, 1 / root of the mean of squares)."""
    inverse = ONE / function("sqrt", mean(lambda d: x(d) ** 2, over) + eps)
    return lambda d: x(d) * inverse, inverse


def scaled_along(t, x, eps, over):
    """The tangent of xhat along t; its Jacobian is symmetric."""
    xhat, inverse = scaled(x, eps, over)
    return lambda d: inverse * (t(d) - xhat(d) * mean(lambda e: xhat(e) * t(e), over))


@rms_norm.forward
def rms_norm_y(x, gamma, eps, batch, d, size):
    xhat, _ = scaled(row(x, batch), eps, [size.D])
    return xhat(d) * gamma[d]


@rms_norm.jvp
def rms_norm_dy(x, gamma, dx, dgamma, eps, batch, d, size):
    xhat, _ = scaled(row(x, batch), eps, [size.D])
    return scaled_along(row(dx, batch), row(x, batch), eps, [size.D])(d) * gamma[d] + xhat(d) * dgamma[d]


@rms_norm.vjp("x")
def rms_norm_gx(x, gamma, g, eps, batch, d, size):
    return scaled_along(lambda e: g[batch, e] * gamma[e], row(x, batch), eps, [size.D])(d)


@rms_norm.vjp("gamma")
def rms_norm_ggamma(x, g, eps, d, size):
    return Sum(g[batch, d] * scaled(row(x, batch), eps, [size.D])[0](d) for batch in size.batch)


# C counts the channels, D the elements of a channel. Ioffe, Szegedy 2015, arXiv:1502.03167
batch_norm = Op("batch_norm", "x[C,D] gamma[C] beta[C] -> y[C,D]", reals="eps", elements={"eps": positive},
                domain=lambda size: [size.D >= 1])


@batch_norm.forward
def batch_norm_y(x, gamma, beta, eps, c, d, size):
    xhat, _ = standardized(row(x, c), eps, [size.D])
    return xhat(d) * gamma[c] + beta[c]


@batch_norm.jvp
def batch_norm_dy(x, gamma, dx, dgamma, dbeta, eps, c, d, size):
    xhat, _ = standardized(row(x, c), eps, [size.D])
    return along(row(dx, c), row(x, c), eps, [size.D])(d) * gamma[c] + xhat(d) * dgamma[c] + dbeta[c]


@batch_norm.vjp("x")
def batch_norm_gx(x, gamma, g, eps, c, d, size):
    return along(row(g, c), row(x, c), eps, [size.D])(d) * gamma[c]


@batch_norm.vjp("gamma")
def batch_norm_ggamma(x, g, eps, c, size):
    return Sum(g[c, d] * standardized(row(x, c), eps, [size.D])[0](d) for d in size.D)


@batch_norm.vjp("beta")
def batch_norm_gbeta(g, c, size):
    return Sum(g[c, d] for d in size.D)


batch_norm_eval = Op("batch_norm_eval", "x[C,D] gamma[C] beta[C] mean[C] var[C] -> y[C,D]", reals="eps",
                     elements={"eps": positive, "var": lambda var, size: var + size.eps > 0})


def inverse_deviation(var, eps, c):
    return ONE / function("sqrt", var[c] + eps)


@batch_norm_eval.forward
def batch_norm_eval_y(x, gamma, beta, mean, var, eps, c, d):
    return (x[c, d] - mean[c]) * inverse_deviation(var, eps, c) * gamma[c] + beta[c]


@batch_norm_eval.jvp
def batch_norm_eval_dy(x, gamma, mean, var, dx, dgamma, dbeta, dmean, dvar, eps, c, d):
    inverse = inverse_deviation(var, eps, c)
    xhat = (x[c, d] - mean[c]) * inverse
    dxhat = (dx[c, d] - dmean[c]) * inverse - HALF * xhat * inverse ** 2 * dvar[c]
    return dxhat * gamma[c] + xhat * dgamma[c] + dbeta[c]


@batch_norm_eval.vjp("x")
def batch_norm_eval_gx(gamma, var, g, eps, c, d):
    return g[c, d] * gamma[c] * inverse_deviation(var, eps, c)


@batch_norm_eval.vjp("gamma")
def batch_norm_eval_ggamma(x, mean, var, g, eps, c, size):
    return Sum(g[c, d] * (x[c, d] - mean[c]) for d in size.D) * inverse_deviation(var, eps, c)


@batch_norm_eval.vjp("beta")
def batch_norm_eval_gbeta(g, c, size):
    return Sum(g[c, d] for d in size.D)


@batch_norm_eval.vjp("mean")
def batch_norm_eval_gmean(gamma, var, g, eps, c, size):
    return -gamma[c] * inverse_deviation(var, eps, c) * Sum(g[c, d] for d in size.D)


@batch_norm_eval.vjp("var")
def batch_norm_eval_gvar(x, gamma, mean, var, g, eps, c, size):
    total = Sum(g[c, d] * (x[c, d] - mean[c]) for d in size.D)
    return -HALF * gamma[c] * inverse_deviation(var, eps, c) ** 3 * total


# M counts the groups, K the channels of a group, A the positions. Wu, He 2018, arXiv:1803.08494
group_norm = Op("group_norm", "x[N,M,K,A] gamma[M,K] beta[M,K] -> y[N,M,K,A]", reals="eps", elements={"eps": positive},
                domain=lambda size: [size.M >= 1, size.K >= 1, size.A >= 1])


def group(x, n, m):
    return lambda k, a: x[n, m, k, a]


@group_norm.forward
def group_norm_y(x, gamma, beta, eps, n, m, k, a, size):
    xhat, _ = standardized(group(x, n, m), eps, [size.K, size.A])
    return xhat(k, a) * gamma[m, k] + beta[m, k]


@group_norm.jvp
def group_norm_dy(x, gamma, dx, dgamma, dbeta, eps, n, m, k, a, size):
    xhat, _ = standardized(group(x, n, m), eps, [size.K, size.A])
    dxhat = along(group(dx, n, m), group(x, n, m), eps, [size.K, size.A])
    return dxhat(k, a) * gamma[m, k] + xhat(k, a) * dgamma[m, k] + dbeta[m, k]


@group_norm.vjp("x")
def group_norm_gx(x, gamma, g, eps, n, m, k, a, size):
    return along(lambda l, b: g[n, m, l, b] * gamma[m, l], group(x, n, m), eps, [size.K, size.A])(k, a)


@group_norm.vjp("gamma")
def group_norm_ggamma(x, g, eps, m, k, size):
    return Sum(g[n, m, k, a] * standardized(group(x, n, m), eps, [size.K, size.A])[0](k, a)
               for n in size.N for a in size.A)


@group_norm.vjp("beta")
def group_norm_gbeta(g, m, k, size):
    return Sum(g[n, m, k, a] for n in size.N for a in size.A)


for op in (layer_norm, rms_norm, batch_norm, batch_norm_eval, group_norm):
    op.register()
