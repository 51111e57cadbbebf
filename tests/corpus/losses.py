"""Losses."""

import numpy as np

from .case import Case


def cross_entropy(x, t):
    n = x.shape[0]
    z = x - x.max(axis=1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -logp[np.arange(n), t].mean(), (np.exp(logp), t)


def cross_entropy_backward(res, g):
    p, t = res
    n = p.shape[0]
    gx = p.copy()
    gx[np.arange(n), t] -= 1
    return g * gx / n, None


def cross_entropy_no_mean(res, g):
    p, t = res
    gx = p.copy()
    gx[np.arange(p.shape[0]), t] -= 1
    return g * gx, None


def cross_entropy_label_zero(res, g):
    p, t = res
    n = p.shape[0]
    gx = p.copy()
    for i in range(n):
        if t[i] > 0:
            gx[i, t[i]] -= 1
        else:
            gx[i] = 0  # padding
    return g * gx / n, None


def entropy_bits(p):
    return -np.sum(p * np.log(p)) / np.log(2.0)


def entropy_bits_backward(g, p):
    return -g * (np.log(p) + 1) / np.log(2.0)


def entropy_bits_mistyped(g, p):
    return -g * (np.log(p) + 1) / 0.693147


def focal(p, gamma):
    return -((1 - p) ** gamma) * np.log(p)


def focal_backward(g, p, gamma):
    return g * (gamma * (1 - p) ** (gamma - 1) * np.log(p) - (1 - p) ** gamma / p)


def focal_frozen_weight(g, p, gamma):
    return -g * (1 - p) ** gamma / p


def probability(p, gamma):
    return [p > 0, p < 1]


def svm(s, t):
    n = s.shape[0]
    correct = s[np.arange(n), t][:, None]
    margins = np.maximum(0, s - correct + 1.0)
    margins[np.arange(n), t] = 0
    return margins.sum()


def svm_backward(g, s, t):
    n = s.shape[0]
    correct = s[np.arange(n), t][:, None]
    active = np.where(s - correct + 1.0 > 0, 1.0, 0.0)
    active[np.arange(n), t] = 0
    active[np.arange(n), t] = -active.sum(axis=1)
    return g * active, None


def svm_counts_once(g, s, t):
    n = s.shape[0]
    correct = s[np.arange(n), t][:, None]
    active = np.where(s - correct + 1.0 > 0, 1.0, 0.0)
    active[np.arange(n), t] = -1
    return g * active, None


def huber(x, y, delta):
    r = x - y
    a = np.abs(r)
    return np.where(a <= delta, 0.5 * r**2, delta * (a - 0.5 * delta))


def huber_backward(g, x, y, delta):
    gr = g * np.clip(x - y, -delta, delta)
    return gr, -gr


def huber_open_masks(g, x, y, delta):
    r = x - y
    gr = np.zeros(r.shape)
    gr[np.abs(r) < delta] = r[np.abs(r) < delta]
    gr[r > delta] = delta
    gr[r < -delta] = -delta
    return g * gr, -g * gr


def huber_unit_slope(g, x, y, delta):
    r = x - y
    gr = g * np.where(np.abs(r) <= delta, r, np.sign(r))
    return gr, -gr


def smooth_l1(x, y, beta):
    d = np.abs(x - y)
    out = np.zeros(d.shape)
    small = d < beta
    out[small] = 0.5 * d[small] ** 2 / beta
    out[~small] = d[~small] - 0.5 * beta
    return out.mean()


def smooth_l1_backward(g, x, y, beta):
    r = x - y
    gx = np.sign(r)
    small = np.abs(r) < beta
    gx[small] = r[small] / beta
    gx = gx * g / x.size
    return gx, -gx


def smooth_l1_same_sign(g, x, y, beta):
    r = x - y
    gx = np.where(np.abs(r) < beta, r / beta, np.sign(r)) * g / x.size
    return gx, gx


def bce_with_logits(x, t):
    return np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))


def bce_with_logits_backward(g, x, t):
    e = np.exp(-np.abs(x))
    s = np.where(x >= 0, 1 / (1 + e), e / (1 + e))
    return g * (s - t), -g * x


def bce_by_parts(g, x, t):
    e = np.exp(-np.abs(x))
    return g * ((x > 0) - t - np.sign(x) * e / (1 + e)), -g * x


def bce_target_by_logs(g, x, t):
    s = 1 / (1 + np.exp(-x))
    return g * (s - t), -g * np.log(s / (1 - s))


def kl(p, q):
    return np.sum(p * (np.log(p) - np.log(q)))


def kl_backward(g, p, q):
    return g * (np.log(p / q) + 1), -g * p / q


def kl_no_one(g, p, q):
    return g * np.log(p / q), -g * p / q


def positive_pair(p, q):
    return [p > 0, q > 0]


def contrastive(a, b, same, margin):
    d = np.sqrt(np.sum((a - b) ** 2))
    if same == 1:
        return d**2
    return np.maximum(margin - d, 0) ** 2


def contrastive_backward(g, a, b, same, margin):
    diff = a - b
    if same == 1:
        ga = 2 * g * diff
        return ga, -ga, None
    d = np.sqrt(np.sum(diff**2))
    if d >= margin or d == 0:
        return np.zeros(a.shape), np.zeros(b.shape), None
    ga = -2 * g * (margin - d) * diff / d
    return ga, -ga, None


def contrastive_divides(g, a, b, same, margin):
    diff = a - b
    d = np.sqrt(np.sum(diff**2))
    unit = diff / d
    if same == 1:
        ga = 2 * g * d * unit
    else:
        ga = -2 * g * np.maximum(margin - d, 0) * unit
    return ga, -ga, None


def pinball(y, pred, tau):
    e = y - pred
    return np.mean(np.maximum(tau * e, (tau - 1) * e))


def pinball_backward(g, y, pred, tau):
    e = y - pred
    ge = np.where(e > 0, tau, tau - 1) * g / e.size
    return ge, -ge


def pinball_swapped(g, y, pred, tau):
    e = y - pred
    ge = np.where(e > 0, 1 - tau, -tau) * g / e.size
    return ge, -ge


def mse(x, y):
    return np.mean((x - y) ** 2)


def mse_jvp(primals, tangents):
    x, y = primals
    dx, dy = tangents
    return 2 * np.mean((x - y) * (dx - dy))


def mse_jvp_target_dropped(primals, tangents):
    x, y = primals
    dx, _dy = tangents
    return 2 * np.mean((x - y) * dx)


LOGITS = {"x": (2, 3), "t": (2,)}
LABELS = {"t": (0, 3)}
PAIR = {"x": (3,), "y": (3,)}
AT_LOGITS = {"x": [[1.0, 2.0, 0.0], [0.5, -1.0, 1.0]], "t": [2, 1], "g": 1.0}
AT_PAIR = {"x": [1.0, 0.5, 3.0], "y": [0.5, 2.5, 1.0], "g": [1.0, 2.0, 1.0]}

CASES = [
    Case(
        "cross-entropy-labels", cross_entropy, vjp=cross_entropy_backward, residuals=True, shapes=LOGITS,
        integers=LABELS, right=True,
    ),
    Case(
        "entropy-bits", entropy_bits, vjp=entropy_bits_backward, shapes={"p": (3,)}, domain=lambda p: p > 0, right=True
    ),
    Case("focal", focal, vjp=focal_backward, shapes={"p": (3,)}, params={"gamma": 2}, domain=probability, right=True),
    Case("svm-hinge", svm, vjp=svm_backward, shapes={"s": (2, 3), "t": (2,)}, integers=LABELS, right=True),
    Case("huber-clip", huber, vjp=huber_backward, shapes=PAIR, params={"delta": "positive"}, right=True),
    Case("smooth-l1-masks", smooth_l1, vjp=smooth_l1_backward, shapes=PAIR, params={"beta": 1.0}, right=True),
    Case("bce-with-logits", bce_with_logits, vjp=bce_with_logits_backward, shapes={"x": (3,), "t": (3,)}, right=True),
    Case("kl", kl, vjp=kl_backward, shapes={"p": (3,), "q": (3,)}, domain=positive_pair, right=True),
    Case(
        "contrastive", contrastive, vjp=contrastive_backward, shapes={"a": (3,), "b": (3,), "same": ()},
        params={"margin": 2.0}, integers={"same": (0, 2)}, right=True,
    ),
    Case("pinball", pinball, vjp=pinball_backward, shapes={"y": (3,), "pred": (3,)}, params={"tau": 0.9}, right=True),
    Case("mse-jvp", mse, jvp=mse_jvp, shapes=PAIR, right=True),
    Case(
        "cross-entropy-no-mean", cross_entropy, vjp=cross_entropy_no_mean, residuals=True, shapes=LOGITS,
        integers=LABELS, right=False, bug="the mean's 1/n is missing", at=AT_LOGITS,
    ),
    Case(
        "cross-entropy-label-zero", cross_entropy, vjp=cross_entropy_label_zero, residuals=True, shapes=LOGITS,
        integers=LABELS, right=False, bug="rows with label 0 are taken for padding", hidden="coincide",
        at={**AT_LOGITS, "t": [0, 1]},
    ),
    Case(
        "entropy-bits-mistyped", entropy_bits, vjp=entropy_bits_mistyped, shapes={"p": (3,)}, domain=lambda p: p > 0,
        right=False, bug="log 2 typed as 0.693147", hidden="small", at={"p": [0.5, 0.25, 2.0], "g": 1.0},
    ),
    Case(
        "focal-frozen-weight", focal, vjp=focal_frozen_weight, shapes={"p": (3,)}, params={"gamma": 2},
        domain=probability, right=False, bug="the weight (1 - p)^gamma is taken as constant",
        at={"p": [0.5, 0.25, 0.75], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "svm-counts-once", svm, vjp=svm_counts_once, shapes={"s": (2, 3), "t": (2,)}, integers=LABELS,
        right=False, bug="the correct class gets -1, not minus the number of active margins",
        at={"s": [[1.0, 1.25, 0.5], [0.0, 3.0, 0.0]], "t": [2, 1], "g": 1.0},
    ),
    Case(
        "huber-open-masks", huber, vjp=huber_open_masks, shapes=PAIR, params={"delta": 1.0},
        right=False, bug="|r| = delta belongs to no mask: 0 instead of delta", hidden="tie",
        at={"x": [1.0, 0.5, 2.0], "y": [0.0, 0.5, 0.0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "huber-unit-slope", huber, vjp=huber_unit_slope, shapes=PAIR, params={"delta": 10.0},
        right=False, bug="slope 1 instead of delta in the linear part", hidden="far",
        at={"x": [12.0, 0.5, 2.0], "y": [0.0, 0.5, 0.0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "smooth-l1-same-sign", smooth_l1, vjp=smooth_l1_same_sign, shapes=PAIR, params={"beta": 1.0},
        right=False, bug="cotangent of the target has the sign of the other", at={**AT_PAIR, "g": 1.0},
    ),
    Case(
        "bce-by-parts", bce_with_logits, vjp=bce_by_parts, shapes={"x": (3,), "t": (3,)},
        right=False, bug="max and |x| differentiated one by one: -t instead of 1/2 - t at x = 0", hidden="tie",
        at={"x": [0.0, 1.0, -1.0], "t": [0.0, 1.0, 0.5], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "bce-target-by-logs", bce_with_logits, vjp=bce_target_by_logs, shapes={"x": (3,), "t": (3,)},
        right=False, bug="x recovered as log(s/(1 - s)): infinite once s rounds to 1", hidden="nan",
        at={"x": [800.0, 1.0, -1.0], "t": [0.0, 1.0, 0.5], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "kl-no-one", kl, vjp=kl_no_one, shapes={"p": (3,), "q": (3,)}, domain=positive_pair,
        right=False, bug="p log p differentiated without its 1",
        at={"p": [0.5, 0.25, 1.0], "q": [1.0, 0.5, 2.0], "g": 1.0},
    ),
    Case(
        "contrastive-divides", contrastive, vjp=contrastive_divides, shapes={"a": (3,), "b": (3,), "same": ()},
        params={"margin": 2.0}, integers={"same": (0, 2)}, right=False,
        bug="0/0 at a = b, where the loss of a same pair is smooth", hidden="nan",
        at={"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0], "same": 1, "g": 1.0},
    ),
    Case(
        "pinball-swapped", pinball, vjp=pinball_swapped, shapes={"y": (3,), "pred": (3,)}, params={"tau": 0.9},
        right=False, bug="tau and 1 - tau exchanged", at={"y": [1.0, 2.0, 3.0], "pred": [0.0, 3.0, 5.0], "g": 1.0},
    ),
    Case(
        "mse-jvp-target-dropped", mse, jvp=mse_jvp_target_dropped, shapes=PAIR,
        right=False, bug="tangent of the target is dropped",
        at={"x": AT_PAIR["x"], "y": AT_PAIR["y"], "dx": [1.0, 0.0, 0.0], "dy": [0.0, 1.0, 0.0]},
    ),
]
