"""TRUSTED. Update rules as instances of the specification: every array as one axis I.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ..calls import Draw, Form, form, some_shape
from ..cases import corresponds, together
from ..examples import Shape, example, shape_name
from ..nonfinite import BITS, TABLE, forward, jvp, vjp
from ..planted_kernels import plant

# ---------------------------------------------------------------- the correspondence
corresponds("sgd_update", "momentum_update", "exponential_average", "adam_update")(together)


# ---------------------------------------------------------------- examples for the kernels
SHAPES: tuple[Shape, ...] = ((), (0,), (3,), (2, 1, 2))
ADAM = {"learning_rate": 0.1, "correction1": 0.1, "correction2": 0.01, "eps": 0.3}  # an eps that a sample can see

for shape in SHAPES:
    name = shape_name(shape)
    example("sgd_update", name, shape, shape, learning_rate=0.1)
    example("momentum_update", name, shape, shape, momentum=0.9, dampening=0.3)
    example("exponential_average", name, shape, shape, decay=0.9)
    example("adam_update", name, shape, shape, shape, **ADAM)


# ---------------------------------------------------------------- calls in floats
def of_one_shape(op: str, arrays: int, never_overflows_first: str, **values: Any) -> None:
    """Calls of an op of so many arrays, each attribute one of these values."""

    @form(op, never_overflows_first=never_overflows_first)
    def make(draw: Draw) -> Form:
        shape = some_shape(draw)
        return Form([shape] * arrays, shape, {name: draw(st.sampled_from(among)) for name, among in values.items()})


# 1 - c is computed of the attribute as a Python float, and read as a decimal: here it is the decimal 1 - c, which
# 1 - 0.9 = 0.09999999999999998 is not.
COMPLEMENTS = (0.5, 0.75, 0.1, 0.6, 0.0, 1.0)
of_one_shape("sgd_update", 2, "vjp", learning_rate=(0.1, 1e-3, 1.0, -2.0, 0.0))
of_one_shape("momentum_update", 2, "vjp", momentum=(0.9, 0.5, 0.0, 1.0), dampening=COMPLEMENTS)
of_one_shape("exponential_average", 2, "forward jvp vjp", decay=COMPLEMENTS)  # a mean of both for 0 <= decay <= 1
of_one_shape("adam_update", 3, "", learning_rate=(1e-3, 0.1, 0.0, 1.0), correction1=(0.1, 0.19, 1.0),
             correction2=(0.001, 0.5, 1.0), eps=(1e-8, 1e-3, 1.0))


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
UNIT: dict[str, Any] = {"learning_rate": 1.0, "correction1": 1.0, "correction2": 1.0, "eps": 1.0}
TABLE.update({
    "sgd_update": [  # the rate multiplies: 0 inf is nan
        forward([nan, inf, 1.0, inf, -0.0], [1.0, 1.0, inf, inf, 0.0], gives=[nan, inf, -inf, nan, -0.0], signed=True,
                learning_rate=0.5),
        forward([1.0, 1.0], [inf, nan], gives=[nan, nan], learning_rate=0.0),
        jvp([nan, 1.0], [1.0, nan], d=([1.0, inf], [2.0, -2.0]), gives=[0.0, inf], learning_rate=0.5),
        vjp([nan, inf, 1.0, 1.0], [1.0, nan, inf, 1.0], g=BITS, gives=(BITS, [nan, -inf, inf, 0.0]), signed=True,
            learning_rate=0.5),
    ],
    "momentum_update": [
        forward([nan, inf, 1.0, inf, -0.0], [1.0, 1.0, -inf, -inf, -0.0], gives=[nan, inf, -inf, nan, -0.0],
                signed=True, momentum=0.5),
        forward([inf, 1.0], [1.0, inf], gives=[nan, nan], momentum=0.0, dampening=1.0),
        jvp([nan, 1.0], [1.0, nan], d=([1.0, inf], [2.0, -2.0]), gives=[2.5, inf], momentum=0.5),
        vjp([nan, inf, 1.0, 1.0], [1.0, nan, inf, 1.0], g=BITS, gives=(BITS, BITS), signed=True, momentum=0.5,
            dampening=0.5),
    ],
    "exponential_average": [  # the part that is forgotten is multiplied by 0: 0 inf is nan
        forward([nan, inf, 1.0, inf, -0.0], [1.0, 1.0, -inf, -inf, -0.0], gives=[nan, inf, -inf, nan, -0.0],
                signed=True, decay=0.5),
        forward([inf, 3.0], [1.0, 2.0], gives=[nan, 2.0], decay=0.0),
        forward([3.0, 3.0], [2.0, inf], gives=[3.0, nan], decay=1.0),
        jvp([nan, 1.0], [1.0, nan], d=([1.0, inf], [2.0, -2.0]), gives=[1.5, inf], decay=0.5),
        vjp([nan, inf, 1.0, 1.0], [1.0, nan, inf, 1.0], g=BITS, gives=(BITS, BITS), signed=True, decay=0.5),
    ],
    "adam_update": [  # at second_moment = 0 the value is defined, the slope is inf, or nan where first_moment is 0
        forward([1.0, 1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, inf, 1.0], [0.0, 0.0, inf, 1.0, -1.0],
                gives=[1.0, 0.0, 1.0, -inf, nan], **UNIT),
        forward([nan, inf, 1.0, 1.0], [1.0, inf, nan, inf], [1.0, 1.0, 1.0, inf], gives=[nan, nan, nan, nan],
                **UNIT),
        jvp([1.0, 1.0, nan, 1.0, 1.0], [1.0, 0.0, 1.0, -1.0, 1.0], [0.0, 0.0, 1.0, 0.0, inf],
            d=([0.0, 0.0, inf, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0, 1.0]),
            gives=[inf, nan, inf, -inf, 1.0], **UNIT),
        vjp([1.0, 1.0, nan, 1.0, 1.0], [1.0, 0.0, 4.0, -1.0, inf], [0.0, 0.0, 1.0, 0.0, inf],
            g=[1.0, 1.0, 1.0, 0.0, 1.0],
            gives=([1.0, 1.0, 1.0, 0.0, 1.0], [-1.0, -1.0, -0.5, 0.0, 0.0], [inf, nan, 0.5, nan, nan]),
            **UNIT),
    ],
})


# ---------------------------------------------------------------- wrong kernels
plant("sgd_update", "kernel-uphill", "forward", "3")(
    lambda inputs, learning_rate: (inputs[0] + learning_rate * inputs[1], None)
)
plant("sgd_update", "kernel-gradient-without-the-rate", "vjp gradient", "3")(
    lambda g, inputs, out, residual, learning_rate: -g
)
plant("momentum_update", "kernel-without-dampening", "forward", "3")(
    lambda inputs, momentum, dampening: (momentum * inputs[0] + inputs[1], None)
)
plant("momentum_update", "kernel-velocity-whole", "jvp velocity", "3")(
    lambda dvelocity, inputs, out, residual, momentum, dampening: dvelocity
)
plant("exponential_average", "kernel-exchanged", "forward", "3")(
    lambda inputs, decay: ((1 - decay) * inputs[0] + decay * inputs[1], None)
)
plant("exponential_average", "kernel-x-by-decay", "vjp x", "3")(lambda g, inputs, out, residual, decay: decay * g)


@plant("adam_update", "kernel-eps-under-the-root", "forward", "3")
def adam_eps(inputs: Any, learning_rate: Any, correction1: Any, correction2: Any, eps: Any) -> Any:
    parameter, m, v = inputs
    denominator = np.sqrt(v / correction2 + eps)
    ratio = m / correction1 / denominator
    return parameter - learning_rate * ratio, (ratio, denominator, denominator)


@plant("adam_update", "kernel-without-the-corrections", "forward", "3")
def adam_uncorrected(inputs: Any, learning_rate: Any, correction1: Any, correction2: Any, eps: Any) -> Any:
    parameter, m, v = inputs
    root = np.sqrt(v)
    return parameter - learning_rate * (m / (root + eps)), (m / (root + eps), root + eps, root)


@plant("adam_update", "kernel-second-moment-without-the-2", "vjp second_moment", "3")
def adam_slope(
    g: Any, inputs: Any, out: Any, residual: Any, learning_rate: Any, correction1: Any, correction2: Any, eps: Any
) -> Any:
    ratio, denominator, root = residual
    return learning_rate * (ratio / denominator) * (g / (correction2 * root))


@plant("adam_update", "shape-ignores-the-moments", "shape")
def adam_shape(parameter: Any, first_moment: Any, second_moment: Any, **attributes: Any) -> Any:
    return (*parameter, 1)
