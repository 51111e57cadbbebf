"""The update rules of optimizers, elementwise. Nothing is broadcast, and every array has a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..attributes import number, small_number
from ..dtypes import floats
from ..errors import DomainError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..tape import apply


def one_shape(op: str, **shapes: Shape) -> Shape:
    """Shape rule: that of the first, which the others have too."""
    (first, shape), *others = shapes.items()
    for name, other in others:
        if len(other) != len(shape) or any(n != m for n, m in zip(other, shape, strict=True)):
            remedy = "pass arrays of one shape; nothing is broadcast"
            raise ShapeError(describe(op, f"{name} has another shape than {first}", remedy, **shapes))
    return shape


# sgd_update: y = parameter - learning_rate gradient

sgd_update_op = Op("sgd_update", inputs=("parameter", "gradient"))


@sgd_update_op.shape_rule
def sgd_update_shape(parameter: Shape, gradient: Shape, *, learning_rate: float) -> Shape:
    return one_shape("sgd_update", parameter=parameter, gradient=gradient)


@sgd_update_op.forward
def sgd_update_y(inputs: tuple[Array, Array], *, learning_rate: float) -> tuple[Array, Residual]:
    parameter, gradient = inputs
    return parameter - learning_rate * gradient, None


@sgd_update_op.jvp_of("parameter")
def sgd_update_dy_parameter(
    dparameter: Array, inputs: Any, out: Array, residual: Residual, *, learning_rate: float
) -> Array:
    return dparameter


@sgd_update_op.jvp_of("gradient")
def sgd_update_dy_gradient(
    dgradient: Array, inputs: Any, out: Array, residual: Residual, *, learning_rate: float
) -> Array:
    return -learning_rate * dgradient


@sgd_update_op.vjp_of("parameter")
def sgd_update_gparameter(g: Array, inputs: Any, out: Array, residual: Residual, *, learning_rate: float) -> Array:
    return g


@sgd_update_op.vjp_of("gradient")
def sgd_update_ggradient(g: Array, inputs: Any, out: Array, residual: Residual, *, learning_rate: float) -> Array:
    return -learning_rate * g


@sgd_update_op.public
def sgd_update(parameter: ArrayLike, gradient: ArrayLike, learning_rate: float) -> Array:
    """y = parameter - learning_rate gradient: a step of gradient descent.

    Shapes: both s -> s. Raises ShapeError for different shapes, DtypeError.

    >>> sgd_update([1.0, 2.0], [10.0, -10.0], 0.1)
    array([0., 3.])
    """
    arrays = floats("sgd_update", parameter=parameter, gradient=gradient)
    return apply(sgd_update_op, *arrays, learning_rate=number("sgd_update", "learning_rate", learning_rate))


# momentum_update: y = momentum velocity + (1 - dampening) gradient

momentum_update_op = Op("momentum_update", inputs=("velocity", "gradient"))


@momentum_update_op.shape_rule
def momentum_update_shape(velocity: Shape, gradient: Shape, *, momentum: float, dampening: float) -> Shape:
    return one_shape("momentum_update", velocity=velocity, gradient=gradient)


@momentum_update_op.forward
def momentum_update_y(
    inputs: tuple[Array, Array], *, momentum: float, dampening: float
) -> tuple[Array, Residual]:
    velocity, gradient = inputs
    return momentum * velocity + (1 - dampening) * gradient, None


@momentum_update_op.jvp_of("velocity")
def momentum_update_dy_velocity(
    dvelocity: Array, inputs: Any, out: Array, residual: Residual, *, momentum: float, dampening: float
) -> Array:
    return momentum * dvelocity


@momentum_update_op.jvp_of("gradient")
def momentum_update_dy_gradient(
    dgradient: Array, inputs: Any, out: Array, residual: Residual, *, momentum: float, dampening: float
) -> Array:
    return (1 - dampening) * dgradient


@momentum_update_op.vjp_of("velocity")
def momentum_update_gvelocity(
    g: Array, inputs: Any, out: Array, residual: Residual, *, momentum: float, dampening: float
) -> Array:
    return momentum * g


@momentum_update_op.vjp_of("gradient")
def momentum_update_ggradient(
    g: Array, inputs: Any, out: Array, residual: Residual, *, momentum: float, dampening: float
) -> Array:
    return (1 - dampening) * g


@momentum_update_op.public
def momentum_update(velocity: ArrayLike, gradient: ArrayLike, momentum: float, dampening: float = 0.0) -> Array:
    """y = momentum velocity + (1 - dampening) gradient: the velocity of gradient descent with momentum, as in PyTorch.

    Shapes: both s -> s. Raises ShapeError for different shapes, DtypeError.

    >>> momentum_update([1.0, -2.0], [3.0, 3.0], momentum=0.5)
    array([3.5, 2. ])
    """
    arrays = floats("momentum_update", velocity=velocity, gradient=gradient)
    return apply(
        momentum_update_op,
        *arrays,
        momentum=number("momentum_update", "momentum", momentum),
        dampening=number("momentum_update", "dampening", dampening),
    )


# exponential_average: y = decay average + (1 - decay) x

exponential_average_op = Op("exponential_average", inputs=("average", "x"))


@exponential_average_op.shape_rule
def exponential_average_shape(average: Shape, x: Shape, *, decay: float) -> Shape:
    return one_shape("exponential_average", average=average, x=x)


@exponential_average_op.forward
def exponential_average_y(inputs: tuple[Array, Array], *, decay: float) -> tuple[Array, Residual]:
    average, x = inputs
    return decay * average + (1 - decay) * x, None


@exponential_average_op.jvp_of("average")
def exponential_average_dy_average(
    daverage: Array, inputs: Any, out: Array, residual: Residual, *, decay: float
) -> Array:
    return decay * daverage


@exponential_average_op.jvp_of("x")
def exponential_average_dy_x(dx: Array, inputs: Any, out: Array, residual: Residual, *, decay: float) -> Array:
    return (1 - decay) * dx


@exponential_average_op.vjp_of("average")
def exponential_average_gaverage(g: Array, inputs: Any, out: Array, residual: Residual, *, decay: float) -> Array:
    return decay * g


@exponential_average_op.vjp_of("x")
def exponential_average_gx(g: Array, inputs: Any, out: Array, residual: Residual, *, decay: float) -> Array:
    return (1 - decay) * g


@exponential_average_op.public
def exponential_average(average: ArrayLike, x: ArrayLike, decay: float) -> Array:
    """y = decay average + (1 - decay) x: a running average that forgets at the rate 1 - decay.

    Shapes: both s -> s. Raises ShapeError for different shapes, DtypeError.

    >>> exponential_average([0.0, 4.0], [2.0, 4.0], decay=0.75)
    array([0.5, 4. ])
    """
    arrays = floats("exponential_average", average=average, x=x)
    return apply(exponential_average_op, *arrays, decay=number("exponential_average", "decay", decay))


# adam_update: y = parameter - learning_rate ratio, ratio = (first_moment / correction1) / denominator,
# denominator = root + eps, root = sqrt(second_moment / correction2); residual (ratio, denominator, root)

adam_update_op = Op("adam_update", inputs=("parameter", "first_moment", "second_moment"))
Three = tuple[Array, Array, Array]


@adam_update_op.shape_rule
def adam_update_shape(
    parameter: Shape,
    first_moment: Shape,
    second_moment: Shape,
    *,
    learning_rate: float,
    correction1: float,
    correction2: float,
    eps: float,
) -> Shape:
    for name, value in (("correction1", correction1), ("correction2", correction2)):
        if not value > 0:
            remedy = "pass 1 - beta**t of the step t = 1, 2, ..."
            raise DomainError(describe("adam_update", f"{name} must be positive", remedy, **{name: value}))
    if not eps > 0:
        raise DomainError(describe("adam_update", "eps must be positive", "pass eps > 0, such as 1e-8", eps=eps))
    return one_shape("adam_update", parameter=parameter, first_moment=first_moment, second_moment=second_moment)


@adam_update_op.forward
def adam_update_y(
    inputs: Three, *, learning_rate: float, correction1: float, correction2: float, eps: float
) -> tuple[Array, Residual]:
    parameter, first_moment, second_moment = inputs
    root = np.sqrt(second_moment / correction2)
    denominator = root + eps
    ratio = first_moment / correction1 / denominator
    return parameter - learning_rate * ratio, (ratio, denominator, root)


def along_first_moment(t: Array, denominator: Array, learning_rate: float, correction1: float) -> Array:
    return -learning_rate * (t / correction1 / denominator)


def along_second_moment(t: Array, residual: Three, learning_rate: float, correction2: float) -> Array:
    ratio, denominator, root = residual
    return learning_rate * (ratio / denominator) * (t / (2 * correction2 * root))


@adam_update_op.jvp_of("parameter")
def adam_update_dy_parameter(
    dparameter: Array, inputs: Three, out: Array, residual: Three, **attributes: float
) -> Array:
    return dparameter


@adam_update_op.jvp_of("first_moment")
def adam_update_dy_first_moment(
    dfirst_moment: Array,
    inputs: Three,
    out: Array,
    residual: Three,
    *,
    learning_rate: float,
    correction1: float,
    correction2: float,
    eps: float,
) -> Array:
    return along_first_moment(dfirst_moment, residual[1], learning_rate, correction1)


@adam_update_op.jvp_of("second_moment")
def adam_update_dy_second_moment(
    dsecond_moment: Array,
    inputs: Three,
    out: Array,
    residual: Three,
    *,
    learning_rate: float,
    correction1: float,
    correction2: float,
    eps: float,
) -> Array:
    return along_second_moment(dsecond_moment, residual, learning_rate, correction2)


@adam_update_op.vjp_of("parameter")
def adam_update_gparameter(g: Array, inputs: Three, out: Array, residual: Three, **attributes: float) -> Array:
    return g


@adam_update_op.vjp_of("first_moment")
def adam_update_gfirst_moment(
    g: Array,
    inputs: Three,
    out: Array,
    residual: Three,
    *,
    learning_rate: float,
    correction1: float,
    correction2: float,
    eps: float,
) -> Array:
    return along_first_moment(g, residual[1], learning_rate, correction1)


@adam_update_op.vjp_of("second_moment")
def adam_update_gsecond_moment(
    g: Array,
    inputs: Three,
    out: Array,
    residual: Three,
    *,
    learning_rate: float,
    correction1: float,
    correction2: float,
    eps: float,
) -> Array:
    return along_second_moment(g, residual, learning_rate, correction2)


@adam_update_op.public
def adam_update(
    parameter: ArrayLike,
    first_moment: ArrayLike,
    second_moment: ArrayLike,
    learning_rate: float,
    correction1: float,
    correction2: float,
    eps: float = 1e-8,
) -> Array:
    """y = parameter - learning_rate (first_moment / correction1) / (sqrt(second_moment / correction2) + eps): a step of
    Adam. The corrections of the moments' bias after t steps are 1 - beta1**t and 1 - beta2**t.

    Differentiable for second_moment > 0; its slope at 0 is inf or nan, as that of the square root.

    Shapes: all s -> s. Raises ShapeError for different shapes, DomainError unless the corrections and eps are positive,
    DtypeError.
    Source: Kingma, Ba, "Adam: A Method for Stochastic Optimization", 2015, arXiv:1412.6980.

    >>> adam_update([1.0, 2.0], [0.3, -0.3], [0.09, 0.0], 0.1, 1.0, 1.0, eps=0.3).round(3)
    array([0.95, 2.1 ])
    """
    arrays = floats("adam_update", parameter=parameter, first_moment=first_moment, second_moment=second_moment)
    dtype = np.result_type(*(x.dtype for x in arrays))
    given = {"correction1": correction1, "correction2": correction2, "eps": eps}
    divisors = {name: small_number("adam_update", name, value, dtype) for name, value in given.items()}
    return apply(
        adam_update_op, *arrays, learning_rate=number("adam_update", "learning_rate", learning_rate), **divisors
    )
