"""Normalisation layers."""

import numpy as np

from .case import Case


def layer_norm(x, gamma, beta, eps):
    mu = x.mean(axis=-1, keepdims=True)
    inv = 1 / np.sqrt(((x - mu) ** 2).mean(axis=-1, keepdims=True) + eps)
    xhat = (x - mu) * inv
    return xhat * gamma + beta, (xhat, inv, gamma)


def layer_norm_backward(res, g):
    xhat, inv, gamma = res
    gh = g * gamma
    m1 = gh.mean(axis=-1, keepdims=True)
    m2 = (gh * xhat).mean(axis=-1, keepdims=True)
    return inv * (gh - m1 - xhat * m2), (g * xhat).sum(0), g.sum(0)


def layer_norm_no_mean(res, g):
    xhat, inv, gamma = res
    gh = g * gamma
    m2 = (gh * xhat).mean(axis=-1, keepdims=True)
    return inv * (gh - xhat * m2), (g * xhat).sum(0), g.sum(0)


def standardize(x, eps):
    mu = np.mean(x, axis=1, keepdims=True)
    var = np.mean((x - mu) ** 2, axis=1, keepdims=True)
    return (x - mu) / np.sqrt(var + eps)


def standardize_jvp(primals, tangents, eps):
    (x,), (dx,) = primals, tangents
    xc = x - np.mean(x, axis=1, keepdims=True)
    dxc = dx - np.mean(dx, axis=1, keepdims=True)
    std = np.sqrt(np.mean(xc * xc, axis=1, keepdims=True) + eps)
    dstd = np.mean(xc * dxc, axis=1, keepdims=True) / std
    return dxc / std - xc * dstd / std**2


def standardize_jvp_frozen_std(primals, tangents, eps):
    (x,), (dx,) = primals, tangents
    xc = x - np.mean(x, axis=1, keepdims=True)
    dxc = dx - np.mean(dx, axis=1, keepdims=True)
    return dxc / np.sqrt(np.mean(xc * xc, axis=1, keepdims=True) + eps)


def standardize_no_eps(g, x, eps):
    xc = x - x.mean(axis=1, keepdims=True)
    inv = (xc**2).mean(axis=1, keepdims=True) ** -0.5
    xhat = xc * inv
    return inv * (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True))


def standardize_third(g, x, eps):
    xc = x - x.sum(axis=1, keepdims=True) / 3
    inv = ((xc**2).sum(axis=1, keepdims=True) / 3 + eps) ** -0.5
    xhat = xc * inv
    m1 = 0.3333333 * g.sum(axis=1, keepdims=True)
    m2 = 0.3333333 * (g * xhat).sum(axis=1, keepdims=True)
    return inv * (g - m1 - xhat * m2)


def rms_norm(x, w, eps):
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + eps) * w


def rms_norm_backward(g, x, w, eps):
    n = x.shape[-1]
    inv = 1.0 / np.sqrt((x * x).sum(-1, keepdims=True) / n + eps)
    gw = (g * x * inv).sum(0)
    gh = g * w
    return gh * inv - x * inv**3 * (gh * x).sum(-1, keepdims=True) / n, gw


def rms_norm_no_n(g, x, w, eps):
    n = x.shape[-1]
    inv = 1.0 / np.sqrt((x * x).sum(-1, keepdims=True) / n + eps)
    gw = (g * x * inv).sum(0)
    gh = g * w
    return gh * inv - x * inv**3 * (gh * x).sum(-1, keepdims=True), gw


def batch_norm(x, gamma, beta, eps):
    mu = x.mean(axis=0)
    var = ((x - mu) ** 2).mean(axis=0)
    return gamma * (x - mu) / np.sqrt(var + eps) + beta


def batch_norm_backward(g, x, gamma, beta, eps):
    n = x.shape[0]
    mu = x.mean(axis=0)
    xmu = x - mu
    sqrtvar = np.sqrt((xmu**2).mean(axis=0) + eps)
    ivar = 1.0 / sqrtvar
    gbeta = np.sum(g, axis=0)
    ggamma = np.sum(g * xmu * ivar, axis=0)
    gxhat = g * gamma
    givar = np.sum(gxhat * xmu, axis=0)
    gxmu = gxhat * ivar
    gvar = givar * -1.0 / sqrtvar**2 * 0.5 / sqrtvar
    gxmu += 2 * xmu * gvar * np.ones(x.shape) / n
    gmu = -1 * np.sum(gxmu, axis=0)
    return gxmu + np.ones(x.shape) * gmu / n, ggamma, gbeta


def batch_norm_unbiased(g, x, gamma, beta, eps):
    n = x.shape[0]
    xmu = x - x.mean(axis=0)
    ivar = 1.0 / np.sqrt((xmu**2).sum(axis=0) / (n - 1) + eps)
    xhat = xmu * ivar
    gh = g * gamma
    gx = ivar * (gh - gh.mean(axis=0) - xhat * (gh * xhat).mean(axis=0))
    return gx, (g * xhat).sum(axis=0), g.sum(axis=0)


def batch_norm_inference(x, mean, var, eps):
    return (x - mean) / np.sqrt(var + eps)


def batch_norm_inference_backward(g, x, mean, var, eps):
    inv = 1 / np.sqrt(var + eps)
    gvar = -0.5 * np.sum(g * (x - mean), axis=0) * inv**3
    return g * inv, -g.sum(axis=0) * inv, gvar


def batch_norm_inference_no_half(g, x, mean, var, eps):
    inv = 1 / np.sqrt(var + eps)
    gvar = -np.sum(g * (x - mean), axis=0) * inv**3
    return g * inv, -g.sum(axis=0) * inv, gvar


def group_norm(x, groups, eps):
    n, c, w = x.shape
    z = x.reshape(n, groups, c // groups * w)
    z = z - z.mean(axis=2, keepdims=True)
    z = z / np.sqrt((z**2).mean(axis=2, keepdims=True) + eps)
    return z.reshape(x.shape)


def group_norm_backward(g, x, groups, eps):
    z = x.reshape(x.shape[0], groups, -1)
    h = g.reshape(z.shape)
    z = z - z.mean(axis=2, keepdims=True)
    s = np.sqrt((z**2).mean(axis=2, keepdims=True) + eps)
    z = z / s
    gz = (h - h.mean(axis=2, keepdims=True) - z * (h * z).mean(axis=2, keepdims=True)) / s
    return gz.reshape(x.shape)


def group_norm_per_channel(g, x, groups, eps):
    z = x.reshape(x.shape[0], groups, -1)
    mu = z.mean(axis=2, keepdims=True)
    s = np.sqrt(((z - mu) ** 2).mean(axis=2, keepdims=True) + eps)
    xhat = ((z - mu) / s).reshape(x.shape)
    s = np.repeat(s, x.shape[1] // groups, axis=1)
    return (g - g.mean(axis=2, keepdims=True) - xhat * (g * xhat).mean(axis=2, keepdims=True)) / s


def l2_normalize(x, eps):
    return x / np.sqrt(np.sum(x**2, axis=1, keepdims=True) + eps)


def l2_normalize_backward(g, x, eps):
    n = np.sqrt(np.sum(x**2, axis=1, keepdims=True) + eps)
    y = x / n
    return (g - y * np.sum(g * y, axis=1, keepdims=True)) / n


def l2_normalize_clamped(g, x, eps):
    n = np.clip(np.sqrt(np.sum(x**2, axis=1, keepdims=True) + eps), 0.0, 100.0)
    y = x / n
    return (g - y * np.sum(g * y, axis=1, keepdims=True)) / n


def normalize_floor(x, eps):
    return x / np.maximum(np.linalg.norm(x), eps)


def normalize_floor_backward(g, x, eps):
    n = np.linalg.norm(x)
    if n <= eps:
        return g / eps
    y = x / n
    return (g - y * np.dot(y, g)) / n


def normalize_floor_no_branch(g, x, eps):
    n = np.linalg.norm(x)
    y = x / n
    return (g - y * np.dot(y, g)) / n


def weight_norm(v, gain):
    return gain[:, None] * v / np.linalg.norm(v, axis=1, keepdims=True)


def weight_norm_backward(g, v, gain):
    n = np.linalg.norm(v, axis=1, keepdims=True)
    u = v / n
    ggain = np.einsum("ij,ij->i", g, u)
    return gain[:, None] / n * (g - u * ggain[:, None]), ggain


def weight_norm_unnormalized_gain(g, v, gain):
    n = np.linalg.norm(v, axis=1, keepdims=True)
    u = v / n
    gv = gain[:, None] / n * (g - u * (g * u).sum(axis=1, keepdims=True))
    return gv, (g * v).sum(axis=1)


def nonzero_rows(v, gain):
    return np.sum(v * v, axis=1) > 0


def positive_variance(x, mean, var, eps):
    return var > 0


X = {"x": (2, 3)}
AFFINE = {"x": (2, 3), "gamma": (3,), "beta": (3,)}
BATCH = {"x": (3, 2), "gamma": (2,), "beta": (2,)}
INFERENCE = {"x": (2, 2), "mean": (2,), "var": (2,)}
EPS = {"eps": 1e-5}
AT = {"x": [[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]], "g": [[1.0, 0.0, 2.0], [-1.0, 1.0, 3.0]]}

CASES = [
    Case(
        "layer-norm-residuals", layer_norm, vjp=layer_norm_backward, residuals=True, shapes=AFFINE, params=EPS,
        right=True,
    ),
    Case("standardize-jvp", standardize, jvp=standardize_jvp, shapes=X, params=EPS, right=True),
    Case("rms-norm", rms_norm, vjp=rms_norm_backward, shapes={"x": (2, 3), "w": (3,)}, params=EPS, right=True),
    Case("batch-norm-by-steps", batch_norm, vjp=batch_norm_backward, shapes=BATCH, params=EPS, right=True),
    Case(
        "batch-norm-inference", batch_norm_inference, vjp=batch_norm_inference_backward, shapes=INFERENCE, params=EPS,
        domain=positive_variance, right=True,
    ),
    Case(
        "group-norm", group_norm, vjp=group_norm_backward, shapes={"x": (1, 4, 1)}, params={"groups": 2, "eps": 1e-5},
        right=True,
    ),
    Case(
        "l2-normalize-rows", l2_normalize, vjp=l2_normalize_backward, shapes=X, params={"eps": "positive"}, right=True
    ),
    Case(
        "normalize-floor", normalize_floor, vjp=normalize_floor_backward, shapes={"x": (3,)}, params={"eps": 0.001},
        right=True,
    ),
    Case(
        "weight-norm", weight_norm, vjp=weight_norm_backward, shapes={"v": (2, 2), "gain": (2,)}, domain=nonzero_rows,
        right=True,
    ),
    Case(
        "layer-norm-no-mean", layer_norm, vjp=layer_norm_no_mean, residuals=True, shapes=AFFINE, params=EPS,
        right=False, bug="cotangent through the mean is missing",
        at={**AT, "gamma": [1.0, 2.0, 0.5], "beta": [0.0, 0.0, 0.0]},
    ),
    Case(
        "standardize-jvp-frozen-std", standardize, jvp=standardize_jvp_frozen_std, shapes=X, params=EPS,
        right=False, bug="the standard deviation is taken as constant", at={"x": AT["x"], "dx": AT["g"]},
    ),
    Case(
        "standardize-no-eps", standardize, vjp=standardize_no_eps, shapes=X, params={"eps": 1e-12},
        right=False, bug="eps forgotten in the backward: inf * 0 at a constant row", hidden="nan",
        at={"x": [[1.0, 1.0, 1.0], [0.5, -1.0, 0.0]], "g": AT["g"]},
    ),
    Case(
        "standardize-third", standardize, vjp=standardize_third, shapes=X, params=EPS,
        right=False, bug="1/3 typed as 0.3333333", hidden="small", at=AT,
    ),
    Case(
        "rms-norm-no-n", rms_norm, vjp=rms_norm_no_n, shapes={"x": (2, 3), "w": (3,)}, params=EPS,
        right=False, bug="the second term is not divided by n", at={**AT, "w": [1.0, 2.0, 0.5]},
    ),
    Case(
        "batch-norm-unbiased", batch_norm, vjp=batch_norm_unbiased, shapes=BATCH, params=EPS,
        right=False, bug="backward divides the variance by n - 1, forward by n",
        at={
            "x": [[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]], "gamma": [1.0, 2.0], "beta": [0.0, 1.0],
            "g": [[1.0, 0.0], [2.0, -1.0], [0.0, 1.0]],
        },
    ),
    Case(
        "batch-norm-inference-no-half", batch_norm_inference, vjp=batch_norm_inference_no_half, shapes=INFERENCE,
        params=EPS, domain=positive_variance, right=False, bug="derivative of var^(-1/2) without its 1/2",
        at={"x": [[1.0, 2.0], [0.0, -1.0]], "mean": [0.5, 0.0], "var": [1.0, 4.0], "g": [[1.0, 0.0], [2.0, -1.0]]},
    ),
    Case(
        "group-norm-per-channel", group_norm, vjp=group_norm_per_channel, shapes={"x": (1, 4, 2)},
        params={"groups": 2, "eps": 1e-5}, right=False, bug="backward averages over a channel, not over the group",
        at={
            "x": [[[1.0, 2.0], [0.0, -1.0], [3.0, 0.5], [1.0, 1.5]]],
            "g": [[[1.0, 0.0], [2.0, -1.0], [0.0, 1.0], [1.0, 2.0]]],
        },
    ),
    Case(
        "l2-normalize-clamped", l2_normalize, vjp=l2_normalize_clamped, shapes=X, params={"eps": 1e-6},
        right=False, bug="the backward clamps the norm at 100", hidden="far",
        at={"x": [[100.0, 200.0, 0.0], [1.0, 2.0, 3.0]], "g": [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]},
    ),
    Case(
        "normalize-floor-no-branch", normalize_floor, vjp=normalize_floor_no_branch, shapes={"x": (3,)},
        params={"eps": 0.001}, right=False, bug="below the floor the map is x/eps; the backward divides by the norm 0",
        hidden="nan", at={"x": [0.0, 0.0, 0.0], "g": [1.0, 2.0, 3.0]},
    ),
    Case(
        "weight-norm-unnormalized-gain", weight_norm, vjp=weight_norm_unnormalized_gain,
        shapes={"v": (2, 2), "gain": (2,)}, domain=nonzero_rows, right=False,
        bug="cotangent of the gain is not divided by the norm",
        at={"v": [[3.0, 4.0], [1.0, 0.0]], "gain": [1.0, 2.0], "g": [[1.0, 1.0], [0.0, 1.0]]},
    ),
]
