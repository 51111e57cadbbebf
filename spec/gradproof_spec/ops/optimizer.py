"""The update rules of optimizers, elementwise: I counts the positions of arrays of any rank."""
from ..op import Op, positive
from ..terms import function

sgd_update = Op("sgd_update", "parameter[I] gradient[I] -> y[I]", reals="learning_rate")


@sgd_update.forward
def sgd_update_y(parameter, gradient, learning_rate, i):
    return parameter[i] - learning_rate * gradient[i]


@sgd_update.jvp
def sgd_update_dy(dparameter, dgradient, learning_rate, i):
    return dparameter[i] - learning_rate * dgradient[i]


@sgd_update.vjp("parameter")
def sgd_update_gparameter(g, i):
    return g[i]


@sgd_update.vjp("gradient")
def sgd_update_ggradient(g, learning_rate, i):
    return -learning_rate * g[i]


momentum_update = Op("momentum_update", "velocity[I] gradient[I] -> y[I]", reals="momentum dampening")


@momentum_update.forward
def momentum_update_y(velocity, gradient, momentum, dampening, i):
    return momentum * velocity[i] + (1 - dampening) * gradient[i]


@momentum_update.jvp
def momentum_update_dy(dvelocity, dgradient, momentum, dampening, i):
    return momentum * dvelocity[i] + (1 - dampening) * dgradient[i]


@momentum_update.vjp("velocity")
def momentum_update_gvelocity(g, momentum, i):
    return momentum * g[i]


@momentum_update.vjp("gradient")
def momentum_update_ggradient(g, dampening, i):
    return (1 - dampening) * g[i]


exponential_average = Op("exponential_average", "average[I] x[I] -> y[I]", reals="decay")


@exponential_average.forward
def exponential_average_y(average, x, decay, i):
    return decay * average[i] + (1 - decay) * x[i]


@exponential_average.jvp
def exponential_average_dy(daverage, dx, decay, i):
    return decay * daverage[i] + (1 - decay) * dx[i]


@exponential_average.vjp("average")
def exponential_average_gaverage(g, decay, i):
    return decay * g[i]


@exponential_average.vjp("x")
def exponential_average_gx(g, decay, i):
    return (1 - decay) * g[i]


# at second_moment = 0 the value is defined too, but has no derivative
adam_update = Op("adam_update", "parameter[I] first_moment[I] second_moment[I] -> y[I]",
                 reals="learning_rate correction1 correction2 eps",
                 elements=dict.fromkeys(("second_moment", "correction1", "correction2", "eps"), positive),
                 source="Kingma and Ba (2015), arXiv:1412.6980")


def root(v, size):
    return function("sqrt", v / size.correction2)


def along_first_moment(v, size):
    """∂y/∂first_moment at second_moment v."""
    return -size.learning_rate / size.correction1 / (root(v, size) + size.eps)


def along_second_moment(m, v, size):
    """∂y/∂second_moment at first_moment m and second_moment v."""
    slope = 1 / (2 * size.correction2 * root(v, size))  # of the root
    return size.learning_rate * (m / size.correction1) / (root(v, size) + size.eps) ** 2 * slope


@adam_update.forward
def adam_update_y(parameter, first_moment, second_moment, learning_rate, correction1, eps, i, size):
    return parameter[i] - learning_rate * (first_moment[i] / correction1) / (root(second_moment[i], size) + eps)


@adam_update.jvp
def adam_update_dy(first_moment, second_moment, dparameter, dfirst_moment, dsecond_moment, i, size):
    return (dparameter[i] + along_first_moment(second_moment[i], size) * dfirst_moment[i]
            + along_second_moment(first_moment[i], second_moment[i], size) * dsecond_moment[i])


@adam_update.vjp("parameter")
def adam_update_gparameter(g, i):
    return g[i]


@adam_update.vjp("first_moment")
def adam_update_gfirst_moment(second_moment, g, i, size):
    return along_first_moment(second_moment[i], size) * g[i]


@adam_update.vjp("second_moment")
def adam_update_gsecond_moment(first_moment, second_moment, g, i, size):
    return along_second_moment(first_moment[i], second_moment[i], size) * g[i]


for op in (sgd_update, momentum_update, exponential_average, adam_update):
    op.register()
