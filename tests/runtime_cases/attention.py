from functools import partial

import numpy as np

import gradproof as gp

from .arrays import R, normal


def attention_reference(q, k, v, mask=None, is_causal=False, scale=None):
    """Query by query, over the list of keys that it may read."""
    (n, E), m, F = q.shape[-2:], k.shape[-2], v.shape[-1]
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    q, k, v = (np.broadcast_to(x, batch + x.shape[-2:]) for x in (q, k, v))
    mask = np.broadcast_to(True if mask is None else mask, (*batch, n, m))
    scale = 1 / np.sqrt(E) if scale is None else scale
    y = np.zeros((*batch, n, F))
    for *b, i in np.ndindex(*batch, n):
        b = tuple(b)
        keys = [j for j in range(m) if mask[(*b, i, j)] and (j <= i or not is_causal)]
        exps = [np.exp(scale * q[b][i] @ k[b][j]) for j in keys]
        for j, e in zip(keys, exps, strict=True):
            y[b][i] += e / sum(exps) * v[b][j]
    return y


def heads_reference(num_heads, mask=None):
    """Head h owns the columns h E to (h + 1) E of wq, wk and wv, and those rows of wo."""

    def f(x, wq, wk, wv, wo):
        y, E = np.zeros(x.shape), wq.shape[1] // num_heads
        for h in range(num_heads):
            own = slice(h * E, (h + 1) * E)
            y += attention_reference(x @ wq[:, own], x @ wk[:, own], x @ wv[:, own], mask) @ wo[own]
        return y

    return f


def weights(D, HE):
    return *(normal(D, HE, seed=k) for k in range(3)), normal(HE, D, seed=3)


MASK = R(0).random((2, 3, 4)) < 0.6
MASK[0, 1] = False  # a query that may read nothing
SQUARE = np.array([[True, False, False], [True, True, True], [False, False, False]])
CASES = []
QKV = (normal(2, 3, 4), normal(2, 4, 4, seed=1), normal(2, 4, 2, seed=2))
for tag, xs, keywords in [
    ("plain", QKV, {}),
    ("matrices", tuple(x[0] for x in QKV), {}),
    ("mask", QKV, {"mask": MASK}),
    ("causal", QKV, {"is_causal": True}),
    ("more-queries", (normal(4, 2), normal(2, 2), normal(2, 3)), {"is_causal": True}),
    ("causal-mask", QKV, {"is_causal": True, "mask": MASK[0]}),
    ("scale", QKV, {"scale": -0.3}),
    ("broadcast", (normal(2, 1, 2, 3), normal(4, 3, 3), normal(1, 1, 3, 2)), {"mask": SQUARE[:1]}),
    ("nothing-to-read", QKV, {"mask": np.zeros((3, 4), bool)}),
    ("no-keys", (normal(2, 3), normal(0, 3), normal(0, 2)), {}),
    ("no-queries", (normal(0, 3), normal(2, 3), normal(2, 2)), {}),
    ("no-features", (normal(2, 0), normal(3, 0), normal(3, 2)), {"scale": 1.0}),
]:
    f, reference = partial(gp.scaled_dot_product_attention, **keywords), partial(attention_reference, **keywords)
    CASES.append((f"scaled_dot_product_attention-{tag}", f, reference, xs))
for tag, x, num_heads, mask in [
    ("plain", normal(3, 4), 2, None),
    ("batch", normal(2, 1, 3, 2), 3, None),
    ("one-head", normal(2, 3, 2), 1, None),
    ("mask", normal(2, 3, 4), 2, SQUARE),
    ("batch-of-masks", normal(2, 3, 2), 2, np.stack([SQUARE, SQUARE.T])),
    ("no-rows", normal(0, 4), 2, None),
]:
    xs = (x, *weights(x.shape[-1], 6))
    f = partial(gp.multi_head_attention, num_heads=num_heads, mask=mask)
    CASES.append((f"multi_head_attention-{tag}", f, heads_reference(num_heads, mask), xs))
