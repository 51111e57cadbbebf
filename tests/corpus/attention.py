"""Softmax and attention."""

import numpy as np

from .case import Case


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def softmax_backward(g, x):
    p = softmax(x)
    return p * (g - np.sum(g * p, axis=-1, keepdims=True))


def softmax_diagonal(g, x):
    p = softmax(x)
    return g * p * (1 - p)


def softmax_naive_exp(g, x):
    e = np.exp(x)
    p = e / e.sum(axis=-1, keepdims=True)
    return p * (g - (g * p).sum(axis=-1, keepdims=True))


def tempered(x, tau):
    return softmax(x / tau)


def tempered_jvp(primals, tangents, tau):
    p = softmax(primals[0] / tau)
    dz = tangents[0] / tau
    return p * (dz - (p * dz).sum(axis=-1, keepdims=True))


def tempered_jvp_no_tau(primals, tangents, tau):
    p = softmax(primals[0] / tau)
    dz = tangents[0]
    return p * (dz - (p * dz).sum(axis=-1, keepdims=True))


def masked_softmax(x, keep):
    return softmax(np.where(keep == 1, x, -np.inf))


def masked_softmax_backward(g, x, keep):
    p = masked_softmax(x, keep)
    return p * (g - (g * p).sum(axis=-1, keepdims=True)), None


def masked_softmax_zeros(g, x, keep):
    p = softmax(x * keep)
    return keep * p * (g - (g * p).sum(axis=-1, keepdims=True)), None


def some_kept(x, keep):
    return np.sum(keep, axis=-1) > 0


def causal_softmax(s):
    mask = np.tril(np.ones(s.shape, dtype=bool))
    return softmax(np.where(mask, s, -np.inf))


def causal_softmax_backward(g, s):
    mask = np.tril(np.ones(s.shape, dtype=bool))
    p = softmax(np.where(mask, s, -np.inf))
    gs = p * (g - np.einsum("ij,ij->i", g, p)[:, None])
    gs[~mask] = 0
    return gs


def causal_softmax_minus_fifty(g, s):
    mask = np.tril(np.ones(s.shape, dtype=bool))
    p = softmax(np.where(mask, s, -50.0))
    return np.where(mask, p * (g - (g * p).sum(axis=-1, keepdims=True)), 0.0)


def causal_softmax_open_diagonal(g, s):
    n = s.shape[0]
    gs = np.zeros(s.shape)
    for i in range(n):
        p = softmax(s[i, : i + 1])
        row = p * (g[i, : i + 1] - np.dot(g[i, :i], p[:i]))
        gs[i, : i + 1] = row
    return gs


def attention(q, k, v):
    return softmax(q @ k.T / np.sqrt(q.shape[-1])) @ v


def attention_backward(g, q, k, v):
    scale = 1 / np.sqrt(q.shape[-1])
    p = softmax(q @ k.T * scale)
    gp = g @ v.T
    gs = p * (gp - (gp * p).sum(axis=-1, keepdims=True))
    return gs @ k * scale, gs.T @ q * scale, p.T @ g


def attention_query_unscaled(g, q, k, v):
    scale = 1 / np.sqrt(q.shape[-1])
    p = softmax(q @ k.T * scale)
    gp = g @ v.T
    gs = p * (gp - (gp * p).sum(axis=-1, keepdims=True))
    return gs @ k, gs.T @ q * scale, p.T @ g


def attention_key_not_transposed(g, q, k, v):
    scale = 1 / np.sqrt(q.shape[-1])
    p = softmax(q @ k.T * scale)
    gp = g @ v.T
    gs = p * (gp - (gp * p).sum(axis=-1, keepdims=True)) * scale
    return gs @ k, gs @ q, p.T @ g


def attention_mistyped_scale(g, q, k, v):
    scale = 0.7071069
    p = softmax(q @ k.T * scale)
    gp = g @ v.T
    gs = p * (gp - (gp * p).sum(axis=-1, keepdims=True)) * scale
    return gs @ k, gs.T @ q, p.T @ g


def causal_attention(q, k, v):
    s = np.einsum("id,jd->ij", q, k)
    s[np.triu_indices(len(s), 1)] = -np.inf
    p = softmax(s)
    return p @ v, (q, k, v, p)


def causal_attention_backward(res, g):
    q, k, v, p = res
    gv = np.einsum("ij,id->jd", p, g)
    gp = np.einsum("id,jd->ij", g, v)
    gs = p * (gp - np.sum(g * (p @ v), axis=1, keepdims=True))
    return np.einsum("ij,jd->id", gs, k), np.einsum("ij,id->jd", gs, q), gv


def causal_attention_untransposed_value(res, g):
    q, k, v, p = res
    gp = g @ v.T
    gs = p * (gp - np.sum(gp * p, axis=1, keepdims=True))
    return gs @ k, gs.T @ q, p @ g


def biased(s, table, bucket):
    return softmax(s + table[bucket])


def biased_backward(g, s, table, bucket):
    p = softmax(s + table[bucket])
    gs = p * (g - (g * p).sum(axis=-1, keepdims=True))
    gt = np.zeros(table.shape)
    np.add.at(gt, bucket, gs)
    return gs, gt, None


def biased_overwrites(g, s, table, bucket):
    p = softmax(s + table[bucket])
    gs = p * (g - (g * p).sum(axis=-1, keepdims=True))
    gt = np.zeros(table.shape)
    gt[bucket] += gs
    return gs, gt, None


def softmax_entropy(x):
    m = np.max(x)
    e = np.exp(x - m)
    p = e / np.sum(e)
    return m + np.log(np.sum(e)) - np.sum(p * x)


def softmax_entropy_backward(g, x):
    p = softmax(x)
    return -g * p * (x - np.sum(p * x))


def softmax_entropy_log_p(g, x):
    p = softmax(x)
    logp = np.log(p)
    return -g * p * (logp - np.sum(p * logp))


def pooled(x, w):
    a = softmax(np.tanh(x) @ w)
    return a @ x


def pooled_backward(g, x, w):
    t = np.tanh(x)
    a = softmax(t @ w)
    ga = x @ g
    gs = a * (ga - a @ ga)
    gx = np.outer(a, g) + np.outer(gs, w) * (1 - t**2)
    return gx, t.T @ gs


def pooled_no_tanh_slope(g, x, w):
    t = np.tanh(x)
    a = softmax(t @ w)
    ga = x @ g
    gs = a * (ga - a @ ga)
    return np.outer(a, g) + np.outer(gs, w), t.T @ gs


ROWS = {"x": (2, 3)}
MASKED = {"x": (3,), "keep": (3,)}
SCORES = {"s": (3, 3)}
QKV = {"q": (2, 2), "k": (2, 2), "v": (2, 2)}
BIASED = {"s": (3,), "table": (3,), "bucket": (3,)}
AT_ROWS = {"x": [[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], "g": [[1.0, 2.0, 3.0], [1.0, 0.0, -1.0]]}
AT_QKV = {
    "q": [[1.0, 0.0], [0.5, 1.0]], "k": [[1.0, 1.0], [0.0, 2.0]], "v": [[1.0, 2.0], [0.0, -1.0]],
    "g": [[1.0, 0.0], [1.0, 2.0]],
}
G3 = [[1.0, 2.0, 3.0], [1.0, 0.0, -1.0], [0.0, 2.0, 1.0]]

CASES = [
    Case("softmax-rows", softmax, vjp=softmax_backward, shapes=ROWS, right=True),
    Case(
        "softmax-tempered-jvp", tempered, jvp=tempered_jvp, shapes={"x": (3,)}, params={"tau": "positive"}, right=True
    ),
    Case(
        "softmax-masked", masked_softmax, vjp=masked_softmax_backward, shapes=MASKED, integers={"keep": (0, 2)},
        domain=some_kept, right=True,
    ),
    Case("causal-softmax", causal_softmax, vjp=causal_softmax_backward, shapes=SCORES, right=True),
    Case("attention-scaled", attention, vjp=attention_backward, shapes=QKV, right=True),
    Case(
        "attention-causal-residuals", causal_attention, vjp=causal_attention_backward, residuals=True, shapes=QKV,
        right=True,
    ),
    Case("attention-bias-buckets", biased, vjp=biased_backward, shapes=BIASED, integers={"bucket": (0, 3)}, right=True),
    Case("softmax-entropy", softmax_entropy, vjp=softmax_entropy_backward, shapes={"x": (3,)}, right=True),
    Case("attention-pooling", pooled, vjp=pooled_backward, shapes={"x": (3, 2), "w": (2,)}, right=True),
    Case(
        "softmax-diagonal", softmax, vjp=softmax_diagonal, shapes=ROWS,
        right=False, bug="only the diagonal of the Jacobian", at=AT_ROWS,
    ),
    Case(
        "softmax-naive-exp", softmax, vjp=softmax_naive_exp, shapes=ROWS,
        right=False, bug="maximum not subtracted in the backward: inf/inf", hidden="nan",
        at={**AT_ROWS, "x": [[800.0, 799.0, 0.0], [0.0, 1.0, 1.0]]},
    ),
    Case(
        "softmax-tempered-jvp-no-tau", tempered, jvp=tempered_jvp_no_tau, shapes={"x": (3,)}, params={"tau": 0.5},
        right=False, bug="1/tau missing", at={"x": [1.0, 2.0, 0.0], "dx": [1.0, 0.0, 2.0]},
    ),
    Case(
        "softmax-masked-by-zero", masked_softmax, vjp=masked_softmax_zeros, shapes=MASKED, integers={"keep": (0, 2)},
        domain=some_kept, right=False, bug="backward masks with 0, forward with -inf",
        at={"x": [1.0, 2.0, 0.5], "keep": [1, 0, 1], "g": [1.0, 2.0, 0.0]},
    ),
    Case(
        "causal-softmax-minus-fifty", causal_softmax, vjp=causal_softmax_minus_fifty, shapes=SCORES,
        right=False, bug="backward masks with -50, which scores below it lose against", hidden="far",
        at={"s": [[0.0, 0.0, 0.0], [-60.0, -60.0, 0.0], [1.0, 2.0, 3.0]], "g": G3},
    ),
    Case(
        "causal-softmax-open-diagonal", causal_softmax, vjp=causal_softmax_open_diagonal, shapes=SCORES,
        right=False, bug="the diagonal is missing in the row sum",
        at={"s": [[0.0, 0.0, 0.0], [1.0, 2.0, 0.0], [1.0, 2.0, 3.0]], "g": G3},
    ),
    Case(
        "attention-query-unscaled", attention, vjp=attention_query_unscaled, shapes=QKV,
        right=False, bug="gq without the scale", at=AT_QKV,
    ),
    Case(
        "attention-key-not-transposed", attention, vjp=attention_key_not_transposed, shapes=QKV,
        right=False, bug="gk from gs instead of its transpose", at=AT_QKV,
    ),
    Case(
        "attention-mistyped-scale", attention, vjp=attention_mistyped_scale, shapes=QKV,
        right=False, bug="1/sqrt(2) typed as 0.7071069", hidden="small", at=AT_QKV,
    ),
    Case(
        "attention-causal-untransposed-value", causal_attention, vjp=causal_attention_untransposed_value,
        residuals=True, shapes=QKV, right=False, bug="gv from p instead of its transpose", at=AT_QKV,
    ),
    Case(
        "attention-bias-overwrites", biased, vjp=biased_overwrites, shapes=BIASED, integers={"bucket": (0, 3)},
        right=False, bug="gt[bucket] += adds a repeated bucket only once", hidden="coincide",
        at={"s": [0.0, 1.0, 2.0], "table": [0.5, 0.0, 1.0], "bucket": [1, 1, 2], "g": [1.0, 2.0, 0.0]},
    ),
    Case(
        "softmax-entropy-log-p", softmax_entropy, vjp=softmax_entropy_log_p, shapes={"x": (3,)},
        right=False, bug="p log p is 0 * -inf once p underflows", hidden="nan", at={"x": [800.0, 0.0, 1.0], "g": 1.0},
    ),
    Case(
        "attention-pooling-no-tanh-slope", pooled, vjp=pooled_no_tanh_slope, shapes={"x": (3, 2), "w": (2,)},
        right=False, bug="1 - tanh^2 missing",
        at={"x": [[1.0, 2.0], [0.0, 1.0], [-1.0, 0.5]], "w": [1.0, 2.0], "g": [1.0, -1.0]},
    ),
]
