"""TRUSTED. Pointwise calls as instances of the specification: every array as one axis I.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import inf, nan

from ..calls import Draw, Form, form, narrowed, some_shape
from ..cases import corresponds, together
from ..examples import Shape, example, shape_name
from ..nonfinite import BITS, TABLE, forward, jvp, vjp
from ..planted_kernels import plant

# ---------------------------------------------------------------- the correspondence
corresponds("add", "sub", "mul", "neg", "exp", "maximum", "relu")(together)


# ---------------------------------------------------------------- examples for the kernels
UNARY: tuple[Shape, ...] = ((), (3,), (2, 3), (0,), (2, 1, 2))
BINARY: tuple[Shape, ...] = ((), (3,), (2, 3), (2, 1, 2))

for op in ("neg", "exp", "relu"):
    for shape in UNARY:
        example(op, shape_name(shape), shape)
for op in ("add", "sub", "mul", "maximum"):
    for shape in BINARY:
        example(op, shape_name(shape), shape, shape)


# ---------------------------------------------------------------- calls in floats
@form("neg", "relu", never_overflows_first="forward jvp vjp")
@form("exp", never_overflows_first="forward")
def unary(draw: Draw) -> Form:
    shape = some_shape(draw)
    return Form([shape], shape)


@form("add", "sub", "maximum", never_overflows_first="forward jvp")
@form("mul", never_overflows_first="forward")
def binary(draw: Draw) -> Form:
    shape = some_shape(draw)
    shapes = [narrowed(draw, shape), narrowed(draw, shape)]
    return Form(shapes, np.broadcast_shapes(*shapes))


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "add": [
        forward(
            [nan, inf, inf, -0.0, -0.0], [1.0, 1.0, -inf, -0.0, 0.0], gives=[nan, inf, nan, -0.0, 0.0], signed=True
        ),
        jvp(
            [1.0, nan, inf],
            [1.0, 1.0, 1.0],
            d=([inf, 1.0, -0.0], [-inf, 1.0, -0.0]),
            gives=[nan, 2.0, -0.0],
            signed=True,
        ),
        vjp([nan, inf, 1.0, 1.0], [1.0, 1.0, nan, inf], g=BITS, gives=(BITS, BITS), signed=True),
    ],
    "sub": [
        forward([nan, inf, inf, 0.0, -0.0], [1.0, 1.0, inf, 0.0, 0.0], gives=[nan, inf, nan, 0.0, -0.0], signed=True),
        jvp([1.0, nan], [1.0, 1.0], d=([inf, 1.0], [inf, 1.0]), gives=[nan, 0.0]),
        vjp([nan, inf, 1.0, 1.0], [1.0, 1.0, nan, inf], g=BITS, gives=(BITS, [nan, -inf, inf, 0.0]), signed=True),
    ],
    "mul": [
        forward([0.0, -0.0, inf, nan, inf], [inf, 1.0, -1.0, 0.0, 0.5], gives=[nan, -0.0, -inf, nan, inf], signed=True),
        jvp([0.0, inf, nan], [inf, 2.0, 1.0], d=([1.0, 0.0, 1.0], [1.0, 1.0, 0.0]), gives=[inf, inf, nan]),
        vjp([0.0, inf, 1.0], [inf, 0.0, nan], g=[1.0, 1.0, 0.0], gives=([inf, 0.0, nan], [0.0, inf, 0.0])),
    ],
    "neg": [
        forward([0.0, -0.0, inf, -inf, nan], gives=[-0.0, 0.0, -inf, inf, nan], signed=True),
        jvp([1.0, nan, 1.0], d=([0.0, 1.0, inf],), gives=[-0.0, -1.0, -inf], signed=True),
        vjp([1.0, nan, 1.0], g=[0.0, 1.0, inf], gives=([-0.0, -1.0, -inf],), signed=True),
    ],
    "exp": [  # the slope is exp(x): 0 at -inf, where a tangent or cotangent inf gives 0 * inf = nan
        forward([nan, inf, -inf, -0.0, 800.0, -800.0], gives=[nan, inf, 0.0, 1.0, inf, 0.0]),
        jvp([-inf, -inf, inf, nan], d=([1.0, inf, 1.0, 1.0],), gives=[0.0, nan, inf, nan]),
        vjp([-inf, -inf, inf, nan], g=[1.0, inf, 1.0, 1.0], gives=([0.0, nan, inf, nan],)),
    ],
    "maximum": [  # the smaller input gets 0 whatever arrives; beside a nan neither gets anything
        forward([nan, 1.0, inf, -inf, -inf], [1.0, nan, nan, -1.0, -inf], gives=[nan, nan, nan, -1.0, -inf]),
        jvp(
            [nan, inf, inf, -inf, 1.0],
            [1.0, inf, -inf, -inf, 2.0],
            d=([1.0, 1.0, 1.0, 1.0, nan], [1.0, 3.0, inf, 1.0, 1.0]),
            gives=[0.0, 2.0, 1.0, 1.0, 1.0],
        ),
        vjp(
            [nan, inf, inf, -inf, 1.0, 0.0],
            [1.0, inf, -inf, -inf, 2.0, -0.0],
            g=[1.0, 1.0, 1.0, 1.0, inf, 1.0],
            gives=([0.0, 0.5, 1.0, 0.5, 0.0, 0.5], [0.0, 0.5, 0.0, 0.5, inf, 0.5]),
        ),
    ],
    "relu": [  # slope 0 at nan; at x <= 0 the result is 0 and never nan, whatever arrives
        forward([nan, inf, -inf, -0.0], gives=[nan, inf, 0.0, 0.0]),
        jvp(
            [nan, -inf, -1.0, 0.0, -0.0, inf, 1.0],
            d=([1.0, 1.0, inf, nan, inf, 1.0, nan],),
            gives=[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, nan],
        ),
        vjp(
            [nan, -inf, -1.0, 0.0, -0.0, inf, 1.0],
            g=[1.0, 1.0, inf, nan, inf, 1.0, nan],
            gives=([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, nan],),
        ),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("add", "kernel-forgets-b", "forward", "2x3")
def add_wrong(inputs: Any) -> Any:
    return inputs[0] + 0 * inputs[1], None


@plant("sub", "kernel-adds", "forward", "2x3")
def sub_adds(inputs: Any) -> Any:
    return inputs[0] + inputs[1], None


@plant("mul", "kernel-vjp-of-the-other", "vjp a", "3")
def mul_wrong(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return g * inputs[0]


@plant("neg", "kernel-in-place-sign", "jvp x", "3")
def neg_wrong(dx: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return dx


@plant("exp", "kernel-vjp-without-factor", "vjp x", "3")
def exp_wrong(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return g


@plant("maximum", "kernel-tie-to-one-side", "vjp a", "3")  # 7
def maximum_tie(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return np.where(inputs[0] >= inputs[1], g, 0)


@plant("relu", "kernel-slope-1-at-0", "vjp x", "3")
def relu_at_zero(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return np.where(inputs[0] >= 0, g, 0)


@plant("relu", "kernel-right-but-at-2", "forward", "3")
def relu_but(inputs: Any) -> Any:
    (x,) = inputs
    return np.where(x == 2, 0, np.maximum(x, 0)), None
