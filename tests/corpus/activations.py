"""Pointwise activations."""

import numpy as np

from .case import Case

C = np.sqrt(2.0 / np.pi)


def relu(x):
    return np.maximum(x, 0.0)


def relu_backward(g, x):
    return g * (x > 0)


def leaky_relu(x, slope):
    return np.where(x > 0, x, slope * x)


def leaky_relu_backward(g, x, slope):
    gx = g.copy()
    gx[x <= 0] *= slope
    return gx


def leaky_relu_forgets_g(g, x, slope):
    gx = g.copy()
    gx[x <= 0] = slope
    return gx


def gelu(x):
    return 0.5 * x * (1.0 + np.tanh(C * (x + 0.044715 * x**3)))


def gelu_backward(g, x):
    t = np.tanh(C * (x + 0.044715 * x**3))
    dt = (1 - t**2) * C * (1 + 3 * 0.044715 * x**2)
    return g * (0.5 * (1 + t) + 0.5 * x * dt)


def gelu_no_three(g, x):
    t = np.tanh(C * (x + 0.044715 * x**3))
    dt = (1 - t**2) * C * (1 + 0.044715 * x**2)
    return g * (0.5 * (1 + t) + 0.5 * x * dt)


def gelu_mistyped(g, x):
    t = np.tanh(0.79788466 * (x + 0.044715 * x**3))
    dt = (1 - t**2) * 0.79788466 * (1 + 3 * 0.044715 * x**2)
    return g * (0.5 * (1 + t) + 0.5 * x * dt)


def silu(x):
    return x / (1 + np.exp(-x))


def silu_backward(g, x):
    s = 1 / (1 + np.exp(-x))
    return g * s * (1 + x * (1 - s))


def silu_overflows(g, x):
    e = np.exp(x)
    s = e / (1 + e)
    return g * s * (1 + x * (1 - s))


def elu(x, alpha):
    return np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def elu_backward(g, x, alpha):
    return g * np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


def elu_zero_at_zero(g, x, alpha):
    gx = np.zeros(x.shape)
    pos = x > 0
    neg = x < 0
    gx[pos] = g[pos]
    gx[neg] = g[neg] * alpha * np.exp(x[neg])
    return gx


def squared_relu(x):
    m = np.maximum(x, 0)
    return m * m, m


def squared_relu_backward(m, g):
    return 2 * g * m


def squared_relu_no_two(m, g):
    return g * m


def squared_relu_plain(x):
    return np.where(x > 0, x, 0.0) ** 2


def squared_relu_half_at_zero(g, x):
    gx = 2 * g * np.maximum(x, 0)
    gx[x == 0] = 0.5 * g[x == 0]  # "the subgradient"
    return gx


def hard_tanh(x):
    return np.clip(x, -1.0, 1.0)


def hard_tanh_backward(g, x):
    gx = np.array(g)
    gx[(x < -1) | (x > 1)] = 0
    return gx


def relu6(x):
    return np.minimum(np.maximum(x, 0), 6)


def relu6_backward(g, x):
    return np.where((x > 0) & (x < 6), g, 0)


def relu6_unbounded(g, x):
    return np.where(x > 0, g, 0)


def tanh(x):
    return np.tanh(x)


def tanh_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = np.tanh(x)
    return dx * (1 - y * y)


def tanh_jvp_no_square(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = np.tanh(x)
    return dx * (1 - y)


def snake(x, a):
    return x + np.sin(a * x) ** 2 / a


def snake_backward(g, x, a):
    return g * (1 + 2 * np.sin(a * x) * np.cos(a * x))


def snake_wrong_sign(g, x, a):
    return g * (1 - np.sin(2 * a * x))


def softsign(x):
    return x / (1 + np.abs(x))


def softsign_backward(g, x):
    return g / (1 + np.abs(x)) ** 2


def softsign_saturated(g, x):
    gx = g / (1 + np.abs(x)) ** 2
    return np.where(np.abs(x) > 20, 0.0, gx)


def softsign_quotient(g, x):
    y = x / (1 + np.abs(x))
    return g * (y / x) ** 2


def prelu(x, a):
    return np.maximum(x, 0) + a * np.minimum(x, 0)


def prelu_backward(g, x, a):
    gx = np.where(x > 0, g, a * g)
    ga = (g * np.minimum(x, 0)).sum(axis=0)
    return gx, ga


def prelu_no_sum(g, x, a):
    gx = np.where(x > 0, g, a * g)
    ga = (g * np.minimum(x, 0))[0]
    return gx, ga


def glu(x, n):
    a, b = x[:, :n], x[:, n:]
    return a / (1 + np.exp(-b))


def glu_backward(g, x, n):
    a, b = x[:, :n], x[:, n:]
    s = 1 / (1 + np.exp(-b))
    gx = np.zeros(x.shape)
    gx[:, :n] = g * s
    gx[:, n:] = g * a * s * (1 - s)
    return gx


def glu_halves_swapped(g, x, n):
    a, b = x[:, :n], x[:, n:]
    s = 1 / (1 + np.exp(-b))
    return np.concatenate([g * a * s * (1 - s), g * s], axis=1)


V = {"x": (4,)}
AT = {"x": [1.0, -0.5, 2.0, 0.25], "g": [1.0, 2.0, -1.0, 3.0]}
ZERO = {"x": [0.0, 1.0, -1.0, 2.0], "g": [1.0, 1.0, 1.0, 1.0]}

CASES = [
    Case("relu-mask", relu, vjp=relu_backward, shapes=V, right=True),
    Case("leaky-relu-buffer", leaky_relu, vjp=leaky_relu_backward, shapes=V, params={"slope": "real"}, right=True),
    Case("gelu-tanh", gelu, vjp=gelu_backward, shapes=V, right=True),
    Case("silu", silu, vjp=silu_backward, shapes=V, right=True),
    Case("elu-smooth", elu, vjp=elu_backward, shapes=V, params={"alpha": 1.0}, right=True),
    Case("elu-any-alpha", elu, vjp=elu_backward, shapes=V, params={"alpha": "positive"}, right=True),
    Case("squared-relu", squared_relu, vjp=squared_relu_backward, residuals=True, shapes=V, right=True),
    Case("hard-tanh", hard_tanh, vjp=hard_tanh_backward, shapes=V, right=True),
    Case("relu6", relu6, vjp=relu6_backward, shapes=V, right=True),
    Case("tanh-jvp", tanh, jvp=tanh_jvp, shapes=V, right=True),
    Case("snake", snake, vjp=snake_backward, shapes=V, params={"a": 0.5}, right=True),
    Case("softsign", softsign, vjp=softsign_backward, shapes=V, right=True),
    Case("prelu", prelu, vjp=prelu_backward, shapes={"x": (2, 2), "a": (2,)}, right=True),
    Case("glu", glu, vjp=glu_backward, shapes={"x": (2, 4)}, params={"n": 2}, right=True),
    Case(
        "leaky-relu-forgets-g", leaky_relu, vjp=leaky_relu_forgets_g, shapes=V, params={"slope": 0.01},
        right=False, bug="the slope is assigned, not multiplied onto g", at=AT,
    ),
    Case("gelu-no-three", gelu, vjp=gelu_no_three, shapes=V, right=False, bug="derivative of x^3 without its 3", at=AT),
    Case(
        "gelu-mistyped-constant", gelu, vjp=gelu_mistyped, shapes=V,
        right=False, bug="sqrt(2/pi) typed as 0.79788466", hidden="small", at=AT,
    ),
    Case(
        "silu-overflows", silu, vjp=silu_overflows, shapes=V,
        right=False, bug="sigmoid as exp(x)/(1 + exp(x)): inf/inf at large x", hidden="nan",
        at={"x": [800.0, 0.0, 1.0, -1.0], "g": [1.0, 1.0, 1.0, 1.0]},
    ),
    Case(
        "elu-zero-at-zero", elu, vjp=elu_zero_at_zero, shapes=V, params={"alpha": 1.0},
        right=False, bug="x = 0 belongs to neither mask: 0 instead of 1", hidden="tie", at=ZERO,
    ),
    Case(
        "squared-relu-no-two", squared_relu, vjp=squared_relu_no_two, residuals=True, shapes=V,
        right=False, bug="factor 2 missing", at=AT,
    ),
    Case(
        "squared-relu-half-at-zero", squared_relu_plain, vjp=squared_relu_half_at_zero, shapes=V,
        right=False, bug="0.5 at x = 0, where the square is smooth and has slope 0", hidden="tie", at=ZERO,
    ),
    Case(
        "relu6-unbounded", relu6, vjp=relu6_unbounded, shapes=V,
        right=False, bug="the upper bound 6 is forgotten", hidden="far",
        at={"x": [7.0, 1.0, -1.0, 2.0], "g": [1.0, 1.0, 1.0, 1.0]},
    ),
    Case(
        "tanh-jvp-no-square", tanh, jvp=tanh_jvp_no_square, shapes=V,
        right=False, bug="1 - tanh instead of 1 - tanh^2", at={"x": AT["x"], "dx": [1.0, 1.0, 1.0, 1.0]},
    ),
    Case(
        "snake-wrong-sign", snake, vjp=snake_wrong_sign, shapes=V, params={"a": 0.5},
        right=False, bug="sign of the sine term", at=AT,
    ),
    Case(
        "softsign-saturated", softsign, vjp=softsign_saturated, shapes=V,
        right=False, bug="0 for |x| > 20, where it is still 1/(1 + |x|)^2", hidden="far",
        at={"x": [25.0, 1.0, -1.0, 2.0], "g": [1.0, 1.0, 1.0, 1.0]},
    ),
    Case(
        "softsign-quotient", softsign, vjp=softsign_quotient, shapes=V,
        right=False, bug="(y/x)^2 is 0/0 at x = 0, where the slope is 1", hidden="nan", at=ZERO,
    ),
    Case(
        "prelu-no-sum", prelu, vjp=prelu_no_sum, shapes={"x": (2, 2), "a": (2,)},
        right=False, bug="cotangent of the shared slope not summed over the batch",
        at={"x": [[-1.0, 2.0], [-3.0, -1.0]], "a": [0.5, 0.25], "g": [[1.0, 1.0], [1.0, 1.0]]},
    ),
    Case(
        "glu-halves-swapped", glu, vjp=glu_halves_swapped, shapes={"x": (2, 4)}, params={"n": 2},
        right=False, bug="cotangents of value and gate exchanged",
        at={"x": [[1.0, 2.0, 0.5, -1.0], [0.0, 1.0, 1.0, 2.0]], "g": [[1.0, 0.0], [2.0, 1.0]]},
    ),
]
