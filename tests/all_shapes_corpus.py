"""Gradients of the kind that people write, with named extents: right ones, and wrong ones that are never PROVED."""

import numpy as np

RIGHT, WRONG = [], []


def right(f, b, shapes, **kw):
    RIGHT.append((f.__name__ if f.__name__ != "<lambda>" else f"lambda{len(RIGHT)}", f, b, shapes, kw))


def wrong(name, f, b, shapes, **kw):
    WRONG.append((name, f, b, shapes, kw))


V, M2, XW = {"x": ("N",)}, {"x": ("N", "D")}, {"x": ("N", "D"), "w": ("D",)}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_b(g, x):
    s = sigmoid(x)
    return g * s * (1 - s)


right(sigmoid, sigmoid_b, M2)


def tanh(x):
    return np.tanh(x)


right(tanh, lambda g, x: g * (1 - np.tanh(x) ** 2), M2)


def relu(x):
    return np.maximum(x, 0)


right(relu, lambda g, x: g * (x > 0), M2)


def relu_masked(x):
    return np.where(x > 0, x, 0.0)


def relu_masked_b(g, x):
    gx = g.copy()
    gx[x <= 0] = 0
    return gx


right(relu_masked, relu_masked_b, M2)


def leaky(x, slope):
    return np.where(x > 0, x, slope * x)


right(leaky, lambda g, x, slope: np.where(x > 0, g, slope * g), M2, params={"slope": 0.01})


def silu(x):
    return x / (1 + np.exp(-x))


def silu_b(g, x):
    s = 1 / (1 + np.exp(-x))
    return g * (s + x * s * (1 - s))


right(silu, silu_b, M2)


def softplus(x):
    return np.log(1 + np.exp(x))


right(softplus, lambda g, x: g / (1 + np.exp(-x)), V)


def squared_relu(x):
    return np.maximum(x, 0) ** 2


right(squared_relu, lambda g, x: 2 * g * np.maximum(x, 0), V)


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))


def gelu_b(g, x):
    u = 0.7978845608028654 * (x + 0.044715 * x**3)
    t = np.tanh(u)
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x))


right(gelu_tanh, gelu_b, V)


def mse(y, t):
    return ((y - t) ** 2).mean()


def mse_b(g, y, t):
    d = 2 * g * (y - t) / y.size
    return d, -d


YT = {"y": ("N", "D"), "t": ("N", "D")}
right(mse, mse_b, YT)


def sse_half(y, t):
    return 0.5 * np.sum((y - t) ** 2)


right(sse_half, lambda g, y, t: (g * (y - t), g * (t - y)), YT)


def mae(y, t):
    return np.abs(y - t).mean()


def mae_b(g, y, t):
    d = g * np.sign(y - t) / y.size
    return d, -d


right(mae, mae_b, {"y": ("N",), "t": ("N",)})


def huber(y, t, delta):
    a = np.abs(y - t)
    return np.where(a <= delta, 0.5 * a * a, delta * (a - 0.5 * delta)).mean()


def huber_b(g, y, t, delta):
    d = g * np.clip(y - t, -delta, delta) / y.shape[0]
    return d, -d


right(huber, huber_b, {"y": ("N",), "t": ("N",)}, params={"delta": "positive"})


def logistic(w, x, y):
    return np.mean(np.log(1 + np.exp(-y * (x @ w))))


def logistic_b(g, w, x, y):
    z = x @ w
    s = -y / (1 + np.exp(y * z)) * g / x.shape[0]
    return x.T @ s, np.outer(s, w), -z / (1 + np.exp(y * z)) * g / x.shape[0]


right(logistic, logistic_b, {"w": ("D",), "x": ("N", "D"), "y": ("N",)})


def linear(x, w, b):
    return x @ w.T + b


def linear_b(g, x, w, b):
    return g @ w, g.T @ x, g.sum(axis=0)


LIN = {"x": ("N", "D"), "w": ("M", "D"), "b": ("M",)}
right(linear, linear_b, LIN)


def linear_relu(x, w, b):
    return np.maximum(x @ w.T + b, 0)


def linear_relu_b(g, x, w, b):
    g = g * ((x @ w.T + b) > 0)
    return g @ w, g.T @ x, g.sum(0)


right(linear_relu, linear_relu_b, LIN)


def layernorm(x, gamma, beta, eps):
    mu = x.mean(axis=-1, keepdims=True)
    var = x.var(axis=-1, keepdims=True)
    return (x - mu) / np.sqrt(var + eps) * gamma + beta


def layernorm_b(g, x, gamma, beta, eps):
    mu = x.mean(axis=-1, keepdims=True)
    r = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    xh = (x - mu) * r
    gg = g * gamma
    gx = r * (gg - gg.mean(axis=-1, keepdims=True) - xh * (gg * xh).mean(axis=-1, keepdims=True))
    return gx, (g * xh).sum(axis=0), g.sum(axis=0)


LN = {"x": ("N", "D"), "gamma": ("D",), "beta": ("D",)}
right(layernorm, layernorm_b, LN, params={"eps": 1e-5})


def rmsnorm(x, w, eps):
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + eps) * w


def rmsnorm_b(g, x, w, eps):
    r = 1 / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + eps)
    gw = g * w
    return r * (gw - x * r * r * np.mean(gw * x, axis=-1, keepdims=True)), np.sum(g * x * r, axis=0)


right(rmsnorm, rmsnorm_b, XW, params={"eps": "positive"})


def batchnorm(x, eps):
    mu = x.mean(0)
    v = ((x - mu) ** 2).mean(0)
    return (x - mu) / np.sqrt(v + eps)


def batchnorm_b(g, x, eps):
    n = x.shape[0]
    mu = x.mean(0)
    r = ((((x - mu) ** 2).mean(0)) + eps) ** -0.5
    xh = (x - mu) * r
    return r / n * (n * g - g.sum(0) - xh * (g * xh).sum(0))


right(batchnorm, batchnorm_b, M2, params={"eps": 1e-5})


def l2norm(x):
    return np.sqrt(np.sum(x * x))


right(l2norm, lambda g, x: g * x / np.sqrt(np.sum(x * x)), V)


def l2_normalize(x, eps):
    return x / np.sqrt((x * x).sum(axis=1, keepdims=True) + eps)


def l2_normalize_b(g, x, eps):
    n = np.sqrt((x * x).sum(axis=1, keepdims=True) + eps)
    return g / n - x * (g * x).sum(axis=1, keepdims=True) / n**3


right(l2_normalize, l2_normalize_b, M2, params={"eps": 1e-12})


def variance(x):
    return x.var()


right(variance, lambda g, x: g * 2 * (x - x.mean()) / x.size, M2)


def std_eps(x, eps):
    return np.sqrt(x.var(axis=0) + eps)


right(
    std_eps,
    lambda g, x, eps: g * (x - x.mean(axis=0)) / (x.shape[0] * np.sqrt(x.var(axis=0) + eps)),
    M2,
    params={"eps": 1e-3},
)


def center(x):
    return x - x.mean(axis=0)


right(center, lambda g, x: g - g.mean(axis=0), M2)


def softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)


def softmax_b(g, x):
    y = softmax(x)
    return y * (g - (g * y).sum(axis=-1, keepdims=True))


right(softmax, softmax_b, M2)


def softmax_shifted(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_shifted_b(g, x):
    y = softmax_shifted(x)
    return y * (g - (g * y).sum(axis=-1, keepdims=True))


right(softmax_shifted, softmax_shifted_b, M2)


def logsumexp(x):
    m = x.max(axis=1, keepdims=True)
    return (m + np.log(np.exp(x - m).sum(axis=1, keepdims=True)))[:, 0]


right(logsumexp, lambda g, x: g[:, None] * softmax_shifted(x), M2)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


right(log_softmax, lambda g, x: g - softmax(x) * g.sum(-1, keepdims=True), M2)


def cross_entropy(z, t):
    return -(t * (z - np.log(np.exp(z).sum(1, keepdims=True)))).sum() / z.shape[0]


def cross_entropy_b(g, z, t):
    n = z.shape[0]
    ls = z - np.log(np.exp(z).sum(1, keepdims=True))
    return g / n * (np.exp(ls) * t.sum(1, keepdims=True) - t), -g / n * ls


right(cross_entropy, cross_entropy_b, {"z": ("N", "C"), "t": ("N", "C")})


def scores(q, k):
    return np.einsum("nd,md->nm", q, k) / np.sqrt(q.shape[1])


def scores_b(g, q, k):
    g = g / np.sqrt(q.shape[1])
    return np.einsum("nm,md->nd", g, k), np.einsum("nm,nd->md", g, q)


right(scores, scores_b, {"q": ("N", "D"), "k": ("M", "D")})


def attention_weights(q, k):
    s = q @ k.T
    e = np.exp(s)
    return e / e.sum(-1, keepdims=True)


def attention_weights_b(g, q, k):
    a = attention_weights(q, k)
    gs = a * (g - (g * a).sum(-1, keepdims=True))
    return gs @ k, gs.T @ q


right(attention_weights, attention_weights_b, {"q": ("N", "D"), "k": ("M", "D")})


def batch_matmul(a, b):
    return np.einsum("bij,bjk->bik", a, b)


right(
    batch_matmul,
    lambda g, a, b: (g @ b.swapaxes(-1, -2), a.transpose(0, 2, 1) @ g),
    {"a": ("B", "N", "D"), "b": ("B", "D", "M")},
)


def bilinear(x, A, y):
    return np.einsum("i,ij,j->", x, A, y)


right(
    bilinear,
    lambda g, x, A, y: (g * (A @ y), g * np.outer(x, y), g * (A.T @ x)),
    {"x": ("N",), "A": ("N", "M"), "y": ("M",)},
)


def quadratic(x, A):
    return x @ A @ x


right(quadratic, lambda g, x, A: (g * ((A + A.T) @ x), g * np.outer(x, x)), {"x": ("N",), "A": ("N", "N")})


def weighted_sum(x, w):
    return (x * w).sum(axis=1)


right(weighted_sum, lambda g, x, w: (g[:, None] * w, (g[:, None] * x).sum(axis=0)), XW)


def outer(x, y):
    return np.outer(x, y)


right(outer, lambda g, x, y: (g @ y, g.T @ x), {"x": ("N",), "y": ("M",)})


def bias(x, b):
    return x + b


right(bias, lambda g, x, b: (g, g.sum(axis=0)), {"x": ("N", "D"), "b": ("D",)})


def column_bias(x, b):
    return x + b[:, None]


right(column_bias, lambda g, x, b: (g, g.sum(axis=1)), {"x": ("N", "D"), "b": ("N",)})


def cosine(x, y):
    return x @ y / (np.linalg.norm(x) * np.linalg.norm(y))


def cosine_b(g, x, y):
    a, b = np.linalg.norm(x), np.linalg.norm(y)
    c = x @ y / (a * b)
    return g * (y / (a * b) - c * x / a**2), g * (x / (a * b) - c * y / b**2)


right(cosine, cosine_b, {"x": ("N",), "y": ("N",)})


def differences(x):
    return ((x[1:] - x[:-1]) ** 2).sum()


def differences_b(g, x):
    d = 2 * g * (x[1:] - x[:-1])
    gx = np.zeros_like(x)
    gx[1:] = d
    gx[:-1] = gx[:-1] - d
    return gx


right(differences, differences_b, V)


def prefix(x):
    return np.cumsum(x)


right(prefix, lambda g, x: np.cumsum(g[::-1])[::-1], V)


def geometric(x):
    return np.exp(np.log(x).mean())


right(geometric, lambda g, x: g * np.exp(np.log(x).mean()) / (x * x.shape[0]), V, domain=lambda x: x > 0)


def entropy(p):
    return -(p * np.log(p)).sum(axis=1)


right(entropy, lambda g, p: -g[:, None] * (np.log(p) + 1), {"p": ("N", "C")}, domain=lambda p: p > 0)


def clip_by_norm(x, limit):
    n = np.sqrt((x * x).sum())
    if n > limit:
        return x * limit / n
    return x


def clip_by_norm_b(g, x, limit):
    n = np.sqrt((x * x).sum())
    if n > limit:
        return limit / n * (g - x * (g * x).sum() / n**2)
    return g


right(clip_by_norm, clip_by_norm_b, V, params={"limit": "positive"})


def mlp(x, w, v):
    return np.tanh(x @ w) @ v


def mlp_b(g, x, w, v):
    h = np.tanh(x @ w)
    gh = g @ v.T * (1 - h * h)
    return gh @ w.T, x.T @ gh, h.T @ g


right(mlp, mlp_b, {"x": ("N", "D"), "w": ("D", "H"), "v": ("H", "M")})


def gram(x):
    return x.T @ x / x.shape[0]


right(gram, lambda g, x: x @ (g + g.T) / x.shape[0], M2)


def hinge(x, y):
    return np.maximum(1 - y * x, 0).sum()


right(
    hinge,
    lambda g, x, y: (np.where(1 - y * x > 0, -y, 0) * g, np.where(1 - y * x > 0, -x, 0) * g),
    {"x": ("N",), "y": ("N",)},
)


def glu(a, b):
    return a / (1 + np.exp(-b))


def glu_b(g, a, b):
    s = 1 / (1 + np.exp(-b))
    return g * s, g * a * s * (1 - s)


right(glu, glu_b, {"a": ("N", "D"), "b": ("N", "D")})


def unbiased(x):
    if x.shape[0] == 1:
        return 0 * x[0]
    return ((x - x.mean()) ** 2).sum() / (x.shape[0] - 1)


def unbiased_b(g, x):
    if x.shape[0] == 1:
        return np.zeros_like(x)
    return 2 * g * (x - x.mean()) / (x.shape[0] - 1)


right(unbiased, unbiased_b, V)


def flat_sum(x):
    return (x.reshape(-1) ** 2).sum()


right(flat_sum, lambda g, x: (2 * g * x.ravel()).reshape(x.shape), M2)


def group_mean(x):
    return x.reshape(x.shape[0], x.shape[1], 1).mean(axis=1)


right(group_mean, lambda g, x: np.broadcast_to(g, x.shape) / x.shape[1], M2)


def causal(s):
    return np.tril(s).sum(axis=1)


right(causal, lambda g, s: np.tril(np.ones_like(s)) * g[:, None], {"s": ("N", "N")})


def mahalanobis(x, m, P):
    d = x - m
    return np.einsum("ni,ij,nj->n", d, P, d)


def mahalanobis_b(g, x, m, P):
    d = x - m
    gx = g[:, None] * (d @ (P + P.T))
    return gx, -gx.sum(0), np.einsum("n,ni,nj->ij", g, d, d)


right(mahalanobis, mahalanobis_b, {"x": ("N", "D"), "m": ("D",), "P": ("D", "D")})


def two_heads(x, w):
    return x @ w, x.sum()


right(two_heads, lambda g, x, w: (np.outer(g[0], w) + g[1], x.T @ g[0]), XW)


def total_variation(x):
    return np.abs(x[1:] - x[:-1]).sum()


def total_variation_b(g, x):
    s = np.sign(x[1:] - x[:-1])
    return g * (np.concatenate([[0.0], s]) - np.concatenate([s, [0.0]]))


right(total_variation, total_variation_b, V)


def abs_linear(x, w):
    return np.abs(x @ w).sum()


right(abs_linear, lambda g, x, w: (np.outer(np.sign(x @ w), w) * g, x.T @ np.sign(x @ w) * g), XW)


def relu_mse(x, w, t):
    return ((np.maximum(x @ w, 0) - t) ** 2).mean()


def relu_mse_b(g, x, w, t):
    d = 2 * g * (np.maximum(x @ w, 0) - t) / x.shape[0]
    return np.outer(d * (x @ w > 0), w), x.T @ (d * (x @ w > 0)), -d


right(relu_mse, relu_mse_b, {"x": ("N", "D"), "w": ("D",), "t": ("N",)})


# ---------------- wrong
def square(x):
    return x * x


def bad_big(g, x):
    return g * x if x.shape[0] > 3 else 2 * g * x


wrong("only-up-to-three", square, bad_big, V)
wrong("wrong-at-one", square, lambda g, x: 2 * g * x if x.shape[0] != 1 else g * x, V)
wrong("wrong-at-seven", square, lambda g, x: 2 * g * x if x.shape[0] != 7 else g * x, V)
wrong("wrong-at-thirteen", square, lambda g, x: 2 * g * x if x.shape[0] != 13 else g * x, M2)
wrong("only-square-shapes", square, lambda g, x: 2 * g * x if x.shape[0] <= x.shape[1] + 3 else g * x, M2)


def mean(x):
    return x.mean()


wrong("mean-by-other-extent", mean, lambda g, x: np.ones_like(x) * g / x.shape[1], M2)
wrong("mean-by-square", mean, lambda g, x: np.ones_like(x) * g / (x.shape[0] * x.shape[0]), M2)
wrong("mean-half", lambda x: x.mean(axis=0), lambda g, x: np.ones_like(x) * g * 0.5, M2)
wrong("mean-max-three", lambda x: x.mean(), lambda g, x: np.ones_like(x) * g / (x.shape[0] if x.shape[0] < 5 else 5), V)
wrong("mean-no-division", mse, lambda g, y, t: (2 * g * (y - t), -2 * g * (y - t)), YT)
wrong(
    "mean-polynomial-of-extent", mean, lambda g, x: np.ones_like(x) * g * (11 - 6 * x.shape[0] + x.shape[0] ** 2) / 6, V
)
wrong("bias-not-summed", lambda x, b: x + b, lambda g, x, b: (g, g[0] * x.shape[0]), {"x": ("N", "D"), "b": ("D",)})
wrong(
    "bias-mean-instead-of-sum", lambda x, b: x + b, lambda g, x, b: (g, g.mean(axis=0)), {"x": ("N", "D"), "b": ("D",)}
)
wrong(
    "column-bias-wrong-axis",
    lambda x, b: x + b[:, None],
    lambda g, x, b: (g, g.sum(axis=0)),
    {"x": ("N", "N"), "b": ("N",)},
)
wrong(
    "transpose-forgotten", lambda x, A: x @ A, lambda g, x, A: (A.T @ g, np.outer(x, g)), {"x": ("N",), "A": ("N", "N")}
)
wrong("outer-transposed", lambda x, A: x @ A, lambda g, x, A: (A @ g, np.outer(g, x)), {"x": ("N",), "A": ("N", "N")})
wrong(
    "quadratic-one-side",
    quadratic,
    lambda g, x, A: (2 * g * (A @ x), g * np.outer(x, x)),
    {"x": ("N",), "A": ("N", "N")},
)
wrong("center-forgotten", center, lambda g, x: g, M2)
wrong("center-over-columns", center, lambda g, x: g - g.mean(axis=1, keepdims=True), M2)
wrong("variance-without-two", variance, lambda g, x: g * (x - x.mean()) / x.size, M2)
wrong(
    "variance-ddof",
    variance,
    lambda g, x: 2 * g * (x - x.mean()) / (x.size - 1) if x.shape[0] > 3 else 2 * g * (x - x.mean()) / x.size,
    M2,
)


def layernorm_no_mean(g, x, gamma, beta, eps):
    mu = x.mean(axis=-1, keepdims=True)
    r = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    xh = (x - mu) * r
    gg = g * gamma
    return r * (gg - xh * (gg * xh).mean(axis=-1, keepdims=True)), (g * xh).sum(axis=0), g.sum(axis=0)


wrong("layernorm-no-mean", layernorm, layernorm_no_mean, LN, params={"eps": 1e-5})


def layernorm_batch(g, x, gamma, beta, eps):
    gx, gg, gb = layernorm_b(g, x, gamma, beta, eps)
    return gx, gg / x.shape[0], gb


wrong("layernorm-gamma-mean", layernorm, layernorm_batch, LN, params={"eps": 1e-5})
wrong("softmax-diagonal-only", softmax, lambda g, x: g * softmax(x) * (1 - softmax(x)), M2)
wrong("softmax-other-axis", softmax, lambda g, x: softmax(x) * (g - (g * softmax(x)).sum(axis=0)), M2)
wrong("relu-one-at-zero-is-smooth", squared_relu, lambda g, x: np.where(x == 0, 1.0, 2 * g * np.maximum(x, 0)), V)
wrong(
    "huber-open-slope",
    huber,
    lambda g, y, t, delta: (
        (
            g
            * np.where(np.abs(y - t) < delta, y - t, np.where(np.abs(y - t) > delta, delta * np.sign(y - t), 0))
            / y.shape[0],
        )
        * 2
    ),
    {"y": ("N",), "t": ("N",)},
    params={"delta": "positive"},
)
wrong(
    "squared-hinge-tie",
    lambda x: np.where(x > 1, (x - 1) ** 2 + x, x),
    lambda g, x: np.where(x == 1, 0.0, np.where(x > 1, 2 * (x - 1) + 1, 1)) * g,
    V,
)
wrong(
    "scores-wrong-scale",
    scores,
    lambda g, q, k: (g @ k / np.sqrt(k.shape[0]), g.T @ q / np.sqrt(k.shape[0])),
    {"q": ("N", "D"), "k": ("N", "D")},
)
wrong(
    "scores-sqrt-two",
    scores,
    lambda g, q, k: (g @ k / np.sqrt(2), g.T @ q / np.sqrt(2)),
    {"q": ("N", "D"), "k": ("M", "D")},
)
wrong("cumsum-not-reversed", prefix, lambda g, x: np.cumsum(g), V)
wrong(
    "last-element-only",
    lambda x: x.sum(),
    lambda g, x: (
        np.concatenate([np.ones(3), np.ones(x.shape[0] - 3) * 2]) * g if x.shape[0] > 3 else np.ones_like(x) * g
    ),
    V,
)


def tail(g, x):
    gx = np.zeros_like(x)
    gx[:3] = 2 * g * x[:3]
    return gx


wrong("only-first-three", lambda x: (x * x).sum(), tail, V)
wrong("abs-at-tie-region", lambda x: np.maximum(np.maximum(x, 0), 0), lambda g, x: g * (x > 0) + g * (x < -100), V)
wrong("nonlinear-in-g", square, lambda g, x: 2 * np.abs(g) * x, V)
wrong("shape-transposed", lambda x: x.T, lambda g, x: g, {"x": ("N", "N")})
wrong("flat-column-major", lambda x: x.reshape(-1) * 1.0, lambda g, x: g.reshape(x.shape[1], x.shape[0]).T, M2)
wrong(
    "hidden-region-root",
    lambda x: np.sqrt(np.maximum(x, 0)),
    lambda g, x: np.where(x > 0, 0.5 * g / np.sqrt(np.where(x > 0, x, 1)), g * (x < -3)),
    V,
)
wrong(
    "domain-hides-nothing",
    lambda x: np.log(x),
    lambda g, x: g / x if x.shape[0] < 9 else g / x**2,
    V,
    domain=lambda x: x > 0,
)
wrong(
    "mean-by-something-else",
    lambda x: x.mean(),
    lambda g, x: g * np.ones_like(x) / np.sqrt(x.shape[0] * x.shape[0] + x.shape[0] - 1),
    V,
)
wrong("single-point-branch", lambda x: np.where(x == 1, 6 * x - 5, x).sum(), lambda g, x: np.where(x == 1, 6 * g, g), V)
wrong(
    "tie-of-no-kink",
    lambda x: np.maximum(x, 0).sum() - np.maximum(-x, 0).sum(),
    lambda g, x: g * ((x > 0) + (x < 0.0) * 1.0),
    V,
)
wrong("variation-no-padding", total_variation, lambda g, x: g * np.sign(x - np.roll(x, 1)), V)
wrong(
    "relu-mse-far",
    relu_mse,
    lambda g, x, w, t: tuple(v * np.where((x @ w).sum() > 9, 2, 1) for v in relu_mse_b(g, x, w, t)),
    {"x": ("N", "D"), "w": ("D",), "t": ("N",)},
)
