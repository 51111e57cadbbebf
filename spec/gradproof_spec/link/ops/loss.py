"""TRUSTED. Losses as instances of the specification: every array as one axis I.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from typing import Any

from numpy import inf, nan

from ..calls import FULL, Draw, Form, form, some_shape
from ..cases import corresponds, together
from ..examples import example, shape_name
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant
from .pointwise import BINARY

# ---------------------------------------------------------------- the correspondence
corresponds("mse_loss")(together)


# ---------------------------------------------------------------- examples for the kernels
for shape in BINARY:
    example("mse_loss", shape_name(shape), shape, shape)


# ---------------------------------------------------------------- calls in floats
@form("mse_loss")
def mse_loss_form(draw: Draw) -> Form:
    shape = some_shape(draw, extents=FULL)
    return Form([shape, shape], ())


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "mse_loss": [
        forward([nan, 1.0], [0.0, 1.0], gives=nan),
        forward([inf, 1.0], [0.0, 1.0], gives=inf),
        forward([inf], [inf], gives=nan),
        jvp([inf, 1.0], [0.0, 1.0], d=([1.0, 1.0], [0.0, 1.0]), gives=nan),
        vjp([inf, 1.0], [0.0, 1.0], g=1.0, gives=([inf, 0.0], [-inf, 0.0])),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("mse_loss", "kernel-without-the-2", "vjp yhat", "3")
def mse_wrong(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    yhat, target = inputs
    return g * (yhat - target) / yhat.size
