"""TRUSTED. Normalization as instances of the specification: leading batch axes, or the channel axis first.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ..calls import EXTENTS, FULL, Draw, Form, form, some_shape
from ..cases import Correspondence, Shape, batched, case_of, corresponds
from ..examples import BATCHES, example, shape_name
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
@corresponds("layer_norm", "rms_norm")
def last_axis_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return batched(op, {"x": 1, "y": 1}, shapes)


@corresponds("batch_norm", "batch_norm_eval", attributes=lambda case, sizes: {"channel_axis": 0})
def channel_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    shape, axis = shapes[0], attributes["channel_axis"]
    others = [a for a in range(len(shape)) if a != axis]
    sizes = {"C": shape[axis], "D": prod(shape[a] for a in others)}

    def channels(x: Any) -> Any:
        return x.transpose((axis, *others)).reshape((sizes["C"], sizes["D"]))

    return Correspondence(case_of(op), sizes, {"x": channels, "y": channels})


def group_shapes(case: Any, size: Any) -> Any:
    x = (size.N, size.M * size.K, size.A)
    return [x, x[1:2], x[1:2]], x


@corresponds("group_norm", attributes=lambda case, sizes: {"num_groups": sizes["M"]}, shapes=group_shapes)
def group_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    (n, c, *positions), groups = shapes[0], attributes["num_groups"]
    sizes = {"N": n, "M": groups, "K": c // groups, "A": prod(positions)}
    grouped = (n, groups, sizes["K"], sizes["A"])
    layout = dict.fromkeys(("x", "y"), lambda x: x.reshape(grouped))
    layout |= dict.fromkeys(("gamma", "beta"), lambda x: x.reshape(grouped[1:3]))
    return Correspondence(case_of(op), sizes, layout)


# ---------------------------------------------------------------- examples for the kernels
for batch in BATCHES:
    example("layer_norm", f"batch{len(batch)}", (*batch, 3), (3,), (3,), eps=1e-5)
    example("rms_norm", f"batch{len(batch)}", (*batch, 3), (3,), eps=1e-6)
example("layer_norm", "one-element", (2, 1), (1,), (1,), eps=1e-5)
example("rms_norm", "one-element", (2, 1), (1,), eps=1e-6)

for shape, axis in (((3, 1), 1), ((2, 2), 1), ((2, 2), 0), ((2, 1, 2), 1), ((2,), 0)):
    c = (shape[axis],)
    name = f"{shape_name(shape)}-axis{axis}"
    example("batch_norm", name, shape, c, c, eps=1e-5, channel_axis=axis)
    example("batch_norm_eval", name, shape, c, c, c, c, eps=1e-5, channel_axis=axis)
example("batch_norm_eval", "empty", (0, 2), (2,), (2,), (2,), (2,), eps=1e-5, channel_axis=1)

for shape, groups in (((1, 2), 1), ((1, 2), 2), ((2, 2, 2), 2), ((1, 4, 1), 2), ((0, 2), 1)):
    name = f"{shape_name(shape)}-groups{groups}"
    example("group_norm", name, shape, shape[1:2], shape[1:2], num_groups=groups, eps=1e-5)


# ---------------------------------------------------------------- calls in floats
EPS = st.sampled_from((1e-5, 1.0, 1e-12))


def last_axis_form(draw: Draw, vectors: int) -> Form:
    shape = (*some_shape(draw, 0, 2), draw(st.sampled_from((1, 2, 3, 5))))
    return Form([shape, *[shape[-1:]] * vectors], shape, {"eps": draw(EPS)})


form("layer_norm")(lambda draw: last_axis_form(draw, 2))
form("rms_norm")(lambda draw: last_axis_form(draw, 1))


def channel_form(draw: Draw, vectors: int, extents: Any) -> Form:
    shape = some_shape(draw, 1, extents=extents)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Form([shape, *[(shape[axis],)] * vectors], shape, {"eps": draw(EPS), "channel_axis": axis})


form("batch_norm")(lambda draw: channel_form(draw, 2, FULL))
form("batch_norm_eval")(lambda draw: channel_form(draw, 4, EXTENTS))


@form("group_norm")
def group_norm_form(draw: Draw) -> Form:
    two = st.sampled_from((2, 1))
    groups, each = draw(two), draw(two)
    shape = (draw(EXTENTS), groups * each, *some_shape(draw, 0, 2, two))
    return Form([shape, shape[1:2], shape[1:2]], shape, {"num_groups": groups, "eps": draw(EPS)})


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "layer_norm": [  # a nan or inf spoils its row and ggamma, nothing else
        forward(
            [[nan, 1.0], [inf, 1.0], [1.0, 1.0]], [1.0, 1.0], [0.5, -inf], gives=[[nan, nan], [nan, nan], [0.5, -inf]]
        ),
        forward([[1.0, 1.0]], [inf, 1.0], [0.0, 0.0], gives=[[nan, 0.0]]),
        jvp(
            [[nan, 1.0], [1.0, 1.0]],
            [1.0, 1.0],
            [0.0, 0.0],
            d=([[0.0, 0.0], [0.0, 0.0]], [0.0, 1.0], [inf, 1.0]),
            gives=[[nan, nan], [inf, 1.0]],
        ),
        vjp(
            [[nan, 1.0], [1.0, 1.0]],
            [1.0, 1.0],
            [0.0, 0.0],
            g=[[1.0, 1.0], [1.0, 1.0]],
            gives=([[nan, nan], [0.0, 0.0]], [nan, nan], [2.0, 2.0]),
        ),
    ],
    "rms_norm": [
        forward([[nan, 1.0], [inf, 1.0], [0.0, -0.0]], [1.0, 1.0], gives=[[nan, nan], [nan, 0.0], [0.0, -0.0]]),
        jvp(
            [[nan, 1.0], [0.0, 0.0]],
            [1.0, 1.0],
            d=([[0.0, 0.0], [0.0, 0.0]], [1.0, inf]),
            gives=[[nan, nan], [0.0, nan]],
        ),
        vjp(
            [[nan, 1.0], [0.0, 0.0]],
            [1.0, 1.0],
            g=[[0.0, 0.0], [0.0, inf]],
            gives=([[nan, nan], [nan, nan]], [nan, nan]),
        ),
    ],
    "batch_norm": [  # a nan or inf spoils its channel, no other
        forward([[nan, 1.0, 1.0], [1.0, inf, 1.0]], [1.0] * 3, [0.5, 0.5, -inf], gives=[[nan, nan, -inf]] * 2),
        jvp(
            [[nan, 1.0], [1.0, 1.0]],
            [1.0, 1.0],
            [0.0, 0.0],
            d=([[0.0, 0.0], [0.0, 0.0]], [0.0, 1.0], [1.0, inf]),
            gives=[[nan, inf], [nan, inf]],
        ),
        vjp(
            [[nan, 1.0], [1.0, 1.0]],
            [1.0, 1.0],
            [0.0, 0.0],
            g=[[1.0, 1.0], [1.0, 1.0]],
            gives=([[nan, 0.0], [nan, 0.0]], [nan, 0.0], [2.0, 2.0]),
        ),
    ],
    "batch_norm_eval": [  # var + eps < 0 is outside the domain: nan
        forward(
            [[nan, 1.0, 1.0, inf]],
            [1.0] * 4,
            [0.0] * 4,
            [0.0] * 4,
            [1.0, inf, -1.0, 1.0],
            gives=[[nan, 0.0, nan, inf]],
        ),
        jvp(
            [[nan, 1.0]],
            [1.0, 1.0],
            [0.0, 0.0],
            [0.0, 0.0],
            [1.0, 1.0],
            d=([[1.0, inf]], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
            gives=[[nan, inf]],
        ),
        vjp(
            [[nan, 1.0]],
            [0.0, 1.0],
            [0.0, 0.0],
            [0.0, 1.0],
            [1.0, inf],
            g=[[1.0, 1.0]],
            gives=([[0.0, 0.0]], [nan, 0.0], [1.0, 1.0], [0.0, 0.0], [nan, 0.0]),
        ),
    ],
    "group_norm": [  # a nan or inf spoils its group, no other
        forward(
            [[nan, 1.0, 1.0, 1.0], [1.0, 1.0, inf, 1.0]],
            [1.0] * 4,
            [0.5, 0.5, 0.0, 0.0],
            num_groups=2,
            gives=[[nan, nan, 0.0, 0.0], [0.5, 0.5, nan, nan]],
        ),
        jvp(
            [[nan, 1.0, 1.0, 1.0]],
            [1.0] * 4,
            [0.0] * 4,
            d=([[0.0] * 4], [0.0] * 4, [1.0, 1.0, inf, 1.0]),
            num_groups=2,
            gives=[[nan, nan, inf, 1.0]],
        ),
        vjp(
            [[nan, 1.0, 1.0, 1.0]],
            [1.0] * 4,
            [0.0] * 4,
            g=[[1.0, 1.0, 1.0, 1.0]],
            num_groups=2,
            gives=([[nan, nan, 0.0, 0.0]], [nan, nan, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]),
        ),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("layer_norm", "kernel-without-mean-of-g-xhat", "vjp x", "batch1")  # 10
def layer_norm_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, eps: Any) -> Any:
    x, gamma, _ = inputs
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    gxhat = g * gamma
    return scale * (gxhat - gxhat.mean(axis=-1, keepdims=True))


@plant("rms_norm", "kernel-as-if-the-scale-were-constant", "vjp x", "batch1")
def rms_norm_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, eps: Any) -> Any:
    return g * inputs[1] * residual[1]


@plant("batch_norm", "kernel-variance-as-constant", "vjp x", "2x2-axis1")  # 11
def batch_norm_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, eps: Any, channel_axis: Any) -> Any:
    return residual[1] * inputs[1] * (g - g.mean(axis=0))


@plant("batch_norm_eval", "kernel-eps-outside-the-root", "forward", "2x2-axis1")
def batch_norm_eval_wrong(inputs: Any, *, eps: Any, channel_axis: Any) -> Any:
    x, gamma, beta, mean, var = inputs
    scale = 1 / (np.sqrt(var * var + eps) + eps)
    return (x - mean) * scale * gamma + beta, (scale,)


@plant("group_norm", "kernel-groups-interleaved", "forward", "1x4x1-groups2")
def group_norm_wrong(inputs: Any, *, num_groups: Any, eps: Any) -> Any:
    x, gamma, beta = inputs
    rows = x.reshape((1, 2, 2)).transpose(0, 2, 1)
    centred = rows - rows.mean(axis=2, keepdims=True)
    scale = 1 / np.sqrt((centred * centred).mean(axis=2, keepdims=True) + eps)
    xhat = (centred * scale).transpose(0, 2, 1).reshape(x.shape)
    return xhat * gamma[:, None] + beta[:, None], (xhat, scale)
