"""TRUSTED. Pointwise calls as instances of the specification: every array as one axis I.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from gradproof import special

from ...op import Case
from ...ops.pointwise import EXPONENTS, REAL
from ..calls import Draw, Form, form, narrowed, some_shape
from ..cases import Correspondence, case_of, corresponds, flattened, together
from ..examples import Shape, example, shape_name
from ..nonfinite import BITS, TABLE, Row, forward, jvp, vjp
from ..planted_kernels import plant

# ---------------------------------------------------------------- the correspondence
corresponds("add", "sub", "mul", "neg", "exp", "maximum", "relu")(together)
corresponds("div", "square", "scale", "reciprocal", "minimum", "abs", "sqrt", "log", "sigmoid", "tanh", "softplus")(
    together
)
corresponds("safe_log", "clamp", "clamp_min", "clamp_max", "detach", "silu", "leaky_relu", "elu", "hardtanh")(together)
corresponds("sin", "cos", "where")(together)


def of_form(op: str, label: str, shapes: Sequence[Shape]) -> Correspondence:
    return Correspondence(case_of(op, label=label), {"I": prod(shapes[0])}, {"x": flattened, "y": flattened})


@corresponds("gelu", attributes=lambda case, sizes: {"approximate": case.label})
def gelu(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return of_form(op, attributes["approximate"], shapes)


def pow_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {"integer": EXPONENTS[case.label]} if case.label in EXPONENTS else {}


@corresponds("pow", attributes=pow_attributes)
def power(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return of_form(op, f"exponent {attributes['integer']}" if "integer" in attributes else REAL, shapes)


# ---------------------------------------------------------------- examples for the kernels
UNARY: tuple[Shape, ...] = ((), (3,), (2, 3), (0,), (2, 1, 2))
BINARY: tuple[Shape, ...] = ((), (3,), (2, 3), (2, 1, 2))
FEW: tuple[Shape, ...] = ((), (0,), (3,), (2, 1, 2))

for op in ("neg", "exp", "relu"):
    for shape in UNARY:
        example(op, shape_name(shape), shape)
for op in ("add", "sub", "mul", "maximum", "div", "minimum"):
    for shape in BINARY:
        example(op, shape_name(shape), shape, shape)
for op in ("square", "reciprocal", "abs", "sqrt", "log", "sigmoid", "tanh", "softplus", "detach", "silu", "sin", "cos"):
    for shape in FEW:
        example(op, shape_name(shape), shape)
for shape in FEW:
    name = shape_name(shape)
    example("scale", name, shape, c=0.3)
    example("safe_log", name, shape, eps=1e-6)
    example("clamp", name, shape, min=-1.0, max=1.0)
    example("clamp_min", name, shape, min=-1.0)
    example("clamp_max", name, shape, max=1.0)
    example("gelu", f"{name}-none", shape, approximate="none")
    example("gelu", f"{name}-tanh", shape, approximate="tanh")
    example("leaky_relu", name, shape, negative_slope=0.1)
    example("elu", name, shape, alpha=0.5)
    example("hardtanh", name, shape, min_val=-1.0, max_val=1.0)
    example("pow", f"{name}-real", shape, exponent=1.7)
example("clamp", "3-equal", (3,), min=1.0, max=1.0)
for n in EXPONENTS.values():
    example("pow", f"3-{'minus' if n < 0 else 'plus'}{abs(n)}", (3,), integer=n)
example("pow", "scalar-minus3", (), integer=-3)
example("pow", "scalar-plus0", (), integer=0)
example("where", "scalar", (), (), (), indices=True)
example("where", "3", (3,), (3,), (3,), indices=(True, False, False))
example("where", "2x1x2", (2, 1, 2), (2, 1, 2), (2, 1, 2), indices=((((True, False),), ((False, True),))))
example("where", "0", (0,), (0,), (0,), indices=())


# ---------------------------------------------------------------- calls in floats
@form("neg", "relu", "abs", "softplus", "sigmoid", "tanh", "silu", "sqrt", never_overflows_first="forward jvp vjp")
@form("exp", "square", "reciprocal", "log", "sin", "cos", never_overflows_first="forward")
@form("detach", never_overflows_first="forward")
def unary(draw: Draw) -> Form:
    shape = some_shape(draw)
    return Form([shape], shape)


@form("add", "sub", "maximum", "minimum", never_overflows_first="forward jvp")
@form("mul", "div", never_overflows_first="forward")
def binary(draw: Draw) -> Form:
    shape = some_shape(draw)
    shapes = [narrowed(draw, shape), narrowed(draw, shape)]
    return Form(shapes, np.broadcast_shapes(*shapes))


def with_attributes(op: str, never_overflows_first: str = "", least: int = 0, **values: Sequence[Any]) -> None:
    """Calls of an op of one input, each attribute one of these values."""

    @form(op, never_overflows_first=never_overflows_first)
    def make(draw: Draw) -> Form:
        shape = some_shape(draw, least)
        return Form([shape], shape, {name: draw(st.sampled_from(among)) for name, among in values.items()})


EVERY = "forward jvp vjp"
with_attributes("scale", EVERY, c=(0.3, -2.0, 1.0, 0.0))
with_attributes("safe_log", "forward", least=1, eps=(1e-6, 0.5, 3.0))  # of a 0-d array the analysis sees log(eps) only
with_attributes("clamp", EVERY, min=(-1.0, 0.5, -7.3), max=(1.0, 0.5, 2.3))
with_attributes("clamp_min", EVERY, min=(-1.0, 0.3, 0.0))
with_attributes("clamp_max", EVERY, max=(-1.0, 0.3, 0.0))
with_attributes("gelu", approximate=("none", "tanh"))
with_attributes("leaky_relu", EVERY, negative_slope=(0.01, 0.5, -2.0, 0.0))
with_attributes("elu", EVERY, alpha=(1.0, 0.3, -2.0))
with_attributes("hardtanh", EVERY, min_val=(-1.3, 0.5), max_val=(1.3, 0.5))


@form("pow")  # no half-integers: their bound is that of sqrt, and np.power is not as close
def pow_form(draw: Draw) -> Form:
    exponent = draw(st.sampled_from((*EXPONENTS.values(), 2.0, 0.3, -1.7, 2.6)))
    label = f"exponent {int(exponent)}" if exponent == int(exponent) else REAL
    return replace(unary(draw), attributes={"exponent": exponent}, label=label)


@form("where", never_overflows_first="forward jvp")
def where(draw: Draw) -> Form:
    shape = some_shape(draw)
    shapes = [narrowed(draw, shape) for _ in range(3)]
    size = prod(shapes[0])
    condition = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool).reshape(shapes[0])
    return Form(shapes[1:], np.broadcast_shapes(*shapes), indices=condition)


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


def slopes(x: Any, t: Any, gives: Any, signed: bool = False, **attributes: Any) -> list[Row]:
    """An op of one input gives the same along a tangent t and for a cotangent t."""
    return [
        jvp(x, d=(t,), gives=gives, signed=signed, **attributes),
        vjp(x, g=t, gives=(gives,), signed=signed, **attributes),
    ]


TABLE.update({
    "div": [  # at b = 0 what IEEE division gives
        forward([1.0, -1.0, 0.0, nan, inf, 1.0, -0.0], [0.0, 0.0, 0.0, 1.0, inf, inf, 3.0],
                gives=[inf, -inf, nan, nan, nan, 0.0, -0.0], signed=True),
        jvp([1.0, 6.0, 1.0], [inf, 3.0, 0.0], d=([1.0, 3.0, 1.0], [1.0, 0.0, 1.0]), gives=[0.0, 1.0, nan]),
        vjp([1.0, 0.0, nan, 6.0], [0.0, 0.0, 1.0, inf], g=[1.0, 1.0, 1.0, 1.0],
            gives=([inf, inf, 1.0, 0.0], [-inf, nan, nan, 0.0])),
    ],
    "square": [
        forward([nan, inf, -inf, -0.0], gives=[nan, inf, inf, 0.0], signed=True),
        *slopes([inf, -inf, 0.0, nan, inf], [1.0, 1.0, inf, 1.0, 0.0], [inf, -inf, nan, nan, nan]),
    ],
    "scale": [
        forward(BITS, gives=BITS, signed=True, c=2.0),
        forward([inf, 1.0, -1.0], gives=[nan, 0.0, -0.0], signed=True, c=0.0),
        *slopes([nan, inf, 1.0], [1.0, -0.0, inf], [2.0, -0.0, inf], signed=True, c=2.0),
    ],
    "reciprocal": [  # at 0 what IEEE division gives
        forward([0.0, -0.0, inf, -inf, nan], gives=[inf, -inf, 0.0, -0.0, nan], signed=True),
        *slopes([0.0, -0.0, 0.0, inf, nan], [1.0, 1.0, 0.0, 1.0, 1.0], [-inf, -inf, nan, 0.0, nan]),
    ],
    "minimum": [  # as maximum
        forward([nan, 1.0, inf, -inf, inf], [1.0, nan, nan, -1.0, inf], gives=[nan, nan, nan, -inf, inf]),
        jvp([nan, inf, inf, 1.0], [1.0, inf, -inf, 2.0], d=([1.0, 1.0, nan, 1.0], [1.0, 3.0, inf, nan]),
            gives=[0.0, 2.0, inf, 1.0]),
        vjp([nan, inf, inf, -inf, 1.0, 0.0], [1.0, inf, -inf, -inf, 2.0, -0.0], g=[1.0, 1.0, inf, 1.0, inf, 1.0],
            gives=([0.0, 0.5, 0.0, 0.5, inf, 0.5], [0.0, 0.5, inf, 0.5, 0.0, 0.5])),
    ],
    "abs": [  # slope 0 at 0 and at nan, whatever arrives
        forward([nan, inf, -inf, -0.0], gives=[nan, inf, inf, 0.0], signed=True),
        *slopes([nan, 0.0, -0.0, inf, -inf, -1.0], [1.0, inf, nan, 1.0, 1.0, inf], [0.0, 0.0, 0.0, 1.0, -1.0, -inf]),
    ],
    "sqrt": [  # slope inf at 0
        forward([nan, inf, -1.0, 0.0, -0.0], gives=[nan, inf, nan, 0.0, -0.0], signed=True),
        *slopes([0.0, 0.0, -1.0, inf, nan, 4.0], [1.0, 0.0, 1.0, 1.0, 1.0, inf], [inf, nan, nan, 0.0, nan, inf]),
    ],
    "log": [  # the slope is 1/x, also where log x is not defined
        forward([0.0, -0.0, -1.0, inf, nan, 1.0], gives=[-inf, -inf, nan, inf, nan, 0.0]),
        *slopes([0.0, 0.0, -1.0, inf, nan], [1.0, 0.0, 1.0, 1.0, 1.0], [inf, nan, -1.0, 0.0, nan]),
    ],
    "sigmoid": [  # slope 0 at ±inf
        forward([nan, inf, -inf, -0.0, 1000.0, -1000.0], gives=[nan, 1.0, 0.0, 0.5, 1.0, 0.0]),
        *slopes([inf, -inf, -1000.0, -inf, nan], [1.0, 1.0, 1.0, inf, 1.0], [0.0, 0.0, 0.0, nan, nan]),
    ],
    "tanh": [  # slope 0 at ±inf
        forward([nan, inf, -inf, -0.0, 1000.0], gives=[nan, 1.0, -1.0, -0.0, 1.0], signed=True),
        *slopes([inf, -inf, 1000.0, inf, nan], [1.0, 1.0, 1.0, inf, 1.0], [0.0, 0.0, 0.0, nan, nan]),
    ],
    "softplus": [  # slope 0 at -inf, 1 at inf
        forward([nan, inf, -inf, 1000.0, -1000.0], gives=[nan, inf, 0.0, 1000.0, 0.0]),
        *slopes([inf, -inf, 1000.0, -inf, nan], [1.0, 1.0, inf, inf, 1.0], [1.0, 0.0, inf, nan, nan]),
    ],
    "safe_log": [  # slope 0 at nan and for x <= eps, whatever arrives
        forward([nan, inf, -inf, -0.0, 1.0], gives=[nan, inf, 0.0, 0.0, 0.0], eps=1.0),
        *slopes([nan, inf, -inf, 0.0, 1.0, 2.0], [1.0, 1.0, inf, nan, 1.0, 3.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.5],
                eps=1.0),
    ],
    "clamp": [  # slope 0 at nan and outside, whatever arrives
        forward([nan, inf, -inf, -0.0], gives=[nan, 1.0, -1.0, -0.0], min=-1.0, max=1.0),
        forward([inf, -inf, nan], gives=[1.0, -inf, nan], min=-inf, max=1.0),
        *slopes([nan, inf, -1.0, 1.0, 2.0], [1.0, nan, 3.0, inf, inf], [0.0, 0.0, 3.0, inf, 0.0], min=-1.0, max=1.0),
    ],
    "clamp_min": [
        forward([nan, inf, -inf, -0.0], gives=[nan, inf, 0.0, 0.0], min=0.0),
        *slopes([nan, inf, 0.0, -0.0, -inf], [1.0, 2.0, inf, 3.0, nan], [0.0, 2.0, inf, 3.0, 0.0], min=0.0),
    ],
    "clamp_max": [
        forward([nan, inf, -inf, -0.0], gives=[nan, 0.0, -inf, 0.0], max=0.0),
        *slopes([nan, inf, 0.0, -0.0, -inf], [1.0, nan, inf, 3.0, 2.0], [0.0, 0.0, inf, 3.0, 2.0], max=0.0),
    ],
    "detach": [forward(BITS, gives=BITS, signed=True)],
    "silu": [  # 0 and slope 0 at -inf, slope 1 at inf
        forward([nan, inf, -inf, -0.0, 1000.0, -1000.0], gives=[nan, inf, 0.0, 0.0, 1000.0, 0.0]),
        *slopes([nan, inf, -inf, -inf, 1e30, -1e30], [1.0, 1.0, 1.0, inf, 1.0, 1.0], [nan, 1.0, 0.0, nan, 1.0, 0.0]),
    ],
    "leaky_relu": [  # negative_slope at 0 and at nan
        forward([nan, inf, -inf, -0.0], gives=[nan, inf, -inf, -0.0], signed=True, negative_slope=0.5),
        forward([-inf, inf], gives=[nan, inf], negative_slope=0.0),
        *slopes([nan, 0.0, -0.0, inf, -inf, -1.0], [1.0, 1.0, 1.0, nan, 1.0, inf], [0.5, 0.5, 0.5, nan, 0.5, inf],
                negative_slope=0.5),
    ],
    "elu": [  # slope alpha at 0, 0 at -inf
        forward([nan, inf, -inf, -0.0, -1000.0], gives=[nan, inf, -2.0, -0.0, -2.0], alpha=2.0),
        *slopes([nan, inf, -inf, 0.0, -inf], [1.0, 1.0, 1.0, 1.0, inf], [nan, 1.0, 0.0, 2.0, nan], alpha=2.0),
    ],
    "hardtanh": [  # slope 0 at both bounds and at nan, whatever arrives
        forward([nan, inf, -inf, -0.0], gives=[nan, 1.0, -1.0, -0.0]),
        *slopes([nan, inf, -1.0, 1.0, 0.0], [1.0, nan, 3.0, inf, 2.0], [0.0, 0.0, 0.0, 0.0, 2.0]),
    ],
    "sin": [
        forward([nan, inf, -inf, -0.0], gives=[nan, nan, nan, -0.0], signed=True),
        *slopes([inf, nan, 0.0], [1.0, 1.0, inf], [nan, nan, inf]),
    ],
    "cos": [
        forward([nan, inf, -inf, -0.0], gives=[nan, nan, nan, 1.0]),
        *slopes([inf, nan, 0.0, 0.0], [1.0, 1.0, 1.0, inf], [nan, nan, 0.0, nan]),
    ],
    "pow": [  # x⁰ is 1 with slope 0 whatever x is and whatever arrives
        forward([nan, 0.0, -1.0, inf], gives=[nan, 0.0, nan, inf], exponent=0.3),
        forward([0.0, -0.0, inf, -inf, nan], gives=[inf, -inf, 0.0, -0.0, nan], signed=True, exponent=-3),
        forward([nan, inf, 0.0], gives=[1.0, 1.0, 1.0], exponent=0),
        forward([-2.0, -0.0, nan], gives=[-8.0, -0.0, nan], signed=True, exponent=3.0),
        *slopes([0.0, -1.0, nan], [1.0, 1.0, 1.0], [inf, nan, nan], exponent=0.3),
        *slopes([nan, 0.0, inf, 1.0], [1.0, inf, 1.0, nan], [0.0, 0.0, 0.0, 0.0], exponent=0),
        *slopes([nan, 0.0, inf], [inf, 3.0, 1.0], [inf, 3.0, 1.0], exponent=1),
        *slopes([0.0, -2.0, inf], [1.0, 1.0, 1.0], [0.0, 12.0, inf], exponent=3),
        *slopes([0.0, inf], [1.0, 1.0], [-inf, 0.0], exponent=-1),
    ],
    "where": [  # what is not selected gets 0, whatever arrives
        forward([True, False, True, False], [nan, nan, -0.0, 1.0], [1.0, 2.0, 3.0, inf], gives=[nan, 2.0, -0.0, inf],
                signed=True),
        jvp([True, False, True], [nan, 1.0, 1.0], [1.0, inf, 1.0], d=(None, [1.0, nan, inf], [inf, 2.0, nan]),
            gives=[1.0, 2.0, inf]),
        vjp([True, False, True, False], [nan, inf, 1.0, 1.0], [1.0, 1.0, nan, 1.0], g=[1.0, inf, nan, -inf],
            gives=([1.0, 0.0, nan, 0.0], [0.0, inf, 0.0, -inf])),
    ],
})
for form_of_gelu in ("none", "tanh"):  # as silu
    TABLE.setdefault("gelu", []).extend([
        forward([nan, inf, -inf, -0.0, 1000.0, -1e30], gives=[nan, inf, 0.0, 0.0, 1000.0, 0.0],
                approximate=form_of_gelu),
        *slopes([nan, inf, -inf, -inf, 1e30, -1e30], [1.0, 1.0, 1.0, inf, 1.0, 1.0], [nan, 1.0, 0.0, nan, 1.0, 0.0],
                approximate=form_of_gelu),
    ])


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


def plant_slope(op: str, name: str, example_name: str, wrong: Any) -> None:
    """A wrong slope, in the JVP."""
    plant(op, name, "jvp x", example_name)(wrong)


plant("div", "kernel-divides-by-b-once", "vjp b", "3")(lambda g, inputs, out, residual: -g * out)
plant("div", "kernel-multiplies", "forward", "3")(lambda inputs: (inputs[0] * inputs[1], None))
plant_slope("square", "kernel-without-the-2", "3", lambda t, inputs, out, residual: inputs[0] * t)
plant("scale", "kernel-scales-twice", "vjp x", "3")(lambda g, inputs, out, residual, c: c * c * g)
plant_slope("reciprocal", "kernel-sign", "3", lambda t, inputs, out, residual: t * out * out)
plant("minimum", "kernel-is-maximum", "forward", "3")(lambda inputs: (np.maximum(*inputs), None))
plant_slope("abs", "kernel-slope-1-at-0", "3", lambda t, inputs, out, residual: np.where(inputs[0] >= 0, t, -t))
plant_slope("sqrt", "kernel-without-the-2", "3", lambda t, inputs, out, residual: t / out)
plant_slope("log", "kernel-slope-of-log2", "3", lambda t, inputs, out, residual: t / (inputs[0] * 0.6931))


@plant("sigmoid", "kernel-of-the-magnitude", "forward", "3")
def sigmoid_wrong(inputs: Any) -> Any:
    (x,) = inputs
    small = np.exp(-np.abs(x))
    return 1 / (1 + small), (small,)


plant_slope("tanh", "kernel-not-squared", "3", lambda t, inputs, out, residual: (1 - out) * t)
plant("softplus", "kernel-without-the-maximum", "forward", "3")(
    lambda inputs: (np.log1p(np.exp(-np.abs(inputs[0]))), (np.exp(-np.abs(inputs[0])),))
)
plant("safe_log", "kernel-adds-eps", "forward", "3")(lambda inputs, eps: (np.log(np.abs(inputs[0]) + eps), None))
plant_slope("safe_log", "kernel-slope-below-eps", "3", lambda t, inputs, out, residual, eps: t / residual[0])
plant_slope(  # 16
    "clamp", "kernel-ignores-the-upper-bound", "3", lambda t, inputs, out, residual, min, max: t * (inputs[0] >= min)
)
plant_slope("clamp_min", "kernel-slope-0-at-min", "3", lambda t, inputs, out, residual, min: t * (inputs[0] > min))
plant_slope("clamp_max", "kernel-slope-0-at-max", "3", lambda t, inputs, out, residual, max: t * (inputs[0] < max))
plant("detach", "kernel-negates", "forward", "3")(lambda inputs: (-inputs[0], None))
plant("detach", "kernel-gives-zeros", "forward", "3")(lambda inputs: (np.zeros_like(inputs[0]), None))
plant("detach", "shape-of-a-scalar", "shape")(lambda x: ())


@plant("gelu", "kernel-wrong-root", "forward", "3-none")
def gelu_wrong(inputs: Any, approximate: str) -> Any:
    (x,) = inputs
    bend = special.erf(x * 0.7071)
    return 0.5 * x * (1 + bend), (bend,)


@plant("gelu", "kernel-forgets-the-3", "jvp x", "3-tanh")
def gelu_tanh_wrong(t: Any, inputs: Any, out: Any, residual: Any, approximate: str) -> Any:
    (x,), (bend,) = inputs, residual
    return (0.5 * (1 + bend) + 0.5 * x * (1 - bend * bend) * 0.7978845608028654 * (1 + 0.044715 * x * x)) * t


plant_slope("silu", "kernel-slope-of-sigmoid", "3", lambda t, inputs, out, residual: t * residual[0])
plant_slope(
    "leaky_relu", "kernel-slope-1-at-0", "3",
    lambda t, inputs, out, residual, negative_slope: np.where(inputs[0] >= 0, t, negative_slope * t),
)  # fmt: skip
plant("elu", "kernel-without-the-1", "forward", "3")(
    lambda inputs, alpha: (np.where(inputs[0] > 0, inputs[0], alpha * np.exp(np.minimum(inputs[0], 0))), None)
)
plant_slope(
    "hardtanh", "kernel-slope-1-at-the-bound", "3",
    lambda t, inputs, out, residual, min_val, max_val: np.where((inputs[0] >= min_val) & (inputs[0] <= max_val), t, 0),
)  # fmt: skip
plant_slope("sin", "kernel-sign", "3", lambda t, inputs, out, residual: -np.cos(inputs[0]) * t)
plant_slope("cos", "kernel-sign", "3", lambda t, inputs, out, residual: np.sin(inputs[0]) * t)


@plant("pow", "kernel-exponent-not-lowered", "jvp x", "3-plus3")
def pow_wrong(t: Any, inputs: Any, out: Any, residual: Any, exponent: Any = None, integer: Any = None) -> Any:
    return integer * out * t


@plant("pow", "kernel-odd-for-even", "forward", "3-plus2")
def pow_odd(inputs: Any, exponent: Any = None, integer: Any = None) -> Any:
    return inputs[0] * np.abs(inputs[0]), None


@plant("pow", "kernel-real-exponent-too-low", "jvp x", "3-real")
def pow_low(t: Any, inputs: Any, out: Any, residual: Any, exponent: Any = None, integer: Any = None) -> Any:
    return exponent * np.power(inputs[0], exponent - 2) * t


plant("where", "kernel-exchanged", "forward", "3")(lambda inputs: (np.where(inputs[0], inputs[2], inputs[1]), None))
plant("where", "kernel-g-to-both", "vjp a", "3")(lambda g, inputs, out, residual: g)
