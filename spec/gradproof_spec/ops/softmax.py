"""The softmax family over any axis: B positions before the axis, N on it, A after it. logsumexp is a reduction."""
from ..op import Op
from ..terms import Sum, function


def axis_not_empty(size):
    return [size.N >= 1]


def probability(x, b, n, a, size):
    return function("exp", x[b, n, a]) / Sum(function("exp", x[b, m, a]) for m in size.N)


softmax = Op("softmax", "x[B,N,A] -> y[B,N,A]", domain=axis_not_empty)


@softmax.forward
def softmax_y(x, b, n, a, size):
    return probability(x, b, n, a, size)


@softmax.jvp
def softmax_dy(x, dx, b, n, a, size):
    return probability(x, b, n, a, size) * (
        dx[b, n, a] - Sum(probability(x, b, m, a, size) * dx[b, m, a] for m in size.N))


@softmax.vjp("x")
def softmax_gx(x, g, b, n, a, size):
    return softmax_dy(x, g, b, n, a, size)


log_softmax = Op("log_softmax", "x[B,N,A] -> y[B,N,A]", domain=axis_not_empty)


@log_softmax.forward
def log_softmax_y(x, b, n, a, size):
    return x[b, n, a] - function("log", Sum(function("exp", x[b, m, a]) for m in size.N))


@log_softmax.jvp
def log_softmax_dy(x, dx, b, n, a, size):
    return dx[b, n, a] - Sum(probability(x, b, m, a, size) * dx[b, m, a] for m in size.N)


@log_softmax.vjp("x")
def log_softmax_gx(x, g, b, n, a, size):
    return g[b, n, a] - probability(x, b, n, a, size) * Sum(g[b, m, a] for m in size.N)


logsumexp = Op("logsumexp", "x[I,N] -> y[I]", domain=axis_not_empty)


def share(x, i, n, size):
    return function("exp", x[i, n]) / Sum(function("exp", x[i, m]) for m in size.N)


@logsumexp.forward
def logsumexp_y(x, i, size):
    return function("log", Sum(function("exp", x[i, n]) for n in size.N))


@logsumexp.jvp
def logsumexp_dy(x, dx, i, size):
    return Sum(share(x, i, n, size) * dx[i, n] for n in size.N)


@logsumexp.vjp("x")
def logsumexp_gx(x, g, i, n, size):
    return share(x, i, n, size) * g[i]


for op in (softmax, log_softmax, logsumexp):
    op.register()
