"""Pointwise ops. At the table entry both inputs of a binary op have the same shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import broadcast_shape
from ..dtypes import floats
from ..errors import ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply
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
    return np.where(mine > other, t, np.where(mine == other, t / 2, 0))


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
    return np.maximum(x, 0), None


@relu_op.jvp_of("x")
def relu_dy_x(dx: Array, inputs: tuple[Array], out: Array, residual: Residual) -> Array:
    (x,) = inputs
    return np.where(x > 0, dx, 0)  # not dx * (x > 0): inf * 0 is nan


@relu_op.vjp_of("x")
def relu_gx(g: Array, inputs: tuple[Array], out: Array, residual: Residual) -> Array:
    (x,) = inputs
    return np.where(x > 0, g, 0)


@relu_op.public
def relu(x: ArrayLike) -> Array:
    """y = max(x, 0). The slope at 0 is 0; relu(nan) = nan.

    Shapes: x s -> s. Raises DtypeError.

    >>> relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    """
    return unary(relu_op, x)
