"""Planted wrong rules: optimizer."""

from ..op import positive
from ..ops.optimizer import along_first_moment, along_second_moment, root
from .fault import plant

plant("sgd_update", "vjp-uphill", "adjoint", gradient=lambda g, learning_rate, i: learning_rate * g[i])
plant("sgd_update", "gradient-is-a-constant", "adjoint", gradient=lambda g, i: 0 * g[i])
plant(
    "sgd_update",
    "both-without-the-rate",
    "derivative",
    jvp=lambda dparameter, dgradient, i: dparameter[i] - dgradient[i],
    gradient=lambda g, i: -g[i],
)
plant("sgd_update", "reads-the-next", "bounds", gradient=lambda g, learning_rate, i: -learning_rate * g[i + 1])

plant("momentum_update", "vjp-without-dampening", "adjoint", gradient=lambda g, i: g[i])
plant(
    "momentum_update",
    "both-exchange-the-factors",
    "derivative",
    jvp=lambda dvelocity, dgradient, momentum, dampening, i: (1 - dampening) * dvelocity[i] + momentum * dgradient[i],
    velocity=lambda g, dampening, i: (1 - dampening) * g[i],
    gradient=lambda g, momentum, i: momentum * g[i],
)
plant(
    "momentum_update",
    "forward-dampens-by-momentum",
    "derivative",
    forward=lambda velocity, gradient, momentum, i: momentum * velocity[i] + (1 - momentum) * gradient[i],
)
plant("momentum_update", "reads-the-previous", "bounds", velocity=lambda g, momentum, i: momentum * g[i - 1])

plant("exponential_average", "vjp-exchanged", "adjoint", average=lambda g, decay, i: (1 - decay) * g[i])
plant(
    "exponential_average",
    "both-add-x-whole",
    "derivative",
    jvp=lambda daverage, dx, decay, i: decay * daverage[i] + dx[i],
    x=lambda g, i: g[i],
)
plant("exponential_average", "average-is-a-constant", "derivative", jvp=lambda dx, decay, i: (1 - decay) * dx[i])
plant("exponential_average", "reads-the-next", "bounds", x=lambda g, decay, i: (1 - decay) * g[i + 1])

plant(
    "adam_update",
    "vjp-without-correction1",
    "adjoint",
    first_moment=lambda second_moment, g, learning_rate, eps, i, size: (
        -learning_rate / (root(second_moment[i], size) + eps) * g[i]
    ),
)
plant(
    "adam_update",
    "second-moment-is-a-constant-in-both",
    "derivative",
    jvp=lambda second_moment, dparameter, dfirst_moment, i, size: (
        dparameter[i] + along_first_moment(second_moment[i], size) * dfirst_moment[i]
    ),
    second_moment=lambda g, i: 0 * g[i],
)
plant(
    "adam_update",
    "eps-under-the-root",
    "derivative",
    forward=lambda parameter, first_moment, second_moment, learning_rate, correction1, eps, i, size: (
        parameter[i] - learning_rate * (first_moment[i] / correction1) / root(second_moment[i] + eps, size)
    ),
)
plant(
    "adam_update",
    "vjp-of-the-root-without-correction2",
    "adjoint",
    second_moment=lambda first_moment, second_moment, g, correction2, i, size: (
        correction2 * along_second_moment(first_moment[i], second_moment[i], size) * g[i]
    ),
)
EVERY = ("second_moment", "correction1", "correction2", "eps")
for name in EVERY:
    elements = {other: positive for other in EVERY if other != name}
    plant("adam_update", f"{name}-may-be-0".replace("_", "-"), "bounds", fields={"elements": elements})
