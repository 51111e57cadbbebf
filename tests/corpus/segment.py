"""Gather, scatter, segments, scans, sorting: maps with integer arguments or an order."""

import numpy as np

from .case import Case


def segment_sum(x, seg, n):
    y = np.zeros(n)
    np.add.at(y, seg, x)
    return y


def segment_sum_backward(g, x, seg, n):
    return g[seg], None


def segment_mean(x, seg, n):
    y = np.zeros(n)
    count = np.zeros(n)
    for j in range(x.shape[0]):
        y[seg[j]] += x[j]
        count[seg[j]] += 1
    return y / np.maximum(count, 1)


def segment_mean_backward(g, x, seg, n):
    count = np.zeros(n)
    np.add.at(count, seg, 1)
    return (g / np.maximum(count, 1))[seg], None


def segment_mean_no_count(g, x, seg, n):
    return g[seg], None


def gather(x, idx):
    return x[idx]


def gather_backward(g, x, idx):
    gx = np.zeros_like(x)
    np.add.at(gx, idx, g)
    return gx, None


def gather_fancy_add(g, x, idx):
    gx = np.zeros_like(x)
    gx[idx] += g
    return gx, None


def gather_sum_square(x, idx):
    return np.sum(x[idx] ** 2)


def gather_sum_square_backward(g, x, idx):
    gx = np.zeros(x.shape)
    for j in idx:
        gx[j] += 2 * g * x[j]
    return gx, None


def gather_sum_square_assigns(g, x, idx):
    gx = np.zeros(x.shape)
    for j in idx:
        gx[j] = 2 * g * x[j]
    return gx, None


def embedding(table, tokens):
    return np.take(table, tokens, axis=0)


def embedding_backward(g, table, tokens):
    gt = np.zeros(table.shape)
    np.add.at(gt, tokens.reshape(-1), g.reshape(-1, table.shape[1]))
    return gt, None


def embedding_padding_zero(g, table, tokens):
    gt = np.zeros(table.shape)
    np.add.at(gt, tokens, g)
    gt[0] = 0
    return gt, None


def scatter_add(base, src, idx):
    y = base.copy()
    np.add.at(y, idx, src)
    return y


def scatter_add_backward(g, base, src, idx):
    return g, g[idx], None


def scatter_set(base, src, idx):
    y = base.copy()
    for j in range(len(idx)):
        y[idx[j]] = src[j]
    return y


def scatter_set_backward(g, base, src, idx):
    gbase = g.copy()
    gsrc = np.zeros(src.shape)
    for j in reversed(range(len(idx))):
        gsrc[j] = gbase[idx[j]]
        gbase[idx[j]] = 0
    return gbase, gsrc, None


def scatter_set_all_win(g, base, src, idx):
    gbase = g.copy()
    gbase[idx] = 0
    return gbase, g[idx], None


def window(x, i):
    return np.sum(x[max(i - 1, 0) : i + 2])


def window_backward(g, x, i):
    gx = np.zeros(x.shape)
    gx[max(i - 1, 0) : i + 2] = g
    return gx, None


def window_negative_start(g, x, i):
    gx = np.zeros(x.shape)
    gx[i - 1 : i + 2] = g
    return gx, None


def neighbour(x, i):
    return x[np.minimum(i + 1, x.shape[0] - 1)] * 2 - x[i]


def neighbour_backward(g, x, i):
    gx = np.zeros(x.shape)
    gx[np.minimum(i + 1, x.shape[0] - 1)] += 2 * g
    gx[i] -= g
    return gx, None


def neighbour_wraps(g, x, i):
    gx = np.zeros(x.shape)
    gx[(i + 1) % x.shape[0]] += 2 * g
    gx[i] -= g
    return gx, None


def cumsum(x):
    return np.cumsum(x, axis=1)


def cumsum_backward(g, x):
    return np.cumsum(g[:, ::-1], axis=1)[:, ::-1]


def cumsum_forwards(g, x):
    return np.cumsum(g, axis=1)


def cumsum_exclusive(g, x):
    return np.cumsum(g[:, ::-1], axis=1)[:, ::-1] - g


def product(x):
    return np.prod(x)


def product_backward(g, x):
    gx = np.zeros(x.shape)
    for i in range(x.size):
        gx[i] = g * np.prod(x[:i]) * np.prod(x[i + 1 :])
    return gx


def product_quotient(g, x):
    return g * np.prod(x) / x


def sort(x):
    return np.sort(x)


def sort_backward(g, x):
    gx = np.zeros(x.shape)
    gx[np.argsort(x)] = g
    return gx


def sort_not_inverted(g, x):
    return g[np.argsort(x)]


def top_k(x, k):
    return np.sort(x)[::-1][:k]


def top_k_backward(g, x, k):
    order = np.argsort(-x)
    gx = np.zeros(x.shape)
    gx[order[:k]] = g
    return gx


def top_k_smallest(g, x, k):
    gx = np.zeros(x.shape)
    gx[np.argsort(x)[:k]] = g
    return gx


def sorted_spread(x):
    s = np.sort(x)
    return (s[-1] - s[0]) ** 2


def sorted_spread_backward(g, x):
    order = np.argsort(x)
    d = 2 * g * (x[order[-1]] - x[order[0]])
    gx = np.zeros(x.shape)
    gx[order[-1]] += d
    gx[order[0]] -= d
    return gx


def two_smallest(x):
    a, b = np.sort(x)[:2]
    return a * b + a + b


def two_smallest_backward(g, x):
    i, j = np.argsort(x)[:2]
    gx = np.zeros(x.shape)
    gx[i] = g * (x[j] + 1)
    gx[j] = g * (x[i] + 1)
    return gx


def two_smallest_by_value(g, x):
    a, b = np.sort(x)[:2]
    gx = np.zeros(x.shape)
    gx[x == b] = g * (a + 1)
    gx[x == a] += g * (b + 1)
    return gx


SEG = {"x": (3,), "seg": (3,)}
GATHER = {"x": (3,), "idx": (2,)}
SCATTER = {"base": (3,), "src": (2,), "idx": (2,)}
ONE = {"x": (4,), "i": ()}
V3 = {"x": (3,)}
ROWS = {"x": (2, 3)}
THREE = {"idx": (0, 3)}
X3 = [1.0, 2.0, 3.0]

CASES = [
    Case(
        "segment-sum", segment_sum, vjp=segment_sum_backward, shapes=SEG, params={"n": 2}, integers={"seg": (0, 2)},
        right=True,
    ),
    Case(
        "segment-mean", segment_mean, vjp=segment_mean_backward, shapes=SEG, params={"n": 3}, integers={"seg": (0, 3)},
        right=True,
    ),
    Case("gather", gather, vjp=gather_backward, shapes=GATHER, integers=THREE, right=True),
    Case(
        "gather-sum-square", gather_sum_square, vjp=gather_sum_square_backward, shapes=GATHER, integers=THREE,
        right=True,
    ),
    Case(
        "embedding", embedding, vjp=embedding_backward, shapes={"table": (3, 2), "tokens": (1, 2)},
        integers={"tokens": (0, 3)}, right=True,
    ),
    Case("scatter-add", scatter_add, vjp=scatter_add_backward, shapes=SCATTER, integers=THREE, right=True),
    Case("scatter-set", scatter_set, vjp=scatter_set_backward, shapes=SCATTER, integers=THREE, right=True),
    Case("window-sum", window, vjp=window_backward, shapes=ONE, integers={"i": (0, 4)}, right=True),
    Case("neighbour", neighbour, vjp=neighbour_backward, shapes=ONE, integers={"i": (0, 4)}, right=True),
    Case("cumsum-rows", cumsum, vjp=cumsum_backward, shapes=ROWS, right=True),
    Case("product-loop", product, vjp=product_backward, shapes=V3, right=True),
    Case("sort", sort, vjp=sort_backward, shapes=V3, right=True),
    Case("top-k", top_k, vjp=top_k_backward, shapes=V3, params={"k": 2}, right=True),
    Case("sorted-spread", sorted_spread, vjp=sorted_spread_backward, shapes=V3, right=True),
    Case("two-smallest", two_smallest, vjp=two_smallest_backward, shapes=V3, right=True),
    Case(
        "segment-mean-no-count", segment_mean, vjp=segment_mean_no_count, shapes=SEG, params={"n": 3},
        integers={"seg": (0, 3)}, right=False, bug="not divided by the count of the segment", hidden="coincide",
        at={"x": X3, "seg": [1, 1, 0], "g": [1.0, 1.0, 1.0]},
    ),
    Case(
        "gather-fancy-add", gather, vjp=gather_fancy_add, shapes=GATHER, integers=THREE,
        right=False, bug="gx[idx] += adds a repeated index only once", hidden="coincide",
        at={"x": X3, "idx": [2, 2], "g": [1.0, 2.0]},
    ),
    Case(
        "gather-sum-square-assigns", gather_sum_square, vjp=gather_sum_square_assigns, shapes=GATHER, integers=THREE,
        right=False, bug="= instead of += for a repeated index", hidden="coincide",
        at={"x": X3, "idx": [2, 2], "g": 1.0},
    ),
    Case(
        "embedding-padding-zero", embedding, vjp=embedding_padding_zero, shapes={"table": (3, 2), "tokens": (1, 2)},
        integers={"tokens": (0, 3)}, right=False, bug="row 0 is taken for padding in the backward only",
        hidden="coincide",
        at={"table": [[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]], "tokens": [[0, 1]], "g": [[[1.0, 2.0], [3.0, 4.0]]]},
    ),
    Case(
        "scatter-set-all-win", scatter_set, vjp=scatter_set_all_win, shapes=SCATTER, integers=THREE,
        right=False, bug="an entry that was overwritten gets a cotangent", hidden="coincide",
        at={"base": X3, "src": [4.0, 5.0], "idx": [1, 1], "g": [1.0, 2.0, 3.0]},
    ),
    Case(
        "window-negative-start", window, vjp=window_negative_start, shapes=ONE, integers={"i": (0, 4)},
        right=False, bug="at i = 0 the slice starts at -1", hidden="coincide",
        at={"x": [1.0, 2.0, 3.0, 4.0], "i": 0, "g": 1.0},
    ),
    Case(
        "neighbour-wraps", neighbour, vjp=neighbour_wraps, shapes=ONE, integers={"i": (0, 4)},
        right=False, bug="backward wraps around at the end, forward stays", hidden="coincide",
        at={"x": [1.0, 2.0, 3.0, 4.0], "i": 3, "g": 1.0},
    ),
    Case(
        "cumsum-forwards", cumsum, vjp=cumsum_forwards, shapes=ROWS, right=False, bug="summed forwards, not backwards",
        at={"x": [X3, X3], "g": [[1.0, 2.0, 0.0], [1.0, 0.0, 0.0]]},
    ),
    Case(
        "cumsum-exclusive", cumsum, vjp=cumsum_exclusive, shapes=ROWS, right=False, bug="the entry itself is left out",
        at={"x": [X3, X3], "g": [[1.0, 2.0, 0.0], [1.0, 0.0, 0.0]]},
    ),
    Case(
        "product-quotient", product, vjp=product_quotient, shapes=V3,
        right=False, bug="prod(x)/x is 0/0 at x = 0", hidden="nan", at={"x": [0.0, 2.0, 3.0], "g": 1.0},
    ),
    Case(
        "sort-not-inverted", sort, vjp=sort_not_inverted, shapes=V3,
        right=False, bug="permutation applied instead of its inverse", at={"x": [3.0, 1.0, 2.0], "g": [1.0, 2.0, 3.0]},
    ),
    Case(
        "top-k-smallest", top_k, vjp=top_k_smallest, shapes=V3, params={"k": 2},
        right=False, bug="cotangent goes to the smallest entries", at={"x": [3.0, 1.0, 2.0], "g": [1.0, 2.0]},
    ),
    Case(
        "two-smallest-by-value", two_smallest, vjp=two_smallest_by_value, shapes=V3,
        right=False, bug="found by value: if they are equal each gets both cotangents", hidden="tie",
        at={"x": [1.0, 3.0, 1.0], "g": 1.0},
    ),
]
