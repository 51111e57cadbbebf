"""TRUSTED. Normalization as instances of the specification: leading batch axes.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ..calls import Draw, Form, form, some_shape
from ..cases import Correspondence, Shape, batched, corresponds
from ..examples import BATCHES, example
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
@corresponds("layer_norm")
def layer_norm_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return batched(op, {"x": 1, "y": 1}, shapes)


# ---------------------------------------------------------------- examples for the kernels
for batch in BATCHES:
    example("layer_norm", f"batch{len(batch)}", (*batch, 3), (3,), (3,), eps=1e-5)
example("layer_norm", "one-element", (2, 1), (1,), (1,), eps=1e-5)


# ---------------------------------------------------------------- calls in floats
@form("layer_norm")
def layer_norm_form(draw: Draw) -> Form:
    shape = (*some_shape(draw, 0, 2), draw(st.sampled_from((1, 2, 3, 5))))
    return Form([shape, shape[-1:], shape[-1:]], shape, {"eps": draw(st.sampled_from((1e-5, 1.0, 1e-12)))})


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
})


# ---------------------------------------------------------------- wrong kernels
@plant("layer_norm", "kernel-without-mean-of-g-xhat", "vjp x", "batch1")  # 10
def layer_norm_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, eps: Any) -> Any:
    x, gamma, _ = inputs
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    gxhat = g * gamma
    return scale * (gxhat - gxhat.mean(axis=-1, keepdims=True))
