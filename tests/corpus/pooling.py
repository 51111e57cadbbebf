"""Pooling."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .case import Case


def max_pool_2x2(x):
    h, w = x.shape
    return x.reshape(h // 2, 2, w // 2, 2).max(axis=(1, 3))


def max_pool_2x2_backward(g, x):
    gx = np.zeros(x.shape)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            patch = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            a, b = np.unravel_index(patch.argmax(), patch.shape)
            gx[2 * i + a, 2 * j + b] = g[i, j]
    return gx


def max_pool_2x2_shares(g, x):
    y = max_pool_2x2(x)
    up = np.repeat(np.repeat(y, 2, axis=0), 2, axis=1)
    gup = np.repeat(np.repeat(g, 2, axis=0), 2, axis=1)
    return gup * (x == up)


def max_pool_2x2_mean(g, x):
    return np.repeat(np.repeat(g, 2, axis=0), 2, axis=1) / 4


def max_pool_overlap(x, k):
    return np.max(sliding_window_view(x, k), axis=-1)


def max_pool_overlap_backward(g, x, k):
    gx = np.zeros_like(x)
    for i in range(len(g)):
        gx[i + np.argmax(x[i : i + k])] += g[i]
    return gx


def max_pool_overlap_assigns(g, x, k):
    gx = np.zeros_like(x)
    for i in range(len(g)):
        gx[i + np.argmax(x[i : i + k])] = g[i]
    return gx


def max_pool_padded(x):
    p = np.full(x.shape[0] + 2, -np.inf)
    p[1:-1] = x
    return np.array([p[i : i + 3].max() for i in range(0, x.shape[0], 2)])


def max_pool_padded_backward(g, x):
    p = np.full(x.shape[0] + 2, -np.inf)
    p[1:-1] = x
    gp = np.zeros(p.shape)
    for n, i in enumerate(range(0, x.shape[0], 2)):
        gp[i + p[i : i + 3].argmax()] += g[n]
    return gp[1:-1]


def max_pool_zero_padded(g, x):
    p = np.zeros(x.shape[0] + 2)
    p[1:-1] = x
    gp = np.zeros(p.shape)
    for n, i in enumerate(range(0, x.shape[0], 2)):
        gp[i + p[i : i + 3].argmax()] += g[n]
    return gp[1:-1]


def avg_pool_stride(x, k, stride):
    return sliding_window_view(x, k)[::stride].mean(axis=1)


def avg_pool_stride_backward(g, x, k, stride):
    gx = np.zeros(x.shape)
    for i in range(g.shape[0]):
        gx[i * stride : i * stride + k] += g[i] / k
    return gx


def avg_pool_stride_ignored(g, x, k, stride):
    gx = np.zeros(x.shape)
    for i in range(g.shape[0]):
        gx[i : i + k] += g[i] / k
    return gx


def avg_pool_2d(x):
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def avg_pool_2d_backward(g, x):
    gx = np.empty(x.shape)
    gx[::2, ::2] = gx[1::2, ::2] = gx[::2, 1::2] = gx[1::2, 1::2] = g / 4
    return gx


def avg_pool_2d_half(g, x):
    return np.kron(g, np.ones((2, 2))) / 2


def avg_pool_no_pad_count(x):
    n = x.shape[0]
    return np.array([x[max(i - 1, 0) : i + 2].mean() for i in range(n)])


def avg_pool_no_pad_count_backward(g, x):
    n = x.shape[0]
    gx = np.zeros(n)
    for i in range(n):
        low, high = max(i - 1, 0), min(i + 2, n)
        gx[low:high] += g[i] / (high - low)
    return gx


def avg_pool_pad_count(g, x):
    n = x.shape[0]
    gx = np.zeros(n)
    for i in range(n):
        gx[max(i - 1, 0) : i + 2] += g[i] / 3
    return gx


def global_avg(x):
    return x.mean(axis=(2, 3))


def global_avg_backward(g, x):
    _, _, h, w = x.shape
    return np.broadcast_to(g[:, :, None, None], x.shape) / (h * w)


def global_avg_half(g, x):
    return np.ones(x.shape) * g[:, :, None, None] / x.shape[3]


def global_max(x):
    return x.max(axis=1)


def global_max_backward(g, x):
    gx = np.zeros(x.shape)
    gx[np.arange(x.shape[0]), x.argmax(axis=1)] = g
    return gx


def global_max_floor(g, x):
    gx = np.zeros(x.shape)
    for i in range(x.shape[0]):
        best, where = -100.0, 0
        for j in range(x.shape[1]):
            if x[i, j] > best:
                best, where = x[i, j], j
        gx[i, where] = g[i]
    return gx


def power_pool(x):
    return np.mean(np.abs(x) ** 1.5)


def power_pool_backward(g, x):
    return g * 1.5 * np.sqrt(np.abs(x)) * np.sign(x) / x.size


def power_pool_quotient(g, x):
    return g * 1.5 * np.abs(x) ** 1.5 / x / x.size


def top_two(x):
    return np.sort(x)[-2:].mean()


def top_two_backward(g, x):
    gx = np.zeros(x.shape)
    gx[np.argsort(x)[-2:]] = g / 2
    return gx


def top_two_counts_ties_twice(g, x):
    s = np.sort(x)
    gx = np.zeros(x.shape)
    gx[x == s[-1]] += g / 2
    gx[x == s[-2]] += g / 2
    return gx


def soft_pool(x):
    e = np.exp(x - x.max())
    return np.sum(e * x) / np.sum(e)


def soft_pool_backward(g, x):
    e = np.exp(x - x.max())
    w = e / e.sum()
    return g * w * (1 + x - np.dot(w, x))


def soft_pool_frozen_weights(g, x):
    e = np.exp(x - x.max())
    return g * e / e.sum()


L4 = {"x": (4,)}
L5 = {"x": (5,)}
GRID = {"x": (2, 4)}
AT_GRID = {"x": [[1.0, 2.0, 0.0, -1.0], [3.0, 0.5, 4.0, 1.0]], "g": [[1.0, 2.0]]}

CASES = [
    Case("max-pool-2x2-argmax", max_pool_2x2, vjp=max_pool_2x2_backward, shapes=GRID, right=True),
    Case("max-pool-2x2-equality-mask", max_pool_2x2, vjp=max_pool_2x2_shares, shapes=GRID, right=True),
    Case("max-pool-overlap", max_pool_overlap, vjp=max_pool_overlap_backward, shapes=L4, params={"k": 2}, right=True),
    Case("max-pool-padded", max_pool_padded, vjp=max_pool_padded_backward, shapes=L4, right=True),
    Case(
        "avg-pool-stride", avg_pool_stride, vjp=avg_pool_stride_backward, shapes=L5, params={"k": 3, "stride": 2},
        right=True,
    ),
    Case("avg-pool-2d-slices", avg_pool_2d, vjp=avg_pool_2d_backward, shapes=GRID, right=True),
    Case("avg-pool-no-pad-count", avg_pool_no_pad_count, vjp=avg_pool_no_pad_count_backward, shapes=L4, right=True),
    Case("global-avg", global_avg, vjp=global_avg_backward, shapes={"x": (1, 2, 2, 2)}, right=True),
    Case("global-max", global_max, vjp=global_max_backward, shapes={"x": (2, 3)}, right=True),
    Case("power-pool", power_pool, vjp=power_pool_backward, shapes={"x": (3,)}, right=True),
    Case("top-two-mean", top_two, vjp=top_two_backward, shapes={"x": (3,)}, right=True),
    Case("soft-pool", soft_pool, vjp=soft_pool_backward, shapes={"x": (3,)}, right=True),
    Case(
        "max-pool-spread-evenly", max_pool_2x2, vjp=max_pool_2x2_mean, shapes=GRID,
        right=False, bug="backward of average pooling", at=AT_GRID,
    ),
    Case(
        "max-pool-overlap-assigns", max_pool_overlap, vjp=max_pool_overlap_assigns, shapes=L4, params={"k": 2},
        right=False, bug="= instead of += where two windows have the same maximum",
        at={"x": [0.0, 2.0, 1.0, -1.0], "g": [1.0, 2.0, 3.0]},
    ),
    Case(
        "max-pool-zero-padded", max_pool_padded, vjp=max_pool_zero_padded, shapes=L4,
        right=False, bug="backward pads with 0, forward with -inf", at={"x": [-1.0, -2.0, 3.0, 1.0], "g": [1.0, 2.0]},
    ),
    Case(
        "avg-pool-stride-ignored", avg_pool_stride, vjp=avg_pool_stride_ignored, shapes=L5,
        params={"k": 3, "stride": 2}, right=False, bug="stride forgotten in the backward",
        at={"x": [1.0, 2.0, 3.0, 4.0, 5.0], "g": [1.0, 2.0]},
    ),
    Case(
        "avg-pool-2d-half", avg_pool_2d, vjp=avg_pool_2d_half, shapes=GRID,
        right=False, bug="divided by 2, not by the 4 cells", at=AT_GRID,
    ),
    Case(
        "avg-pool-pad-count", avg_pool_no_pad_count, vjp=avg_pool_pad_count, shapes=L4,
        right=False, bug="the padding is counted at the border",
        at={"x": [1.0, 2.0, 3.0, 4.0], "g": [1.0, 1.0, 1.0, 1.0]},
    ),
    Case(
        "global-avg-one-axis", global_avg, vjp=global_avg_half, shapes={"x": (1, 2, 2, 2)},
        right=False, bug="divided by the width only",
        at={"x": [[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [1.0, 0.0]]]], "g": [[1.0, 2.0]]},
    ),
    Case(
        "global-max-floor", global_max, vjp=global_max_floor, shapes={"x": (2, 3)},
        right=False, bug="search starts at -100: below it the first entry wins", hidden="far",
        at={"x": [[-300.0, -200.0, -400.0], [0.0, 1.0, 2.0]], "g": [1.0, 1.0]},
    ),
    Case(
        "power-pool-quotient", power_pool, vjp=power_pool_quotient, shapes={"x": (3,)},
        right=False, bug="|x|^1.5 / x is 0/0 at 0, where the slope is 0", hidden="nan",
        at={"x": [0.0, 1.0, -2.0], "g": 1.0},
    ),
    Case(
        "top-two-counts-ties-twice", top_two, vjp=top_two_counts_ties_twice, shapes={"x": (3,)},
        right=False, bug="if the two largest are equal both get g instead of g/2", hidden="tie",
        at={"x": [2.0, 0.0, 2.0], "g": 1.0},
    ),
    Case(
        "soft-pool-frozen-weights", soft_pool, vjp=soft_pool_frozen_weights, shapes={"x": (3,)},
        right=False, bug="the softmax weights are taken as constants", at={"x": [1.0, 0.0, 2.0], "g": 1.0},
    ),
]
