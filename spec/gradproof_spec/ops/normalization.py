"""Normalization over the last axis (Ba, Kiros, Hinton 2016, arXiv:1607.06450)."""
from ..op import Op, positive
from ..terms import ONE, Sum, function

layer_norm = Op("layer_norm", "x[...,D] gamma[D] beta[D] -> y[...,D]", reals="eps", elements={"eps": positive},
                domain=lambda size: [size.D >= 1])


def mean(term, size):
    """The mean of term(d) over d < D."""
    return Sum(term(d) for d in size.D) / size.D


def standardized(x, eps, batch, size):
    """(d -> xhat[d], 1 / standard deviation), biased variance."""
    center = mean(lambda e: x[batch, e], size)
    variance = mean(lambda e: (x[batch, e] - center) ** 2, size)
    inverse = ONE / function("sqrt", variance + eps)
    return lambda d: (x[batch, d] - center) * inverse, inverse


@layer_norm.forward
def layer_norm_y(x, gamma, beta, eps, batch, d, size):
    xhat, _ = standardized(x, eps, batch, size)
    return xhat(d) * gamma[d] + beta[d]


@layer_norm.jvp
def layer_norm_dy(x, gamma, dx, dgamma, dbeta, eps, batch, d, size):
    xhat, inverse = standardized(x, eps, batch, size)
    dxhat = inverse * (dx[batch, d] - mean(lambda e: dx[batch, e], size)
                       - xhat(d) * mean(lambda e: xhat(e) * dx[batch, e], size))
    return dxhat * gamma[d] + xhat(d) * dgamma[d] + dbeta[d]


@layer_norm.vjp("x")
def layer_norm_gx(x, gamma, g, eps, batch, d, size):
    xhat, inverse = standardized(x, eps, batch, size)

    def gxhat(e):
        return g[batch, e] * gamma[e]

    return inverse * (gxhat(d) - mean(gxhat, size) - xhat(d) * mean(lambda e: xhat(e) * gxhat(e), size))


@layer_norm.vjp("gamma")
def layer_norm_ggamma(x, g, eps, d, size):
    return Sum(g[batch, d] * standardized(x, eps, batch, size)[0](d) for batch in size.batch)


@layer_norm.vjp("beta")
def layer_norm_gbeta(g, d, size):
    return Sum(g[batch, d] for batch in size.batch)


layer_norm.register()
