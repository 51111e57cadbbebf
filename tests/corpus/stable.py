"""Numerically careful forms."""

import numpy as np

from .case import Case


def logsumexp(x):
    m = x.max(axis=1, keepdims=True)
    return (m + np.log(np.exp(x - m).sum(axis=1, keepdims=True)))[:, 0]


def logsumexp_backward(g, x):
    y = logsumexp(x)
    return g[:, None] * np.exp(x - y[:, None])


def logsumexp_not_normalized(g, x):
    m = x.max(axis=1, keepdims=True)
    return g[:, None] * np.exp(x - m)


def log_softmax(x):
    z = x - np.max(x)
    return z - np.log(np.sum(np.exp(z)))


def log_softmax_backward(g, x):
    y = log_softmax(x)
    return g - np.exp(y) * np.sum(g)


def log_softmax_elementwise(g, x):
    y = log_softmax(x)
    return g - np.exp(y) * g


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_backward(g, x):
    return g * (1 - np.exp(-softplus(x)))


def softplus_naive(g, x):
    e = np.exp(x)
    return g * e / (1 + e)


def softplus_beta(x, beta):
    z = beta * x
    return np.where(z > 20, x, np.log1p(np.exp(np.minimum(z, 20))) / beta)


def softplus_beta_threshold(g, x, beta):
    s = 1 / (1 + np.exp(-beta * x))
    return np.where(x > 20, g, g * s)


def sigmoid(x):
    y = np.zeros(x.shape)
    pos = x >= 0
    y[pos] = 1 / (1 + np.exp(-x[pos]))
    e = np.exp(x[~pos])
    y[~pos] = e / (1 + e)
    return y


def sigmoid_backward(g, x):
    y = sigmoid(x)
    return g * y * (1 - y)


def sigmoid_of_output(g, x):
    y = sigmoid(x)
    return g * sigmoid(y) * (1 - sigmoid(y))


def sigmoid_saturates(g, x):
    y = sigmoid(x)
    keep = (y > 0.001) & (y < 0.999)
    return np.where(keep, g * y * (1 - y), 0.0)


def log1mexp(x):
    return np.where(x < 0.693, np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))


def log1mexp_backward(g, x):
    return g / np.expm1(x)


def log1mexp_wrong_sign(g, x):
    return -g / np.expm1(x)


def log1mexp_cancels(g, x):
    return g * np.exp(-x) / (1 - np.exp(-x))


def safe_divide(x, y):
    ok = y != 0
    return np.where(ok, x / np.where(ok, y, 1.0), 0.0)


def safe_divide_backward(g, x, y):
    ok = y != 0
    d = np.where(ok, y, 1.0)
    return np.where(ok, g / d, 0.0), np.where(ok, -g * x / d**2, 0.0)


def safe_divide_no_square(g, x, y):
    ok = y != 0
    d = np.where(ok, y, 1.0)
    return np.where(ok, g / d, 0.0), np.where(ok, -g * x / d, 0.0)


def sqrt_eps(x, eps):
    return np.sqrt(x**2 + eps)


def sqrt_eps_backward(g, x, eps):
    return g * x / np.sqrt(x**2 + eps)


def sqrt_eps_forgotten(g, x, eps):
    return g * x / np.sqrt(x**2)


def log_cosh(x):
    a = np.abs(x)
    return a + np.log1p(np.exp(-2 * a)) - np.log(2.0)


def log_cosh_backward(g, x):
    return g * np.tanh(x)


def log_cosh_by_exp(g, x):
    p, m = np.exp(x), np.exp(-x)
    return g * (p - m) / (p + m)


def logaddexp(a, b):
    return np.maximum(a, b) + np.log1p(np.exp(-np.abs(a - b)))


def logaddexp_backward(g, a, b):
    y = logaddexp(a, b)
    return g * np.exp(a - y), g * np.exp(b - y)


def logaddexp_neither(g, a, b):
    e = np.exp(-np.abs(a - b))
    ga, gb = np.zeros(a.shape), np.zeros(b.shape)
    first, second = a > b, b > a
    ga[first], gb[first] = 1 / (1 + e[first]), e[first] / (1 + e[first])
    ga[second], gb[second] = e[second] / (1 + e[second]), 1 / (1 + e[second])
    return g * ga, g * gb


def xlogy(x, y):
    return np.where(x == 0, 0.0, x * np.log(y))


def xlogy_backward(g, x, y):
    return g * np.log(y), g * x / y


def xlogy_masked(g, x, y):
    return np.where(x == 0, 0.0, g * np.log(y)), g * x / y


def positive_y(x, y):
    return y > 0


def sinc(x):
    safe = np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, np.sin(safe) / safe)


def sinc_backward(g, x):
    safe = np.where(x == 0, 1.0, x)
    return g * np.where(x == 0, 0.0, (np.cos(safe) - np.sin(safe) / safe) / safe)


def sinc_one_at_zero(g, x):
    safe = np.where(x == 0, 1.0, x)
    return g * np.where(x == 0, 1.0, (np.cos(safe) - np.sin(safe) / safe) / safe)


def log10(x):
    return np.log(x) / np.log(10.0)


def log10_backward(g, x):
    return g / (x * np.log(10.0))


def log10_mistyped(g, x):
    return g * 0.4342944 / x


def log1p_ratio(x):
    return np.log1p(x**2)


def log1p_ratio_backward(g, x):
    return 2 * g * x / (1 + x * x)


def log1p_ratio_clipped(g, x):
    x = np.clip(x, -50, 50)
    return 2 * g * x / (1 + x * x)


def positive(x):
    return x > 0


V = {"x": (3,)}
PAIR = {"x": (3,), "y": (3,)}
AB = {"a": (2,), "b": (2,)}
AT = {"x": [1.0, -0.5, 2.0], "g": [1.0, 2.0, -1.0]}
ZERO = {"x": [0.0, 1.0, -2.0], "g": [1.0, 1.0, 1.0]}
BIG = {"x": [800.0, 1.0, -2.0], "g": [1.0, 1.0, 1.0]}
POSITIVE = {"x": [0.5, 1.0, 3.0], "g": [1.0, 2.0, 1.0]}

CASES = [
    Case("logsumexp", logsumexp, vjp=logsumexp_backward, shapes={"x": (2, 3)}, right=True),
    Case("log-softmax", log_softmax, vjp=log_softmax_backward, shapes=V, right=True),
    Case("softplus", softplus, vjp=softplus_backward, shapes=V, right=True),
    Case("sigmoid-masks", sigmoid, vjp=sigmoid_backward, shapes=V, right=True),
    Case("log1mexp", log1mexp, vjp=log1mexp_backward, shapes=V, domain=positive, right=True),
    Case("safe-divide", safe_divide, vjp=safe_divide_backward, shapes=PAIR, right=True),
    Case("sqrt-eps", sqrt_eps, vjp=sqrt_eps_backward, shapes=V, params={"eps": "positive"}, right=True),
    Case("log-cosh", log_cosh, vjp=log_cosh_backward, shapes=V, right=True),
    Case("logaddexp", logaddexp, vjp=logaddexp_backward, shapes=AB, right=True),
    Case("xlogy", xlogy, vjp=xlogy_backward, shapes=PAIR, domain=positive_y, right=True),
    Case("sinc", sinc, vjp=sinc_backward, shapes=V, right=True),
    Case("log10", log10, vjp=log10_backward, shapes=V, domain=positive, right=True),
    Case("cauchy-log1p", log1p_ratio, vjp=log1p_ratio_backward, shapes=V, right=True),
    Case(
        "logsumexp-not-normalized", logsumexp, vjp=logsumexp_not_normalized, shapes={"x": (2, 3)},
        right=False, bug="the exponentials are not divided by their sum",
        at={"x": [[1.0, 2.0, 0.0], [0.0, 0.5, 1.0]], "g": [1.0, 2.0]},
    ),
    Case(
        "log-softmax-elementwise", log_softmax, vjp=log_softmax_elementwise, shapes=V,
        right=False, bug="p g instead of p sum(g)", at=AT,
    ),
    Case(
        "softplus-naive", softplus, vjp=softplus_naive, shapes=V,
        right=False, bug="exp(x)/(1 + exp(x)) is inf/inf at large x", hidden="nan", at=BIG,
    ),
    Case(
        "softplus-threshold", softplus_beta, vjp=softplus_beta_threshold, shapes=V, params={"beta": 0.1},
        right=False, bug="backward compares x with the threshold, forward beta x", hidden="far",
        at={"x": [30.0, 1.0, -2.0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "sigmoid-of-output", sigmoid, vjp=sigmoid_of_output, shapes=V,
        right=False, bug="sigmoid applied to the output again", at=AT,
    ),
    Case(
        "sigmoid-saturates", sigmoid, vjp=sigmoid_saturates, shapes=V,
        right=False, bug="0 where the output is within 0.001 of 0 or 1", hidden="far",
        at={"x": [7.5, 1.0, -2.0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "log1mexp-wrong-sign", log1mexp, vjp=log1mexp_wrong_sign, shapes=V, domain=positive,
        right=False, bug="sign", at=POSITIVE,
    ),
    Case(
        "log1mexp-cancels", log1mexp, vjp=log1mexp_cancels, shapes=V, domain=positive,
        right=False, bug="1 - exp(-x) rounds to 0 for small x: inf where the slope is 1/x", hidden="nan",
        at={"x": [1e-18, 1.0, 3.0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "safe-divide-no-square", safe_divide, vjp=safe_divide_no_square, shapes=PAIR,
        right=False, bug="x/y instead of x/y^2", at={"x": [1.0, 2.0, 3.0], "y": [2.0, -1.0, 0.5], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "sqrt-eps-forgotten", sqrt_eps, vjp=sqrt_eps_forgotten, shapes=V, params={"eps": 1e-12},
        right=False, bug="eps forgotten: 0/0 at 0", hidden="nan", at=ZERO,
    ),
    Case(
        "log-cosh-by-exp", log_cosh, vjp=log_cosh_by_exp, shapes=V,
        right=False, bug="tanh from exponentials: inf/inf at large x", hidden="nan", at=BIG,
    ),
    Case(
        "logaddexp-neither", logaddexp, vjp=logaddexp_neither, shapes=AB,
        right=False, bug="a = b belongs to no mask: 0 instead of 1/2", hidden="tie",
        at={"a": [1.0, 2.0], "b": [1.0, 3.0], "g": [1.0, 1.0]},
    ),
    Case(
        "xlogy-masked", xlogy, vjp=xlogy_masked, shapes=PAIR, domain=positive_y,
        right=False, bug="gx masked at x = 0, where it is log y", hidden="tie",
        at={"x": [0.0, 1.0, -1.0], "y": [2.0, 0.5, 1.0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "sinc-one-at-zero", sinc, vjp=sinc_one_at_zero, shapes=V,
        right=False, bug="value 1 instead of slope 0 at x = 0", hidden="tie", at=ZERO,
    ),
    Case(
        "log10-mistyped", log10, vjp=log10_mistyped, shapes=V, domain=positive,
        right=False, bug="1/log 10 typed as 0.4342944", hidden="small", at=POSITIVE,
    ),
    Case(
        "cauchy-clipped", log1p_ratio, vjp=log1p_ratio_clipped, shapes=V,
        right=False, bug="the backward clips x to +-50", hidden="far",
        at={"x": [200.0, 1.0, -2.0], "g": [1.0, 1.0, 1.0]},
    ),
]
