"""TRUSTED. Pools as instances of the specification: leading batch axes, two spatial axes.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy import inf, nan

from ...op import Case
from ..calls import Draw, Form, form, some_shape
from ..cases import Correspondence, Shape, batched, corresponds
from ..examples import BATCHES, example
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant
from .convolution import from_sizes, to_sizes, window_count, windows


# ---------------------------------------------------------------- the correspondence
def pool_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {**from_sizes(case, sizes), "kernel": (sizes["U"], sizes["V"])}


@corresponds("max_pool", attributes=pool_attributes)
def max_pool_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    kernel = dict(zip(("U", "V"), attributes["kernel"], strict=True))
    return batched(op, {"x": 2, "y": 2}, shapes, {**kernel, **to_sizes(attributes)})


# ---------------------------------------------------------------- examples for the kernels
for batch in BATCHES:
    example("max_pool", f"batch{len(batch)}-k2", (*batch, 2, 3), kernel=(2, 2), stride=(1, 1), padding=(0, 0))
example("max_pool", "h3w3-k2-s1", (3, 3), kernel=(2, 2), stride=(1, 1), padding=(0, 0))
example("max_pool", "h4w4-k2-s2", (4, 4), kernel=(2, 2), stride=(2, 2), padding=(0, 0))
example("max_pool", "h3w2-k2-s2-p1", (3, 2), kernel=(2, 2), stride=(2, 2), padding=(1, 1))
example("max_pool", "h1w4-k1x3-s1x2-p0x1", (1, 4), kernel=(1, 3), stride=(1, 2), padding=(0, 1))
example("max_pool", "k1", (2, 2), kernel=(1, 1), stride=(1, 1), padding=(0, 0))


# ---------------------------------------------------------------- calls in floats
@form("max_pool", never_overflows_first="forward jvp")
def max_pool_form(draw: Draw) -> Form:
    kernel, stride, padding, extent, out = windows(draw, lambda kernel: kernel - 1)
    lead = some_shape(draw, 0, 2)
    return Form([(*lead, *extent)], (*lead, *out), {"kernel": kernel, "stride": stride, "padding": padding})


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "max_pool": [  # nan wins; the first winner takes all, also of -inf and of 0. and -0.; the others get 0
        forward([[1.0, nan, 3.0, inf, -inf, -inf]], kernel=(1, 2), gives=[[nan, inf, -inf]]),
        forward([[-inf]], kernel=(1, 2), stride=1, padding=(0, 1), gives=[[-inf, -inf]]),
        jvp([[nan, 1.0, 1.0, 2.0]], d=([[5.0, inf, nan, 1.0]],), kernel=(1, 2), gives=[[5.0, 1.0]]),
        vjp(
            [[nan, nan, 1.0, nan, -inf, -inf]],
            g=[[1.0, 2.0, 3.0]],
            kernel=(1, 2),
            gives=([[1.0, 0.0, 0.0, 2.0, 3.0, 0.0]],),
        ),
        vjp(
            [[inf, inf, -0.0, 0.0, 1.0, 2.0]],
            g=[[inf, 2.0, nan]],
            kernel=(1, 2),
            gives=([[inf, 0.0, 2.0, 0.0, 0.0, nan]],),
        ),
        vjp([[-inf]], g=[[1.0, 2.0]], kernel=(1, 2), stride=1, padding=(0, 1), gives=([[3.0]],)),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("max_pool", "kernel-every-tied-cell", "vjp x", "h3w3-k2-s1")  # 8
def pool_all(g: Any, inputs: Any, out: Any, residual: Any, *, kernel: Any, stride: Any, padding: Any) -> Any:
    (x,) = inputs
    gx = np.zeros_like(x)
    for u in range(2):
        for v in range(2):
            cells = gx[u : u + 2, v : v + 2]
            cells += np.where(x[u : u + 2, v : v + 2] == out, g, 0)
    return gx


@plant("max_pool", "shape-one-window-more", "shape")
def max_pool_ceil(x: Any, *, kernel: Any, stride: Any, padding: Any) -> Any:
    pools = zip(x[-2:], kernel, stride, padding, strict=True)
    return (*x[:-2], *(window_count(extent + step - 1, window, step, pad) for extent, window, step, pad in pools))
