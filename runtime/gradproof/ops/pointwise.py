"""Pointwise ops. At the table entry both inputs of a binary op have the same shape."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, isnan
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import special
from ..attributes import broadcast_shape, number, small_number
from ..dtypes import booleans, floats
from ..errors import DomainError, ShapeError, describe
from ..op import Array, Function, Op, Residual, Shape
from ..special import at_least, at_most, chosen, in_blocks, masked
from ..tape import Traced, apply
from .explicit import broadcasted


def unary(op: Op, x: ArrayLike) -> Array:
    (x_,) = floats(op.name, x=x)
    return apply(op, x_)


def binary(op: Op, a: ArrayLike, b: ArrayLike) -> Array:
    a_, b_ = floats(op.name, a=a, b=b)
    shape = broadcast_shape(op.name, a=a_.shape, b=b_.shape)
    return apply(op, broadcasted(a_, shape), broadcasted(b_, shape))


def same_shape(op: str, a: Shape, b: Shape) -> Shape:
    """Shape rule of a binary op."""
    if len(a) != len(b):
        raise ShapeError(describe(op, "the ranks differ", "broadcast first", a=a, b=b))
    for first, second in zip(a, b, strict=True):
        if first != second:
            raise ShapeError(describe(op, "the shapes differ", "broadcast first", a=a, b=b))
    return a


# add: c = a + b

add_op = Op("add", inputs=("a", "b"))


@add_op.shape_rule
def add_shape(a: Shape, b: Shape) -> Shape:
    return same_shape("add", a, b)


@add_op.forward
def add_c(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    a, b = inputs
    return a + b, None


@add_op.jvp_of("a")
def add_dc_a(da: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return da


@add_op.jvp_of("b")
def add_dc_b(db: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return db


@add_op.vjp_of("a")
def add_ga(g: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return g


@add_op.vjp_of("b")
def add_gb(g: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return g


@add_op.public
def add(a: ArrayLike, b: ArrayLike) -> Array:
    """c = a + b, with NumPy broadcasting; also written `a + b`.

    Shapes: a s, b s -> s. Raises ShapeError, DtypeError.

    >>> add(np.array([1.0, 2.0]), 0.5)
    array([1.5, 2.5])
    """
    return binary(add_op, a, b)


# sub: c = a - b

sub_op = Op("sub", inputs=("a", "b"))


@sub_op.shape_rule
def sub_shape(a: Shape, b: Shape) -> Shape:
    return same_shape("sub", a, b)


@sub_op.forward
def sub_c(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    a, b = inputs
    return a - b, None


@sub_op.jvp_of("a")
def sub_dc_a(da: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return da


@sub_op.jvp_of("b")
def sub_dc_b(db: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return -db


@sub_op.vjp_of("a")
def sub_ga(g: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return g


@sub_op.vjp_of("b")
def sub_gb(g: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return -g


@sub_op.public
def sub(a: ArrayLike, b: ArrayLike) -> Array:
    """c = a - b, with NumPy broadcasting; also written `a - b`.

    Shapes: a s, b s -> s. Raises ShapeError, DtypeError.

    >>> sub(1, np.array([1.0, 2.0]))
    array([ 0., -1.])
    """
    return binary(sub_op, a, b)


# mul: c = a b

mul_op = Op("mul", inputs=("a", "b"))


@mul_op.shape_rule
def mul_shape(a: Shape, b: Shape) -> Shape:
    return same_shape("mul", a, b)


@mul_op.forward
def mul_c(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    a, b = inputs
    return a * b, None


@mul_op.jvp_of("a")
def mul_dc_a(da: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    _, b = inputs
    return da * b


@mul_op.jvp_of("b")
def mul_dc_b(db: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, _ = inputs
    return a * db


@mul_op.vjp_of("a")
def mul_ga(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    _, b = inputs
    return g * b


@mul_op.vjp_of("b")
def mul_gb(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, _ = inputs
    return a * g


@mul_op.public
def mul(a: ArrayLike, b: ArrayLike) -> Array:
    """c = a b elementwise, with NumPy broadcasting; also written `a * b`.

    Shapes: a s, b s -> s. Raises ShapeError, DtypeError.

    >>> mul(np.array([[1.0], [2.0]]), np.array([3.0, 4.0]))
    array([[3., 4.],
           [6., 8.]])
    """
    return binary(mul_op, a, b)


# neg: y = -x

neg_op = Op("neg", inputs=("x",))


@neg_op.shape_rule
def neg_shape(x: Shape) -> Shape:
    return x


@neg_op.forward
def neg_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return -x, None


@neg_op.jvp_of("x")
def neg_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return -dx


@neg_op.vjp_of("x")
def neg_gx(g: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return -g


@neg_op.public
def neg(x: ArrayLike) -> Array:
    """y = -x; also written `-x`.

    Shapes: x s -> s. Raises DtypeError.

    >>> neg([1.0, -2.0])
    array([-1.,  2.])
    """
    return unary(neg_op, x)


# exp: y = exp(x)

exp_op = Op("exp", inputs=("x",))


@exp_op.shape_rule
def exp_shape(x: Shape) -> Shape:
    return x


@exp_op.forward
def exp_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.exp(x), None


@exp_op.jvp_of("x")
def exp_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return dx * out


@exp_op.vjp_of("x")
def exp_gx(g: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return g * out


@exp_op.public
def exp(x: ArrayLike) -> Array:
    """y = exp(x).

    Shapes: x s -> s. Raises DtypeError. Overflows to inf as NumPy does.

    >>> exp([0.0, -np.inf])
    array([1., 0.])
    """
    return unary(exp_op, x)


# maximum: c = max(a, b); at a tie each input has slope 1/2

maximum_op = Op("maximum", inputs=("a", "b"))


def share(t: Array, mine: Array, other: Array) -> Array:
    """The part of t that goes through the input `mine`."""
    return in_blocks(lambda t, a, b: chosen(a > b, t, masked(a == b, t / 2)), t, mine, other)


@maximum_op.shape_rule
def maximum_shape(a: Shape, b: Shape) -> Shape:
    return same_shape("maximum", a, b)


@maximum_op.forward
def maximum_c(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    a, b = inputs
    return np.maximum(a, b), None


@maximum_op.jvp_of("a")
def maximum_dc_a(da: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, b = inputs
    return share(da, a, b)


@maximum_op.jvp_of("b")
def maximum_dc_b(db: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, b = inputs
    return share(db, b, a)


@maximum_op.vjp_of("a")
def maximum_ga(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, b = inputs
    return share(g, a, b)


@maximum_op.vjp_of("b")
def maximum_gb(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, b = inputs
    return share(g, b, a)


@maximum_op.public
def maximum(a: ArrayLike, b: ArrayLike) -> Array:
    """c = max(a, b), with NumPy broadcasting. At a tie each input has slope 1/2.

    Shapes: a s, b s -> s. A nan in either gives nan. Raises ShapeError, DtypeError.

    >>> maximum(np.array([-1.0, 3.0]), 0)
    array([0., 3.])
    """
    return binary(maximum_op, a, b)


# relu: y = max(x, 0); the slope at 0 is 0

relu_op = Op("relu", inputs=("x",))


@relu_op.shape_rule
def relu_shape(x: Shape) -> Shape:
    return x


@relu_op.forward
def relu_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return at_least(x, 0), None


@relu_op.jvp_of("x")
def relu_dy_x(dx: Array, inputs: tuple[Array], out: Array, residual: Residual) -> Array:
    return masked(out > 0, dx)  # not dx * (out > 0): inf * 0 is nan; from the output, so that a plan may overwrite x


@relu_op.vjp_of("x")
def relu_gx(g: Array, inputs: tuple[Array], out: Array, residual: Residual) -> Array:
    return masked(out > 0, g)


@relu_op.public
def relu(x: ArrayLike) -> Array:
    """y = max(x, 0). The slope at 0 is 0; relu(nan) = nan.

    Shapes: x s -> s. Raises DtypeError.

    >>> relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    """
    return unary(relu_op, x)


# div: c = a / b; defined for b != 0

div_op = Op("div", inputs=("a", "b"))


@div_op.shape_rule
def div_shape(a: Shape, b: Shape) -> Shape:
    return same_shape("div", a, b)


@div_op.forward
def div_c(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    a, b = inputs
    return a / b, None


@div_op.jvp_of("a")
def div_dc_a(da: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    _, b = inputs
    return da / b


@div_op.jvp_of("b")
def div_dc_b(db: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    _, b = inputs
    return -db * (out / b)


@div_op.vjp_of("a")
def div_ga(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    _, b = inputs
    return g / b


@div_op.vjp_of("b")
def div_gb(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    _, b = inputs
    return -g * (out / b)


@div_op.public
def div(a: ArrayLike, b: ArrayLike) -> Array:
    """c = a / b, with NumPy broadcasting. Differentiable for b != 0; x / 0 is inf or nan as in NumPy.

    Shapes: a s, b s -> s. Raises ShapeError, DtypeError.

    >>> div(np.array([1.0, 3.0]), 2)
    array([0.5, 1.5])
    """
    return binary(div_op, a, b)


# Ops of one input whose Jacobian is diagonal: one rule t -> f'(x) t is both their JVP and their VJP.


def pointwise(name: str) -> Op:
    op = Op(name, inputs=("x",))

    @op.shape_rule
    def shape(x: Shape, **attributes: Any) -> Shape:
        return x

    return op


def slope_rule(op: Op) -> Callable[[Function], Function]:
    def register(rule: Function) -> Function:
        return op.vjp_of("x")(op.jvp_of("x")(rule))

    return register


# square: y = x²

square_op = pointwise("square")


@square_op.forward
def square_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return x * x, None


@slope_rule(square_op)
def square_t(t: Array, inputs: tuple[Array], out: Array, residual: Residual) -> Array:
    (x,) = inputs
    return 2 * x * t


@square_op.public
def square(x: ArrayLike) -> Array:
    """y = x².

    Shapes: x s -> s. Raises DtypeError.

    >>> square([-1.0, 3.0])
    array([1., 9.])
    """
    return unary(square_op, x)


# scale: y = c x

scale_op = pointwise("scale")


@scale_op.forward
def scale_y(inputs: tuple[Array], *, c: float) -> tuple[Array, Residual]:
    (x,) = inputs
    return c * x, None


@slope_rule(scale_op)
def scale_t(t: Array, inputs: Any, out: Array, residual: Residual, *, c: float) -> Array:
    return c * t


@scale_op.public
def scale(x: ArrayLike, c: float) -> Array:
    """y = c x for a number c, which has no gradient.

    Shapes: x s -> s. Raises DtypeError.

    >>> scale([1.0, -2.0], 0.5)
    array([ 0.5, -1. ])
    """
    (x_,) = floats("scale", x=x)
    return apply(scale_op, x_, c=number("scale", "c", c))


# reciprocal: y = 1 / x; defined for x != 0

reciprocal_op = pointwise("reciprocal")


@reciprocal_op.forward
def reciprocal_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return 1 / x, None


@slope_rule(reciprocal_op)
def reciprocal_t(t: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return -t * out * out


@reciprocal_op.public
def reciprocal(x: ArrayLike) -> Array:
    """y = 1 / x. Differentiable for x != 0; 1 / 0 is inf as in NumPy.

    Shapes: x s -> s. Raises DtypeError.

    >>> reciprocal([2.0, -4.0])
    array([ 0.5 , -0.25])
    """
    return unary(reciprocal_op, x)


# minimum: c = min(a, b); at a tie each input has slope 1/2

minimum_op = Op("minimum", inputs=("a", "b"))


@minimum_op.shape_rule
def minimum_shape(a: Shape, b: Shape) -> Shape:
    return same_shape("minimum", a, b)


@minimum_op.forward
def minimum_c(inputs: tuple[Array, Array]) -> tuple[Array, Residual]:
    a, b = inputs
    return np.minimum(a, b), None


@minimum_op.jvp_of("a")
def minimum_dc_a(da: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, b = inputs
    return share(da, b, a)


@minimum_op.jvp_of("b")
def minimum_dc_b(db: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, b = inputs
    return share(db, a, b)


@minimum_op.vjp_of("a")
def minimum_ga(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, b = inputs
    return share(g, b, a)


@minimum_op.vjp_of("b")
def minimum_gb(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual) -> Array:
    a, b = inputs
    return share(g, a, b)


@minimum_op.public
def minimum(a: ArrayLike, b: ArrayLike) -> Array:
    """c = min(a, b), with NumPy broadcasting. At a tie each input has slope 1/2.

    Shapes: a s, b s -> s. A nan in either gives nan. Raises ShapeError, DtypeError.

    >>> minimum(np.array([-1.0, 3.0]), 0)
    array([-1.,  0.])
    """
    return binary(minimum_op, a, b)


# abs: y = |x|; the slope at 0 is 0

abs_op = pointwise("abs")


@abs_op.forward
def abs_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.abs(x), None


@slope_rule(abs_op)
def abs_t(t: Array, inputs: tuple[Array], out: Array, residual: Residual) -> Array:
    def rule(t: Array, x: Array) -> Array:
        result: Array = masked(x > 0, t) - masked(x < 0, t)  # not sign(x) t: 0 inf is nan
        return result

    return in_blocks(rule, t, *inputs)


@abs_op.public
def abs(x: ArrayLike) -> Array:
    """y = |x|. The slope is the sign of x, 0 at 0.

    Shapes: x s -> s. Raises DtypeError.

    >>> abs([-2.0, 3.0])
    array([2., 3.])
    """
    return unary(abs_op, x)


# sqrt: y = √x; differentiable for x > 0

sqrt_op = pointwise("sqrt")


@sqrt_op.forward
def sqrt_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.sqrt(x), None


@slope_rule(sqrt_op)
def sqrt_t(t: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    result: Array = t / (2 * out)
    return result


@sqrt_op.public
def sqrt(x: ArrayLike) -> Array:
    """y = √x. Differentiable for x > 0; the slope at 0 is inf, and the square root of a negative number nan.

    Shapes: x s -> s. Raises DtypeError.

    >>> sqrt([4.0, 0.25])
    array([2. , 0.5])
    """
    return unary(sqrt_op, x)


# log: y = log x; defined for x > 0

log_op = pointwise("log")


@log_op.forward
def log_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.log(x), None


@slope_rule(log_op)
def log_t(t: Array, inputs: tuple[Array], out: Array, residual: Residual) -> Array:
    (x,) = inputs
    return t / x


@log_op.public
def log(x: ArrayLike) -> Array:
    """y = log x, the natural logarithm. Differentiable for x > 0; log 0 is -inf, and of a negative number nan.

    Shapes: x s -> s. Raises DtypeError.

    >>> log([1.0, np.e])
    array([0., 1.])
    """
    return unary(log_op, x)


# sigmoid: y = 1 / (1 + exp(-x)); residual exp(-|x|)

sigmoid_op = pointwise("sigmoid")


def exp_below_0(x: Array, small: Array) -> Array:
    """exp(min(x, 0)) from small = exp(-|x|)."""
    e: Array = masked(x < 0, small) + (x >= 0)
    return e


def logistic(x: Array, small: Array) -> Array:
    """1 / (1 + exp(-x)) from small = exp(-|x|): exp of a positive number is never evaluated."""
    s: Array = exp_below_0(x, small) / (1 + small)
    return s


@sigmoid_op.forward
def sigmoid_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    def rule(x: Array) -> tuple[Array, Array]:
        small = np.exp(-np.abs(x))
        return logistic(x, small), small

    y, small = in_blocks(rule, *inputs)
    return y, (small,)


@slope_rule(sigmoid_op)
def sigmoid_t(t: Array, inputs: Any, out: Array, residual: tuple[Array]) -> Array:
    def rule(t: Array, small: Array) -> Array:
        d = 1 + small
        slope: Array = small / (d * d)  # s (1 - s), without cancellation
        return slope * t

    return in_blocks(rule, t, *residual)


@sigmoid_op.public
def sigmoid(x: ArrayLike) -> Array:
    """y = 1 / (1 + exp(-x)).

    Shapes: x s -> s. Raises DtypeError. No intermediate overflows, also in the gradient.

    >>> sigmoid([0.0, 1000.0])
    array([0.5, 1. ])
    """
    return unary(sigmoid_op, x)


# tanh: y = tanh x

tanh_op = pointwise("tanh")


@tanh_op.forward
def tanh_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.tanh(x), None


@slope_rule(tanh_op)
def tanh_t(t: Array, inputs: Any, out: Array, residual: Residual) -> Array:
    return (1 - out * out) * t


@tanh_op.public
def tanh(x: ArrayLike) -> Array:
    """y = tanh x.

    Shapes: x s -> s. Raises DtypeError.

    >>> tanh([0.0, -np.inf])
    array([ 0., -1.])
    """
    return unary(tanh_op, x)


# softplus: y = log(1 + exp(x)); residual exp(-|x|)

softplus_op = pointwise("softplus")


@softplus_op.forward
def softplus_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    small = np.exp(-np.abs(x))
    return at_least(x, 0) + np.log1p(small), (small,)


@slope_rule(softplus_op)
def softplus_t(t: Array, inputs: tuple[Array], out: Array, residual: tuple[Array]) -> Array:
    return in_blocks(lambda t, x, small: logistic(x, small) * t, t, *inputs, *residual)


@softplus_op.public
def softplus(x: ArrayLike) -> Array:
    """y = log(1 + exp(x)), computed as max(x, 0) + log1p(exp(-|x|)): no intermediate overflows.

    Shapes: x s -> s. Raises DtypeError.

    >>> softplus([-1000.0, 1000.0])
    array([   0., 1000.])
    """
    return unary(softplus_op, x)


# safe_log: y = log(max(x, eps)); residual max(x, eps)

safe_log_op = pointwise("safe_log")


@safe_log_op.forward
def safe_log_y(inputs: tuple[Array], *, eps: float) -> tuple[Array, Residual]:
    (x,) = inputs
    large = at_least(x, eps)
    return np.log(large), (large,)


@slope_rule(safe_log_op)
def safe_log_t(t: Array, inputs: tuple[Array], out: Array, residual: tuple[Array], *, eps: float) -> Array:
    (x,), (large,) = inputs, residual
    return masked(x > eps, t / large)


@safe_log_op.public
def safe_log(x: ArrayLike, eps: float = 1e-6) -> Array:
    """y = log(max(x, eps)). The slope is 1/x for x > eps, else 0.

    It is defined for every x, unlike log(x + eps), which some libraries give this name.

    Shapes: x s -> s. Raises DomainError unless eps > 0, DtypeError.

    >>> safe_log([1.0, 0.0, -3.0], eps=1e-6).round(3)
    array([  0.   , -13.816, -13.816])
    """
    (x_,) = floats("safe_log", x=x)
    small = small_number("safe_log", "eps", eps, x_.dtype)
    if not small > 0:
        raise DomainError(describe("safe_log", "eps must be positive", "pass eps > 0, such as 1e-6", eps=eps))
    return apply(safe_log_op, x_, eps=small)


# clamp: y = min(max(x, min), max); the slope at both bounds is 1. clamp_min and clamp_max have one bound


def bound(op: str, name: str, value: Any) -> float:
    result = number(op, name, value)
    if isnan(result):
        raise DomainError(describe(op, f"{name} is nan", "pass a number, or leave it out", **{name: value}))
    return result


def bounds(op: str, **given: Any) -> dict[str, float]:
    """A lower and an upper bound."""
    (low, lower), (high, upper) = ((name, bound(op, name, value)) for name, value in given.items())
    if lower > upper:
        raise DomainError(describe(op, f"{low} is greater than {high}", "exchange them", **given))
    return {low: lower, high: upper}


clamp_op = pointwise("clamp")


@clamp_op.forward
def clamp_y(inputs: tuple[Array], *, min: float, max: float) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.clip(x, min, max), None


@slope_rule(clamp_op)
def clamp_t(
    t: Array, inputs: tuple[Array], out: Array, residual: Residual, *, min: float, max: float
) -> Array:
    (x,) = inputs
    return masked((x >= min) & (x <= max), t)


@clamp_op.public
def clamp(x: ArrayLike, min: float | None = None, max: float | None = None) -> Array:
    """y = x, but `min` where x is smaller and `max` where it is greater; None is no bound. The slope is 1 for
    min <= x <= max, else 0.

    Shapes: x s -> s. clamp(nan) is nan. Raises DomainError where min > max, where both bounds are None or one is nan,
    and DtypeError.

    >>> clamp([-2.0, 0.5, 2.0], min=-1, max=1)
    array([-1. ,  0.5,  1. ])
    """
    (x_,) = floats("clamp", x=x)
    if min is None and max is None:
        raise DomainError(describe("clamp", "there is no bound", "pass min, max or both", min=min, max=max))
    if max is None:
        return clamp_min(x_, bound("clamp", "min", min))
    if min is None:
        return clamp_max(x_, bound("clamp", "max", max))
    return apply(clamp_op, x_, **bounds("clamp", min=min, max=max))


clamp_min_op = pointwise("clamp_min")


@clamp_min_op.forward
def clamp_min_y(inputs: tuple[Array], *, min: float) -> tuple[Array, Residual]:
    (x,) = inputs
    return at_least(x, min), None


@slope_rule(clamp_min_op)
def clamp_min_t(t: Array, inputs: tuple[Array], out: Array, residual: Residual, *, min: float) -> Array:
    (x,) = inputs
    return masked(x >= min, t)


@clamp_min_op.public
def clamp_min(x: ArrayLike, min: float) -> Array:
    """y = max(x, min) for a number min: `clamp` without an upper bound. The slope at min is 1.

    Shapes: x s -> s. Raises DomainError where min is nan, DtypeError.

    >>> clamp_min([-2.0, 0.5], 0)
    array([0. , 0.5])
    """
    (x_,) = floats("clamp_min", x=x)
    return apply(clamp_min_op, x_, min=bound("clamp_min", "min", min))


clamp_max_op = pointwise("clamp_max")


@clamp_max_op.forward
def clamp_max_y(inputs: tuple[Array], *, max: float) -> tuple[Array, Residual]:
    (x,) = inputs
    return at_most(x, max), None


@slope_rule(clamp_max_op)
def clamp_max_t(t: Array, inputs: tuple[Array], out: Array, residual: Residual, *, max: float) -> Array:
    (x,) = inputs
    return masked(x <= max, t)


@clamp_max_op.public
def clamp_max(x: ArrayLike, max: float) -> Array:
    """y = min(x, max) for a number max: `clamp` without a lower bound. The slope at max is 1.

    Shapes: x s -> s. Raises DomainError where max is nan, DtypeError.

    >>> clamp_max([-2.0, 0.5], 0)
    array([-2.,  0.])
    """
    (x_,) = floats("clamp_max", x=x)
    return apply(clamp_max_op, x_, max=bound("clamp_max", "max", max))


# detach: y = x, a constant

detach_op = Op("detach", inputs=("x",), differentiable=())


@detach_op.shape_rule
def detach_shape(x: Shape) -> Shape:
    return x


@detach_op.forward
def detach_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return x.copy(), None


@detach_op.public
def detach(x: ArrayLike) -> Array:
    """y = x, as an array of its own through which no gradient flows.

    Shapes: x s -> s. Raises DtypeError.

    >>> from gradproof import grad
    >>> grad(lambda x: detach(x) * x)(3.0)
    array(3.)
    """
    (x_,) = floats("detach", x=x)
    return apply(detach_op, x_)


# gelu: y = x Φ(x), Φ the normal distribution function or its approximation by tanh; residual Φ(x), tanh

gelu_op = pointwise("gelu")
SQRT_HALF, SQRT_2_OVER_PI, NORMAL = 0.7071067811865476, 0.7978845608028654, 0.3989422804014327  # NORMAL: 1 / √(2π)


def gated(x: Array, gate: Array) -> Array:
    """x gate, and 0 at -inf."""
    y: Array = masked(np.isfinite(x) | (x > 0), x) * gate
    return y


def finite(x: Array) -> Array:
    """x with 0 for ±inf, where the slopes of gelu and silu have reached their limits."""
    return masked(np.isfinite(x), x)


@gelu_op.forward
def gelu_y(inputs: tuple[Array], *, approximate: str) -> tuple[Array, Residual]:
    def rule(x: Array) -> tuple[Array, Array]:
        if approximate == "tanh":
            bend = np.tanh((x + 0.044715 * x * x * x) * SQRT_2_OVER_PI)
        else:
            bend = special.erf(x * SQRT_HALF)
        return gated(x, 0.5 * (1 + bend)), bend

    y, bend = in_blocks(rule, *inputs)
    return y, (bend,)


@slope_rule(gelu_op)
def gelu_t(t: Array, inputs: tuple[Array], out: Array, residual: tuple[Array], *, approximate: str) -> Array:
    def rule(t: Array, x: Array, bend: Array) -> Array:
        z = finite(x)
        if approximate == "tanh":
            tail = z * (1 - bend * bend)  # 0 before z z overflows
            moved = (tail + 0.134145 * (tail * z * z)) * (0.5 * SQRT_2_OVER_PI)
        else:
            moved = z * np.exp(-0.5 * (z * z)) * NORMAL
        slope: Array = 0.5 * (1 + bend) + moved
        return slope * t

    return in_blocks(rule, t, *inputs, *residual)


@gelu_op.public
def gelu(x: ArrayLike, approximate: Literal["none", "tanh"] = "none") -> Array:
    """y = x Φ(x) with Φ(x) = (1 + erf(x / √2)) / 2, or y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.

    Shapes: x s -> s. gelu(-inf) = 0. Raises DomainError for another name of an approximation, DtypeError.
    Source: Hendrycks and Gimpel, Gaussian error linear units (2016), arXiv:1606.08415.

    >>> gelu([-1.0, 0.0, 1.0]).round(4)
    array([-0.1587,  0.    ,  0.8413])
    >>> gelu([1.0], approximate="tanh").round(4)
    array([0.8412])
    """
    (x_,) = floats("gelu", x=x)
    if approximate not in ("none", "tanh"):
        raise DomainError(describe("gelu", "there is no such form", "pass 'none' or 'tanh'", approximate=approximate))
    return apply(gelu_op, x_, approximate=approximate)


# silu: y = x / (1 + exp(-x)); residual exp(-|x|)

silu_op = pointwise("silu")


@silu_op.forward
def silu_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    def rule(x: Array) -> tuple[Array, Array]:
        small = np.exp(-np.abs(x))
        return gated(x, logistic(x, small)), small

    y, small = in_blocks(rule, *inputs)
    return y, (small,)


@slope_rule(silu_op)
def silu_t(t: Array, inputs: tuple[Array], out: Array, residual: tuple[Array]) -> Array:
    def rule(t: Array, x: Array, small: Array) -> Array:
        d = 1 + small
        slope: Array = small / d * finite(x)
        slope += exp_below_0(x, small)
        slope /= d  # s + x s (1 - s)
        return slope * t

    return in_blocks(rule, t, *inputs, *residual)


@silu_op.public
def silu(x: ArrayLike) -> Array:
    """y = x / (1 + exp(-x)), also called swish.

    Shapes: x s -> s. silu(-inf) = 0. Raises DtypeError.
    Source: Elfwing, Uchibe and Doya (2017), arXiv:1702.03118.

    >>> silu([-1.0, 0.0, 1.0]).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """
    return unary(silu_op, x)


# leaky_relu: y = x for x > 0, else negative_slope x; the slope at 0 is negative_slope

leaky_relu_op = pointwise("leaky_relu")


@leaky_relu_op.forward
def leaky_relu_y(inputs: tuple[Array], *, negative_slope: float) -> tuple[Array, Residual]:
    (x,) = inputs
    return in_blocks(lambda x: chosen(x > 0, x, negative_slope * x), x), None


@slope_rule(leaky_relu_op)
def leaky_relu_t(
    t: Array, inputs: tuple[Array], out: Array, residual: Residual, *, negative_slope: float
) -> Array:
    return in_blocks(lambda t, x: chosen(x > 0, t, negative_slope * t), t, *inputs)


@leaky_relu_op.public
def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> Array:
    """y = x for x > 0, else negative_slope x. The slope at 0 is negative_slope.

    Shapes: x s -> s. Raises DtypeError.

    >>> leaky_relu([-2.0, 3.0], 0.25)
    array([-0.5,  3. ])
    """
    (x_,) = floats("leaky_relu", x=x)
    return apply(leaky_relu_op, x_, negative_slope=number("leaky_relu", "negative_slope", negative_slope))


# elu: y = x for x > 0, else alpha (exp(x) - 1); the slope at 0 is alpha

elu_op = pointwise("elu")


@elu_op.forward
def elu_y(inputs: tuple[Array], *, alpha: float) -> tuple[Array, Residual]:
    return in_blocks(lambda x: alpha * np.expm1(at_most(x, 0)) + at_least(x, 0), *inputs), None


@slope_rule(elu_op)
def elu_t(t: Array, inputs: tuple[Array], out: Array, residual: Residual, *, alpha: float) -> Array:
    return in_blocks(lambda t, x: chosen(x > 0, t, alpha * np.exp(at_most(x, 0)) * t), t, *inputs)


@elu_op.public
def elu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """y = x for x > 0, else alpha (exp(x) - 1). The slope at 0 is alpha.

    Shapes: x s -> s. Raises DtypeError.
    Source: Clevert, Unterthiner and Hochreiter (2015), arXiv:1511.07289.

    >>> elu([-np.inf, 0.0, 3.0], alpha=2.0)
    array([-2.,  0.,  3.])
    """
    (x_,) = floats("elu", x=x)
    return apply(elu_op, x_, alpha=number("elu", "alpha", alpha))


# hardtanh: y = min(max(x, min_val), max_val); the slope at both bounds is 0

hardtanh_op = pointwise("hardtanh")


@hardtanh_op.forward
def hardtanh_y(inputs: tuple[Array], *, min_val: float, max_val: float) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.clip(x, min_val, max_val), None


@slope_rule(hardtanh_op)
def hardtanh_t(
    t: Array, inputs: tuple[Array], out: Array, residual: Residual, *, min_val: float, max_val: float
) -> Array:
    (x,) = inputs
    return masked((x > min_val) & (x < max_val), t)


@hardtanh_op.public
def hardtanh(x: ArrayLike, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """y = x, but min_val where x is smaller and max_val where it is greater. The slope at both bounds is 0, unlike
    that of clamp.

    Shapes: x s -> s. Raises DomainError where min_val > max_val or one is nan, DtypeError.

    >>> hardtanh([-2.0, 0.5, 2.0])
    array([-1. ,  0.5,  1. ])
    """
    (x_,) = floats("hardtanh", x=x)
    return apply(hardtanh_op, x_, **bounds("hardtanh", min_val=min_val, max_val=max_val))


# sin: y = sin x

sin_op = pointwise("sin")


@sin_op.forward
def sin_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.sin(x), None


@slope_rule(sin_op)
def sin_t(t: Array, inputs: tuple[Array], out: Array, residual: Residual) -> Array:
    (x,) = inputs
    return np.cos(x) * t


@sin_op.public
def sin(x: ArrayLike) -> Array:
    """y = sin x, x in radians.

    Shapes: x s -> s. Raises DtypeError.

    >>> sin([0.0, np.pi / 2])
    array([0., 1.])
    """
    return unary(sin_op, x)


# cos: y = cos x

cos_op = pointwise("cos")


@cos_op.forward
def cos_y(inputs: tuple[Array]) -> tuple[Array, Residual]:
    (x,) = inputs
    return np.cos(x), None


@slope_rule(cos_op)
def cos_t(t: Array, inputs: tuple[Array], out: Array, residual: Residual) -> Array:
    (x,) = inputs
    return -np.sin(x) * t


@cos_op.public
def cos(x: ArrayLike) -> Array:
    """y = cos x, x in radians.

    Shapes: x s -> s. Raises DtypeError.

    >>> cos([0.0, np.pi])
    array([ 1., -1.])
    """
    return unary(cos_op, x)


# pow: y = x^exponent for x > 0, or x^integer by multiplication (attribute `integer` instead of `exponent`)

pow_op = pointwise("pow")
MOST_FACTORS = 64


def integer_power(x: Array, n: int) -> Array:
    """xⁿ by repeated squaring, 1 / x⁻ⁿ for n < 0."""
    if n <= 0:
        return np.ones_like(x) if n == 0 else 1 / integer_power(x, -n)
    result = x
    for bit in f"{n:b}"[1:]:
        result = result * result * x if bit == "1" else result * result
    return +x if n == 1 else result


@pow_op.forward
def pow_y(inputs: tuple[Array], *, exponent: Any = None, integer: int | None = None) -> tuple[Array, Residual]:
    (x,) = inputs
    return integer_power(x, integer) if integer is not None else np.power(x, exponent), None


@slope_rule(pow_op)
def pow_t(
    t: Array, inputs: tuple[Array], out: Array, residual: Residual, *, exponent: Any = None, integer: int | None = None
) -> Array:
    (x,) = inputs
    if integer == 0:
        return np.zeros_like(t)
    slope: Array = exponent * np.power(x, exponent - 1) if integer is None else integer * integer_power(x, integer - 1)
    return slope * t


@pow_op.recall
def pow_recall(x: Any, exponent: Any = None, integer: Any = None) -> Array:
    return pow(x, exponent if integer is None else integer)


@pow_op.public
def pow(x: ArrayLike, exponent: float) -> Array:
    """y = x^exponent for a number `exponent`, which has no gradient. Differentiable for x > 0; for an integer exponent
    everywhere, but not at 0 if it is negative. The slope of x⁰ is 0.

    Integer exponents (2 or 2.0) up to ±64 are computed by multiplication: proved for -3 to 5, the same code for the
    others. Greater ones are computed as real exponents are, by np.power: proved for x > 0 only.

    Shapes: x s -> s. A negative number to an exponent that is no integer is nan. Raises DomainError where the exponent
    is not finite, DtypeError.

    >>> pow([4.0, 9.0], 0.5)
    array([2., 3.])
    >>> pow([-2.0, 3.0], 3)
    array([-8., 27.])
    """
    (x_,) = floats("pow", x=x)
    p = number("pow", "exponent", exponent)
    if not isfinite(p):
        raise DomainError(describe("pow", "the exponent is not finite", "pass a finite number", exponent=exponent))
    if p.is_integer() and -MOST_FACTORS <= p <= MOST_FACTORS:
        return apply(pow_op, x_, integer=int(p))
    return apply(pow_op, x_, exponent=p)


# where: y = a where the condition holds, else b; no gradient to the condition

where_op = Op("where", inputs=("condition", "a", "b"), differentiable=("a", "b"))


@where_op.shape_rule
def where_shape(condition: Shape, a: Shape, b: Shape) -> Shape:
    return same_shape("where", same_shape("where", condition, a), b)


@where_op.forward
def where_y(inputs: tuple[Array, Array, Array]) -> tuple[Array, Residual]:
    condition, a, b = inputs
    return chosen(condition, a, b), None


@where_op.jvp_of("a")
def where_dy_a(da: Array, inputs: tuple[Array, Array, Array], out: Array, residual: Residual) -> Array:
    return masked(inputs[0], da)


@where_op.jvp_of("b")
def where_dy_b(db: Array, inputs: tuple[Array, Array, Array], out: Array, residual: Residual) -> Array:
    return masked(~inputs[0], db)


@where_op.vjp_of("a")
def where_ga(g: Array, inputs: tuple[Array, Array, Array], out: Array, residual: Residual) -> Array:
    return masked(inputs[0], g)


@where_op.vjp_of("b")
def where_gb(g: Array, inputs: tuple[Array, Array, Array], out: Array, residual: Residual) -> Array:
    return masked(~inputs[0], g)


@where_op.public
def where(condition: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """y = a where the condition is True, else b, with NumPy broadcasting of all three. What is not selected gets
    gradient 0, whatever arrives.

    Shapes: condition s Boolean, a s, b s -> s. The condition has no gradient. Raises ShapeError, DtypeError.

    >>> where(np.array([True, False]), np.array([1.0, 2.0]), 0.0)
    array([1., 0.])
    """
    a_, b_ = floats("where", a=a, b=b)
    condition_ = booleans("where", "condition", condition, a_ if isinstance(a_, Traced) else b_)
    shape = broadcast_shape("where", condition=condition_.shape, a=a_.shape, b=b_.shape)
    return apply(where_op, *(broadcasted(x, shape) for x in (condition_, a_, b_)))
