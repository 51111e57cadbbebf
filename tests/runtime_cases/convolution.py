from functools import partial

import numpy as np

import gradproof as gp

from .arrays import normal


def per_axis(value, axes):
    return (value,) * axes if isinstance(value, int) else value


def conv_reference(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cell by cell: y[..., o, p] = bias[o] + Σ_c,u x[..., c, stride p + dilation u - padding] weight[o, c, u]."""
    axes = weight.ndim - 2
    stride, padding, dilation = (per_axis(value, axes) for value in (stride, padding, dilation))
    (O, C, *U), H = weight.shape, x.shape[-axes:]
    P = [
        (h + 2 * pad - (d * (u - 1) + 1)) // s + 1
        for h, u, s, pad, d in zip(H, U, stride, padding, dilation, strict=True)
    ]
    y = np.zeros((*x.shape[: -axes - 1], O, *P))
    for o, *p in np.ndindex(O, *P):
        group = o // (O // groups)
        for c, *u in np.ndindex(C, *U):
            cell = [s * i + d * j - pad for s, i, d, j, pad in zip(stride, p, dilation, u, padding, strict=True)]
            if all(0 <= at < h for at, h in zip(cell, H, strict=True)):
                y[(..., o, *p)] += x[(..., group * C + c, *cell)] * weight[(o, c, *u)]
        if bias is not None:
            y[(..., o, *p)] += bias[o]
    return y


def conv_transpose_reference(x, weight, bias=None, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Every x[..., c, p] weight[c, o, u] is added to the cell stride p + dilation u - padding, where there is one."""
    axes = weight.ndim - 2
    stride, padding, output_padding, dilation = (
        per_axis(value, axes) for value in (stride, padding, output_padding, dilation)
    )
    (I, O, *U), P = weight.shape, x.shape[-axes:]
    H = [
        (n - 1) * s - 2 * pad + d * (u - 1) + extra + 1
        for n, u, s, pad, extra, d in zip(P, U, stride, padding, output_padding, dilation, strict=True)
    ]
    y = np.zeros((*x.shape[: -axes - 1], O * groups, *H))
    for c, *p in np.ndindex(I, *P):
        group = c // (I // groups)
        for o, *u in np.ndindex(O, *U):
            cell = [s * i + d * j - pad for s, i, d, j, pad in zip(stride, p, dilation, u, padding, strict=True)]
            if all(0 <= at < h for at, h in zip(cell, H, strict=True)):
                y[(..., group * O + o, *cell)] += x[(..., c, *p)] * weight[(c, o, *u)]
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


CASES = [
    ("conv", gp.conv, conv_reference, (normal(2, 3, 5, 4), normal(2, 3, 3, 2), normal(2))),
    ("conv-no-batch", gp.conv, conv_reference, (normal(1, 4, 4), normal(2, 1, 3, 3))),
    ("conv-two-batch-axes", gp.conv, conv_reference, (normal(2, 1, 2, 3, 4), normal(3, 2, 2, 2), normal(3))),
    ("conv-empty-batch", gp.conv, conv_reference, (normal(0, 2, 3, 4), normal(3, 2, 2, 2), normal(3))),
    ("conv_transpose", gp.conv_transpose, conv_transpose_reference,
     (normal(2, 3, 3, 2), normal(3, 2, 2, 3), normal(2))),
    ("conv_transpose-no-batch", gp.conv_transpose, conv_transpose_reference, (normal(2, 3, 2), normal(2, 1, 2, 2))),
    ("conv_transpose-empty-batch", gp.conv_transpose, conv_transpose_reference,
     (normal(0, 2, 3), normal(2, 1, 2), normal(1))),
]  # fmt: skip
IMAGE, WEIGHT = (2, 2, 5, 6), (3, 2, 3, 3)
for tag, x, weight, keywords in [
    ("s22p11", IMAGE, WEIGHT, {"stride": (2, 2), "padding": (1, 1)}),
    ("s12p20", IMAGE, WEIGHT, {"stride": (1, 2), "padding": (2, 0)}),
    ("s31p01", IMAGE, WEIGHT, {"stride": (3, 1), "padding": (0, 1)}),
    ("s55p33", IMAGE, WEIGHT, {"stride": (5, 5), "padding": (3, 3)}),
    ("d21", IMAGE, WEIGHT, {"dilation": (2, 1)}),
    ("d3s2p4", IMAGE, WEIGHT, {"dilation": 3, "stride": 2, "padding": 4}),
    ("groups", (2, 4, 4, 3), (6, 2, 2, 2), {"groups": 2, "padding": 1}),
    ("depthwise", (1, 3, 4, 4), (3, 1, 2, 2), {"groups": 3}),
    ("1d", (2, 3, 6), (2, 3, 2), {"stride": 2, "padding": 1}),
    ("3d", (1, 2, 3, 4, 3), (2, 2, 2, 3, 1), {"stride": (1, 2, 2), "padding": (1, 0, 1), "dilation": (2, 1, 1)}),
]:
    f, reference = partial(gp.conv, **keywords), partial(conv_reference, **keywords)
    CASES.append((f"conv-{tag}", f, reference, (normal(*x), normal(*weight), normal(weight[0]))))
for tag, x, weight, keywords in [
    ("s2p1", (2, 2, 3, 3), (2, 3, 3, 2), {"stride": 2, "padding": 1}),
    ("s23o11", (2, 2, 3, 2), (2, 3, 2, 2), {"stride": (2, 3), "output_padding": (1, 2)}),
    ("d2p2", (1, 2, 3, 3), (2, 1, 3, 2), {"dilation": 2, "padding": (2, 1)}),
    ("groups", (2, 4, 2, 3), (4, 3, 2, 2), {"groups": 2, "stride": 2}),
    ("depthwise", (1, 3, 2, 2), (3, 1, 2, 2), {"groups": 3, "padding": 1}),
    ("1d", (2, 3, 4), (3, 2, 3), {"stride": 3, "padding": 2, "output_padding": 2}),
    ("3d", (1, 2, 2, 1, 2), (2, 2, 2, 3, 1), {"stride": (2, 1, 2), "padding": (0, 1, 0), "dilation": (1, 2, 1)}),
]:
    f, reference = partial(gp.conv_transpose, **keywords), partial(conv_transpose_reference, **keywords)
    bias = normal(weight[1] * keywords.get("groups", 1))
    CASES.append((f"conv_transpose-{tag}", f, reference, (normal(*x), normal(*weight), bias)))
