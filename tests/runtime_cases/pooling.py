import math
from functools import partial

import numpy as np

import gradproof as gp

from .arrays import apart, normal
from .convolution import per_axis


def windows(extents, kernel, stride=None, padding=0, dilation=1):
    """(index of the window, its cells inside x in row-major order), for every window."""
    axes = len(kernel)
    stride = kernel if stride is None else per_axis(stride, axes)
    padding, dilation = per_axis(padding, axes), per_axis(dilation, axes)
    along = list(zip(extents, kernel, stride, padding, dilation, strict=True))
    for p in np.ndindex(*((n + 2 * pad - (d * (k - 1) + 1)) // s + 1 for n, k, s, pad, d in along)):
        cells = [
            tuple(s * i + d * u - pad for i, u, (_, _, s, pad, d) in zip(p, tap, along, strict=True))
            for tap in np.ndindex(*kernel)
        ]
        yield p, [cell for cell in cells if all(0 <= at < n for at, n in zip(cell, extents, strict=True))]


def pooled(x, every_window, f):
    """f, of the values of each window along the last axis."""
    every_window = list(every_window)
    outputs = [f(np.stack([x[(..., *cell)] for cell in cells], -1)) for _, cells in every_window]
    shape = [max(at) + 1 for at in zip(*(p for p, _ in every_window), strict=True)]
    lead = x.shape[: -len(shape)]
    return np.stack(outputs, -1).reshape(*lead, *shape)


def pool_reference(x, kernel, stride=None, padding=0, dilation=1):
    """Maximum and the flat position of the first winner; a nan wins."""
    extents = x.shape[-len(kernel) :]
    every_window = list(windows(extents, kernel, stride, padding, dilation))
    y = pooled(x, every_window, lambda values: values.max(-1))
    first = pooled(x, every_window, lambda values: values.argmax(-1)).reshape(-1, len(every_window))
    positions = [[np.ravel_multi_index(cell, extents) for cell in cells] for _, cells in every_window]
    winner = [[cells[n] for cells, n in zip(positions, row, strict=True)] for row in first]
    return y, np.array(winner, int).reshape(y.shape)


def avg_reference(x, kernel, stride=None, padding=0, count_include_pad=True):
    def mean(values):
        return values.sum(-1) / (math.prod(kernel) if count_include_pad else values.shape[-1])

    return pooled(x, windows(x.shape[-len(kernel) :], kernel, stride, padding), mean)


def smooth_reference(x, kernel, stride=None, padding=0, beta=1.0):
    every_window = windows(x.shape[-len(kernel) :], kernel, stride, padding)
    return pooled(x, every_window, lambda values: np.log(np.exp(beta * values).sum(-1)) / beta)


def adaptive_reference(x, output_size):
    """The window p of an axis is floor(p in / out) to ceil((p + 1) in / out)."""
    axes = len(output_size)
    y = np.zeros((*x.shape[:-axes], *output_size))
    for p in np.ndindex(*output_size):
        along = zip(p, x.shape[-axes:], output_size, strict=True)
        window = [slice(math.floor(i * n / m), math.ceil((i + 1) * n / m)) for i, n, m in along]
        y[(..., *p)] = x[(..., *window)].mean(tuple(range(-axes, 0)))
    return y


def max_reference(*args, **keywords):
    return pool_reference(*args, **keywords)[0]


CASES = [
    ("max_pool-positional", lambda x: gp.max_pool(x, (3, 2), 1, (2, 1), (2, 3)),
     lambda x: max_reference(x, (3, 2), 1, (2, 1), (2, 3)), (apart(2, 5, 6),)),
    ("avg_pool-positional", lambda x: gp.avg_pool(x, (3,), 2, 1, False), lambda x: avg_reference(x, (3,), 2, 1, False),
     (normal(7),)),
    ("smooth_max_pool-positional", lambda x: gp.smooth_max_pool(x, (3,), 2, 1, 0.5),
     lambda x: smooth_reference(x, (3,), 2, 1, 0.5), (normal(7),)),
]  # fmt: skip
for tag, shape, keywords in [
    ("plain", (2, 3, 5, 4), {"kernel": (2, 2)}),
    ("k33s22p11", (2, 5, 6), {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1)}),
    ("k23s11p12", (2, 5, 6), {"kernel": (2, 3), "stride": (1, 1), "padding": (1, 2)}),
    ("k32s13p20", (2, 5, 6), {"kernel": (3, 2), "stride": (1, 3), "padding": (2, 0)}),
    ("k44s55p33", (2, 5, 6), {"kernel": (4, 4), "stride": (5, 5), "padding": (3, 3)}),
    ("k11s21p00", (2, 5, 6), {"kernel": (1, 1), "stride": (2, 1), "padding": (0, 0)}),
    ("1d", (7,), {"kernel": (3,), "stride": 2, "padding": 1}),
    ("3d", (2, 3, 4, 3), {"kernel": (2, 2, 3), "stride": (1, 2, 1), "padding": (1, 0, 1)}),
    ("no-batch", (0, 3, 3), {"kernel": (2, 2)}),
]:
    f, reference = partial(gp.max_pool, **keywords), partial(max_reference, **keywords)
    CASES.append((f"max_pool-{tag}", f, reference, (apart(*shape),)))
for tag, shape, keywords in [
    ("plain", (2, 3, 5, 4), {"kernel": (2, 2)}),
    ("padded", (2, 5, 4), {"kernel": (3, 2), "stride": (2, 1), "padding": (2, 1)}),
    ("without-pad", (2, 5, 4), {"kernel": (3, 2), "stride": (2, 1), "padding": (2, 1), "count_include_pad": False}),
    ("3d", (2, 3, 4, 3), {"kernel": (2, 2, 3), "stride": 1, "padding": (1, 0, 2)}),
    ("no-batch", (0, 3, 3), {"kernel": (2, 2)}),
]:
    f, reference = partial(gp.avg_pool, **keywords), partial(avg_reference, **keywords)
    CASES.append((f"avg_pool-{tag}", f, reference, (normal(*shape),)))
for tag, shape, keywords in [
    ("plain", (2, 3, 5, 4), {"kernel": (2, 2)}),
    ("beta", (2, 5, 4), {"kernel": (3, 2), "stride": (1, 2), "padding": (2, 1), "beta": 3.5}),
    ("minimum", (2, 5, 4), {"kernel": (2, 3), "stride": 2, "padding": 1, "beta": -2}),
    ("3d", (2, 3, 4, 3), {"kernel": (2, 2, 3), "padding": (1, 1, 2)}),
    ("no-batch", (0, 3, 3), {"kernel": (2, 2)}),
]:
    f, reference = partial(gp.smooth_max_pool, **keywords), partial(smooth_reference, **keywords)
    CASES.append((f"smooth_max_pool-{tag}", f, reference, (normal(*shape),)))
for tag, shape, keywords in [
    ("1d", (2, 5), {"output_size": (3,)}),
    ("2d", (2, 4, 5), {"output_size": (2, 3)}),
    ("up", (2, 3), {"output_size": (4, 5)}),
    ("3d", (2, 3, 2, 5), {"output_size": (1, 2, 2)}),
    ("no-batch", (0, 4), {"output_size": (2,)}),
]:
    f, reference = partial(gp.adaptive_avg_pool, **keywords), partial(adaptive_reference, **keywords)
    CASES.append((f"adaptive_avg_pool-{tag}", f, reference, (normal(*shape),)))
